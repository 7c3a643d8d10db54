"""Signals that end a command: the first one cancels and cleans up, further ones do not break into that."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from dvt import exit_codes

# How often Ctrl-C has to be pressed to leave without cleaning up: a double press is a habit, a third one a wish.
_LEAVE_AT = 3

_received = 0


def install() -> None:
    """Take over the signals that ask a command to end, where the parent process has not told it to ignore them."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    global _received
    _received += 1
    if _received == 1:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(exit_codes.TERMINATED)
    if number != signal.SIGINT:
        return
    if _received >= _LEAVE_AT:
        os._exit(exit_codes.INTERRUPTED)
    _say("dvt: still ending the running queries; once more leaves at once, and may leave private relations behind")


def _say(text: str) -> None:
    # Not print: the signal may have come in the middle of one.
    os.write(sys.stderr.fileno(), (text + "\n").encode())
