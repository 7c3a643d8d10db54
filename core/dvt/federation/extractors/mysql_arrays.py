"""Rows of a MySQL result as Arrow arrays: by dvt's native codec where it was built, else by numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.connections.mysql_errors import ServerError
from dvt.native import library as codec

if TYPE_CHECKING:
    from dvt.connections.mysql_rows import Rows
    from dvt.federation.extractors.mysql_values import ColumnReader


def decoder_of(readers: Sequence[ColumnReader], *, is_native: bool) -> Callable[[Rows], list[pa.Array]]:
    """What makes arrays of rows; both ways give the same values, and refuse the same with the same words.

    Args:
        readers: Of the columns.
        is_native: Whether the codec is wanted.
    """

    def by_numpy(rows: Rows) -> list[pa.Array]:
        raw = rows.columns(len(readers))
        return [reader.read(column) for reader, column in zip(readers, raw, strict=True)]

    library = codec.load()
    return by_numpy if isinstance(library, str) or not is_native else _native(library, readers, by_numpy)


def _native(
    library: ctypes.CDLL, readers: Sequence[ColumnReader], by_numpy: Callable[[Rows], list[pa.Array]]
) -> Callable[[Rows], list[pa.Array]]:
    from dvt.native.mysql_rows import AS_BYTES, OtherColumnsError, RowsDecoder, decoding

    # BIT comes as bytes, which are carried as digits.
    kinds = [AS_BYTES if reader.native.base == "bit" else decoding(reader.schema.type) for reader in readers]
    decoder = RowsDecoder(library, kinds)

    def decoded(rows: Rows) -> list[pa.Array]:
        try:
            found = decoder.columns(rows)
        except OtherColumnsError as error:
            raise ServerError(2027, str(error)) from error
        if found is None:
            return by_numpy(rows)
        return [
            array if is_done else reader.read(array) for reader, (array, is_done) in zip(readers, found, strict=True)
        ]

    return decoded
