"""Rows of a binary COPY as they are, in blocks: the Python side of src/pull_raw.c."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Final

from dvt.native import library as codec
from dvt.native.decoder import FAILED, WAITING, Source, pause, source_of
from dvt.native.libpq import Libpq

_BLOCK_BYTES: Final = 1 << 20


NONE, NUMERIC, TIMESTAMP, INTERVAL, PADDED = range(5)
"""What is looked for in a column's values (src/pull_raw.c): what no decoding lane carries; PADDED ones lose their
padding, as a cast of char(n) to text takes it off."""


class RawRefusedError(Exception):
    """A value that is refused, or a stream that is broken.

    Args:
        code: Of `library`: NAN, RANGE, BROKEN.
        column: Its column from 0; -1 where none is known.
        row: Its row from 0.
    """

    def __init__(self, code: int, column: int, row: int) -> None:
        super().__init__(f"refused ({code}) in row {row}, column {column}")
        self.code, self.column, self.row = code, column, row


class _Raw(ctypes.Structure):
    """`dvt_raw` of src/pull_raw.c."""

    _fields_ = [
        ("message", ctypes.c_void_p),
        ("length", ctypes.c_int64),
        ("checks", ctypes.c_char_p),
        ("rows", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("has_header", ctypes.c_int32),
        ("refused", ctypes.c_int32),
    ]


class RawPull:
    """One COPY's messages; used by one thread, closed by any.

    Args:
        library: The codec.
        libpq: The session's.
        width: Columns.
    """

    def __init__(self, library: ctypes.CDLL, libpq: Libpq, width: int) -> None:
        self._pull, self._free = library["dvt_pull_raw"], library["dvt_free_raw"]
        self._pull.restype, self._free.restype = ctypes.c_int32, None
        self._libpq = libpq
        self._source: Source = source_of(libpq)
        self._raw = _Raw(width=width, refused=-1)
        self._size = _BLOCK_BYTES
        self._is_closed = False
        self._lock = threading.Lock()

    def look_for(self, checks: Sequence[int]) -> None:
        """Say what is looked for in each column, before the first block."""
        # The structure keeps the bytes alive; rows are walked only where there is something to look for.
        self._raw.checks = bytes(checks) if any(checks) else None

    def next_block(self) -> tuple[int, memoryview]:
        """Whole messages, and whether they are all: the outcome is one of `decoder`'s, FULL where there are more.

        The GIL is free meanwhile. The block is the caller's.

        Raises:
            RawRefusedError: A value of a column that is looked at, or a stream that is none of these columns.
        """
        used = ctypes.c_int64()
        block = bytearray(self._size)
        place = (ctypes.c_uint8 * self._size).from_buffer(block)
        with self._lock:  # whoever closes the connection waits here first
            if self._is_closed:
                return FAILED, memoryview(b"")
            outcome = self._pull(
                ctypes.byref(self._source), ctypes.byref(self._raw), place, ctypes.c_int64(self._size),
                ctypes.byref(used),
            )  # fmt: skip
        if outcome == codec.SPACE:
            self._size = max(2 * self._size, self._raw.length)
            return self.next_block()
        if outcome < 0:
            raise RawRefusedError(outcome, self._raw.refused, self._raw.rows)
        if outcome == WAITING:
            pause(self._libpq)
        return outcome, memoryview(block)[: used.value]

    def close(self) -> None:
        """Free what is held, once no thread is in it; the connection is not touched after this."""
        with self._lock:
            if not self._is_closed:
                self._free(ctypes.byref(self._source), ctypes.byref(self._raw))
            self._is_closed = True
