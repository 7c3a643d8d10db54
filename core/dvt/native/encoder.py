"""Record batches as binary COPY, by the native codec: a buffer at a time, no Python object per row."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from dvt.native import library as native

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
BUFFER_BYTES: Final = 1 << 18


@dataclass  # not frozen: an exception is given its traceback
class EncodingProblem(Exception):
    """A value that was refused.

    Args:
        code: One of the codes of `library`.
        column: Its column, from 0.
        row: Its row in the batch, from 0.
    """

    code: int
    column: int
    row: int


class BinaryEncoder:
    """Writes batches of one shape.

    Args:
        columns: How each column is written.
        library: As `library.load()` gave it.
        size: Bytes of the buffer; it grows for a row that is larger.
    """

    def __init__(self, columns: Sequence[native.Column], library: ctypes.CDLL, size: int = BUFFER_BYTES) -> None:
        self._columns = (native.Column * max(len(columns), 1))(*columns)
        self._count = len(columns)
        self._encode = library.dvt_encode
        self._encode.restype = ctypes.c_int64
        self._buffer = bytearray(size)

    def pieces(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """The rows of a batch; each piece holds whole rows, and lies in the buffer of the next.

        Args:
            batch: Columns in the physical types of their kinds.

        Raises:
            EncodingProblem: A value that PostgreSQL has no place for.
        """
        exported = native.CArray()
        batch._export_to_c(ctypes.addressof(exported))
        try:
            row = 0
            while row < batch.num_rows:
                size, row = self._piece(exported, row)
                if size:
                    yield memoryview(self._buffer)[:size]
        finally:
            exported.release(ctypes.addressof(exported))

    def _piece(self, exported: native.CArray, first: int) -> tuple[int, int]:
        """Bytes in the buffer, and the next row; no bytes where the buffer had to grow."""
        following, problem = ctypes.c_int64(first), native.Problem()
        place = (ctypes.c_uint8 * len(self._buffer)).from_buffer(self._buffer)
        size = self._encode(
            ctypes.byref(exported),
            self._columns,
            self._count,
            ctypes.c_int64(first),
            place,
            ctypes.c_int64(len(self._buffer)),
            ctypes.byref(following),
            ctypes.byref(problem),
        )
        if size >= 0:
            return size, following.value
        if problem.code != native.SPACE:
            raise EncodingProblem(problem.code, problem.column, problem.row)
        self._buffer = bytearray(2 * len(self._buffer))
        return 0, first
