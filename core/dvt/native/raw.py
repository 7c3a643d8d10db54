"""Rows of a binary COPY as they are, in blocks: the Python side of src/pull_raw.c."""

from __future__ import annotations

import ctypes
import threading
from typing import Final

from dvt.native import library as codec
from dvt.native.decoder import FAILED, WAITING, Source, pause, source_of
from dvt.native.libpq import Libpq

_BLOCK_BYTES: Final = 1 << 20


class _Held(ctypes.Structure):
    """`dvt_held` of src/pull_raw.c."""

    _fields_ = [("message", ctypes.c_void_p), ("length", ctypes.c_int64)]


class RawPull:
    """One COPY's messages; used by one thread, closed by any.

    Args:
        library: The codec.
        libpq: The session's.
    """

    def __init__(self, library: ctypes.CDLL, libpq: Libpq) -> None:
        self._pull, self._free = library["dvt_pull_raw"], library["dvt_free_held"]
        self._pull.restype, self._free.restype = ctypes.c_int32, None
        self._libpq = libpq
        self._source: Source = source_of(libpq)
        self._held = _Held()
        self._size = _BLOCK_BYTES
        self._is_closed = False
        self._lock = threading.Lock()

    def next_block(self) -> tuple[int, memoryview]:
        """Whole messages, and whether they are all: the outcome is one of `decoder`'s, FULL where there are more.

        The GIL is free meanwhile. The block is the caller's.
        """
        used = ctypes.c_int64()
        block = bytearray(self._size)
        place = (ctypes.c_uint8 * self._size).from_buffer(block)
        with self._lock:  # whoever closes the connection waits here first
            if self._is_closed:
                return FAILED, memoryview(b"")
            outcome = self._pull(
                ctypes.byref(self._source), ctypes.byref(self._held), place, ctypes.c_int64(self._size),
                ctypes.byref(used),
            )  # fmt: skip
        if outcome == codec.SPACE:
            self._size = max(2 * self._size, self._held.length)
            return self.next_block()
        if outcome == WAITING:
            pause(self._libpq)
        return outcome, memoryview(block)[: used.value]

    def close(self) -> None:
        """Free what is held, once no thread is in it; the connection is not touched after this."""
        with self._lock:
            if not self._is_closed:
                self._free(ctypes.byref(self._source), ctypes.byref(self._held))
            self._is_closed = True
