"""How many sessions may read one table, where nobody says a number."""

from __future__ import annotations

import os
from typing import Final

AUTO: Final = "auto"
_MOST = 8  # a source has others to serve


def cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def degree(option: int | str) -> int:
    """The most sessions by an option `parallel`: its number, or as many as there are cores to decode."""
    return min(cores(), _MOST) if isinstance(option, str) else option
