"""The signals of faults: drivers' libraries take them over to print a trace, and a Java machine lives by them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Java stops its threads by faults that it makes itself: a process whose SIGSEGV is another's hangs.
_NAMES = ("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGTSTP")
# More than any platform's `struct sigaction` has.
_BYTES = 512


@contextmanager
def kept_fault_signals() -> Iterator[None]:
    """Whoever handled them before handles them afterwards. Python's own `signal` does not see handlers in C."""
    kept = fault_handlers()
    try:
        yield
    finally:
        if kept:
            import ctypes

            library = ctypes.CDLL(None)
            for number, action in kept.items():
                library.sigaction(number, action, None)


def fault_handlers() -> dict[int, bytes]:
    """What the process does about each of them; nothing where there are no such signals."""
    if os.name != "posix":
        return {}
    import ctypes

    library, found = ctypes.CDLL(None), {}
    for number in (int(getattr(signal, name)) for name in _NAMES):
        action = ctypes.create_string_buffer(_BYTES)
        if library.sigaction(number, None, action) == 0:
            found[number] = action.raw
    return found
