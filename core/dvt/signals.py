"""Signals that end a command: the first one cancels and cleans up, further ones do not break into that.

Python raises from a signal handler wherever the main thread happens to be. In a callback or a finaliser that exception
is lost, and when another thread received the signal, a main thread that waits for a lock does not wake. So the signal
is repeated until someone has taken it up with `ending`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from types import FrameType

from dvt import exit_codes

# How often Ctrl-C has to be pressed during the cleaning up to leave at once: a double press is a habit.
_LEAVE_AT = 2
_REPEAT_AFTER_S = 2.0
_NUMBERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_is_ending = threading.Event()
_is_repeated = False
_presses = 0
# Python writes to the last one at each signal, as long as the process lives: were it closed, its number could soon be
# another's. There is more than one where commands run one after the other in a process.
_wakeups: list[tuple[socket.socket, socket.socket]] = []


def install() -> None:
    """Take over the signals that ask a command to end, where the parent process has not told it to ignore them."""
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    if hasattr(signal, "pthread_kill"):
        reader, writer = socket.socketpair()
        _wakeups.append((reader, writer))
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=_repeat, args=(reader,), daemon=True, name="dvt-signals").start()


def ending() -> None:
    """The signal was taken up: the command is on its way out, and is not to be disturbed."""
    _is_ending.set()


def forget_interrupt() -> None:
    """An interrupt that was taken up does not decide the exit code.

    `python -m` ends by the signal itself once an interrupt has passed through code that was compiled from text, as
    dataclasses and named tuples are, whatever exit code was asked for. Running such code again clears that mark.
    """
    exec("")


def _end(number: int, _frame: FrameType | None) -> None:
    global _presses, _is_repeated
    if not _is_ending.is_set():
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(exit_codes.TERMINATED)
    if _is_repeated:
        _is_repeated = False
        return
    if number != signal.SIGINT:
        return
    _presses += 1
    if _presses >= _LEAVE_AT:
        os._exit(exit_codes.INTERRUPTED)
    _say("dvt: still ending the running queries; once more leaves at once, and may leave private relations behind")


def _repeat(reader: socket.socket) -> None:
    """Send the main thread its signal again; the bytes are written by Python's handler, in whatever thread it runs."""
    global _is_repeated
    main = threading.main_thread().ident
    assert main is not None
    while not _is_ending.is_set():
        for number in reader.recv(1):
            while number in _NUMBERS and not _is_ending.wait(_REPEAT_AFTER_S):
                _is_repeated = True
                signal.pthread_kill(main, number)


def _say(text: str) -> None:
    # Not print: the signal may have come in the middle of one.
    os.write(sys.stderr.fileno(), (text + "\n").encode())
