"""Row packets of the text protocol as Arrow arrays of raw bytes, decoded a column at a time over all rows.

A row is a sequence of values, each behind its length. Within one row the values can only be found one after the
other, but the same column of all rows is found at once: that makes the decoding a few numpy operations per column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dvt.connections.mysql_errors import ServerError

_NULL = 0xFB
_WIDTHS = ((0xFC, 2), (0xFD, 3), (0xFE, 8))
_WIDE_BYTES = 64  # from this mean width on, copying value by value is quicker than gathering byte by byte

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows as they stand in a receive buffer; to be decoded before the next read.

    Args:
        data: The buffer.
        starts: Where each row's payload begins.
        stop: Where the last row ends.
    """

    data: npt.NDArray[np.uint8]
    starts: Positions
    stop: int

    @classmethod
    def of_one(cls, payload: bytes) -> Rows:
        """A single row that had to be put together from several packets."""
        return cls(np.frombuffer(payload, dtype=np.uint8), np.zeros(1, dtype=np.int64), len(payload))

    def __len__(self) -> int:
        return len(self.starts)

    def columns(self, count: int) -> list[pa.Array]:
        """The values of `count` columns as binary arrays."""
        arrays = []
        at = self.starts
        for _ in range(count):
            begins, sizes, is_null = self._found(at)
            arrays.append(self._array(begins, sizes, is_null))
            at = begins + sizes
        if int(at[-1]) != self.stop or not bool((at[:-1] + 4 == self.starts[1:]).all()):
            raise ServerError(2027, "a row does not have the announced columns")
        return arrays

    def _found(self, at: Positions) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
        """Where each row's value begins, its length, and whether it is NULL."""
        heads = self.data[at]
        sizes = heads.astype(np.int64)
        begins = at + 1
        is_null = heads == _NULL
        sizes[is_null] = 0
        if bool((heads > _NULL).any()):
            for mark, width in _WIDTHS:
                rows = np.flatnonzero(heads == mark)
                if len(rows):
                    digits = self.data[begins[rows][:, None] + np.arange(width)].astype(np.int64)
                    sizes[rows] = (digits << (8 * np.arange(width))).sum(axis=1)
                    begins[rows] += width
        return begins, sizes, is_null

    def _array(self, begins: Positions, sizes: Positions, is_null: npt.NDArray[np.bool_]) -> pa.Array:
        data: Any
        offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        total = int(offsets[-1])
        if total > _WIDE_BYTES * len(sizes):
            view = self.data.data
            data = b"".join([view[a : a + n] for a, n in zip(begins.tolist(), sizes.tolist(), strict=True)])
        else:
            shift = np.repeat((begins - offsets[:-1]).astype(np.int32), sizes)
            shift += np.arange(total, dtype=np.int32)
            data = self.data[shift]
        validity = None
        nulls = int(is_null.sum())
        if nulls:
            validity = pa.py_buffer(np.packbits(~is_null, bitorder="little"))
        buffers = [validity, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.binary(), len(sizes), buffers, null_count=nulls)
