"""Rows of MySQL's text protocol to Arrow in C: the Python side of src/mysql_rows.c, and which types it decodes.

A value that has not the plain form of its type is not judged here: its column then comes as the server's bytes, which
the caller decodes as it does without the codec, so that values, refusals and their words are the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from dvt.native import library as codec
from dvt.types.vocabulary import TIME, is_json, is_uuid

if TYPE_CHECKING:
    from dvt.connections.mysql_rows import Rows

# Where packets begin, from a place of a buffer to another, and the place behind the last one; so many at most.
Walk = Callable[[bytearray, int, int, int], tuple[int, list[int]]]

_MOST_ROWS: Final = 1 << 16


@dataclass(frozen=True)
class Decoding:
    """How C decodes a column.

    Args:
        type: The Arrow type in which it comes.
        kind: The codec's number.
        scale: A decimal's digits after the point; bytes of a fixed size; 1 for whole numbers without sign.
        precision: A decimal's digits in all.
    """

    type: pa.DataType
    kind: int
    scale: int = 0
    precision: int = 0


AS_BYTES: Final = Decoding(pa.binary(), codec.BYTES)
_WHOLE: Final = {8: codec.INT8, 16: codec.INT16, 32: codec.INT32, 64: codec.INT64}


def decoding(type_: pa.DataType) -> Decoding:
    """How the text of values that an Arrow type carries is decoded; AS_BYTES where Python does it.

    >>> decoding(pa.uint16()).scale, decoding(pa.float64()) is AS_BYTES
    (1, True)
    """
    if pa.types.is_integer(type_):
        return Decoding(type_, _WHOLE[type_.bit_width], int(pa.types.is_unsigned_integer(type_)))
    if pa.types.is_decimal128(type_) and 0 <= type_.scale <= type_.precision:
        return Decoding(type_, codec.DECIMAL128, type_.scale, type_.precision)
    if is_uuid(type_):
        return Decoding(type_, codec.FIXED, 16)
    if is_json(type_) or pa.types.is_string(type_):
        return Decoding(type_, codec.TEXT)
    if pa.types.is_date32(type_):
        return Decoding(type_, codec.DATE)
    if pa.types.is_timestamp(type_) and type_.unit == "us":
        return Decoding(type_, codec.TIMESTAMP)
    return Decoding(type_, codec.TIME) if type_ == TIME else AS_BYTES


class OtherColumnsError(Exception):
    """A row has not the announced columns."""


class RowsDecoder:
    """Rows in a receive buffer as arrays; used by one thread.

    Args:
        library: The codec.
        decodings: How each column is decoded.
    """

    def __init__(self, library: ctypes.CDLL, decodings: Sequence[Decoding]) -> None:
        pointer, int32, int64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
        self._new = _declared(library, "dvt_decoder_new", pointer, [pointer, pointer, int32])
        self._free = _declared(library, "dvt_decoder_free", None, [pointer])
        self._export = _declared(library, "dvt_decoder_export", int32, [pointer, pointer])
        self._decode = _declared(library, "dvt_mysql_decode", int32, [pointer, pointer, pointer, int64, int64, pointer])
        self._decodings = list(decodings)
        self._decoder: int | None = None
        self._open()

    def columns(self, rows: Rows) -> list[tuple[pa.Array, bool]] | None:
        """An array for each column, and whether it is decoded or the server's bytes; None where texts are too long.

        Raises:
            OtherColumnsError: A row has other columns.
        """
        while True:
            unfit = (ctypes.c_uint8 * len(self._decodings))()
            data, starts = rows.data.ctypes.data, rows.starts.ctypes.data
            error = self._decode(self._decoder, data, starts, len(rows), rows.stop, unfit)
            if error == codec.SPACE:
                return None
            if error == codec.BROKEN:
                raise OtherColumnsError("a row does not have the announced columns")
            arrays = self._exported()
            if not any(unfit):
                return [(array, one is not AS_BYTES) for array, one in zip(arrays, self._decodings, strict=True)]
            self._decodings = [
                AS_BYTES if is_unfit else one for one, is_unfit in zip(self._decodings, unfit, strict=True)
            ]
            self._open()

    def close(self) -> None:
        """Free what it holds."""
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            self._free(decoder)

    def __del__(self) -> None:
        if getattr(self, "_decoder", None) is not None:
            self.close()

    def _open(self) -> None:
        self.close()
        found = self._decodings
        columns = (codec.Column * len(found))(*[codec.Column(one.kind, one.scale, 0, 0) for one in found])
        precisions = (ctypes.c_int32 * len(found))(*[one.precision for one in found])
        self._schema = pa.schema([pa.field(str(number), one.type) for number, one in enumerate(found)])
        self._decoder = self._new(columns, precisions, len(found))
        if not self._decoder:
            raise MemoryError("no memory for a decoder")

    def _exported(self) -> list[pa.Array]:
        array = codec.CArray()
        if self._export(self._decoder, ctypes.addressof(array)) != 0:
            raise MemoryError("no memory for a batch")
        found: list[pa.Array] = pa.RecordBatch._import_from_c(ctypes.addressof(array), self._schema).columns
        return found


def walk_of(library: ctypes.CDLL) -> Walk:
    """The function that finds packets in a buffer."""
    pointer, int64 = ctypes.c_void_p, ctypes.c_int64
    function = _declared(library, "dvt_mysql_walk", int64, [pointer, int64, int64, pointer, int64, pointer])
    starts, count = (ctypes.c_int64 * _MOST_ROWS)(), ctypes.c_int64()

    def walk(buffer: bytearray, position: int, end: int, most: int) -> tuple[int, list[int]]:
        place = (ctypes.c_uint8 * len(buffer)).from_buffer(buffer)
        found: list[int] = []
        while True:
            position = function(place, position, end, starts, min(most - len(found), _MOST_ROWS), ctypes.byref(count))
            found += starts[: count.value]
            if count.value < _MOST_ROWS:
                return position, found

    return walk


def _declared(library: ctypes.CDLL, name: str, result: Any, arguments: list[Any]) -> Any:
    function = library[name]  # an object of its own: what others declared for theirs stays
    function.restype, function.argtypes = result, arguments
    return function
