"""Ending work from another thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from dvt.errors import DvtError, InterruptedRunError


class CancelScope:
    """What runs at present and how each part of it is ended. A cancelled scope admits nothing more.

    Args:
        parent: A scope whose cancellation also cancels this one, while it is `open`.
    """

    def __init__(self, parent: CancelScope | None = None) -> None:
        self._parent = parent
        self._lock = threading.Lock()
        self._running: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._is_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether this scope or one above it was cancelled."""
        return self._is_cancelled or (self._parent is not None and self._parent.is_cancelled)

    def check(self) -> None:
        """Raise `InterruptedRunError` in a cancelled scope."""
        if self.is_cancelled:
            raise InterruptedRunError("the work was interrupted")

    def cancel(self) -> None:
        """End everything that runs in the scope. Something that will not be ended does not spare the others."""
        with self._lock:
            self._is_cancelled = True
            running = list(self._running.values())
        for end in running:
            with contextlib.suppress(DvtError):
                end()

    @contextlib.contextmanager
    def running(self, end: Callable[[], None]) -> Iterator[None]:
        """While the body runs, `cancel` calls `end`.

        Raises:
            InterruptedRunError: The scope is cancelled already.
        """
        with self._lock:
            self.check()
            key, self._next = self._next, self._next + 1
            self._running[key] = end
        try:
            yield
        finally:
            with self._lock:
                del self._running[key]

    @contextlib.contextmanager
    def child(self) -> Iterator[CancelScope]:
        """A scope inside of this one, which can also be cancelled alone."""
        scope = CancelScope(self)
        with self.running(scope.cancel):
            yield scope
