"""Running a copy in a thread of its own, while the main thread shows its progress and takes up Ctrl-C."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TextIO, TypeVar

from dvt import signals
from dvt.errors import InterruptedRunError

if TYPE_CHECKING:
    from dvt.federation.copying import Copying, Progress

T = TypeVar("T")

_WAKE_UP_S = 0.1
_WORDS = {"asking": "looking at both ends", "copying": "", "landing": "putting it in place"}


class StoppedError(Exception):
    """A signal ended the work.

    Args:
        signal: As it was raised.
        is_done: Whether the work was done already when it came.
    """

    def __init__(self, signal: BaseException, *, is_done: bool) -> None:
        super().__init__("stopped by a signal")
        self.signal = signal
        self.is_done = is_done


class _Work(threading.Thread, Generic[T]):
    """A function's result or its error."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(name="dvt-copy", daemon=True)
        self._work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        # Not the thread's own end: a `join` that a signal broke into takes a running thread for ended.
        self.is_over = threading.Event()

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the main thread
            self.error = error
        finally:
            self.is_over.set()


def in_thread(copying: Copying, work: Callable[[], T], *, shows_progress: bool) -> T:
    """Run a part of a copy. A signal cancels it on both servers, and is raised again when it has ended.

    Args:
        copying: What is cancelled.
        work: One of its methods.
        shows_progress: Whether a line on the terminal tells how far it is; elsewhere there is none.

    Raises:
        DvtError: The copy failed.
        StoppedError: A signal ended it.
    """
    thread = _Work(work)
    line = ProgressLine(sys.stderr) if shows_progress and sys.stderr.isatty() else None
    thread.start()
    try:
        while not thread.is_over.wait(_WAKE_UP_S):
            if line is not None:
                line.show(copying.progress)
    except (KeyboardInterrupt, SystemExit) as signal:
        signals.ending()
        copying.cancel()
        thread.is_over.wait()
        if thread.error is None or isinstance(thread.error, InterruptedRunError):
            raise StoppedError(signal, is_done=thread.error is None) from signal
    finally:
        if line is not None:
            line.clear()
    if thread.error is not None:
        raise thread.error
    return thread.result  # type: ignore[return-value]


class ProgressLine:
    """One line that is written over and over.

    Args:
        out: A terminal.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._started = time.monotonic()
        self._moving_since: float | None = None
        self._last = ""

    def show(self, progress: Progress) -> None:
        """Write what is known now."""
        now = time.monotonic()
        if self._moving_since is None and progress.phase != "asking":
            self._moving_since = now
        text = progress_text(progress, now - self._started, now - (self._moving_since or now))
        text = text[: shutil.get_terminal_size().columns - 1]
        if text != self._last:
            self._out.write("\r\x1b[2K" + text)
            self._out.flush()
            self._last = text

    def clear(self) -> None:
        """Leave the line empty, for what is printed next."""
        if self._last:
            self._out.write("\r\x1b[2K")
            self._out.flush()


def progress_text(progress: Progress, seconds: float, moving_s: float) -> str:
    """Rows, bytes and rates so far; the rates are those of the time in which something moved.

    Args:
        progress: How far it is.
        seconds: Since the start.
        moving_s: Since rows were asked for.
    """
    parts = [word] if (word := _WORDS[progress.phase]) else []
    per_s = 1 / max(moving_s, 0.1)
    if progress.rows:
        of = f" of about {progress.expected_rows:,}" if progress.expected_rows else ""
        parts.append(f"{progress.rows:,}{of} rows")
    if progress.bytes:
        parts += [size(progress.bytes), f"{size(progress.bytes * per_s)}/s"]
    if progress.rows:
        parts.append(f"{progress.rows * per_s:,.0f} rows/s")
    return ", ".join([*parts, f"{seconds:.0f} s"])


def size(count: float) -> str:
    """Bytes as people read them.

    >>> size(999), size(12_345_678)
    ('999 B', '12.3 MB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"
