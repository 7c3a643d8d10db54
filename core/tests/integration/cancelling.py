"""Cancelling from another thread, once the server was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

_AT_MOST_S = 60


def cancels_when(extractor: Any, is_asked: Callable[[], bool]) -> threading.Thread:
    """A thread that cancels what an extractor reads, as soon as its statement is there."""

    def wait() -> None:
        deadline = time.monotonic() + _AT_MOST_S
        while not is_asked() and time.monotonic() < deadline:
            time.sleep(0.02)
        extractor.cancel()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread
