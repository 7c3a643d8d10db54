"""Binary COPY made by hand, and a libpq of Python that gives it to the native decoder message by message.

The forms are those of PostgreSQL's `send` functions (src/backend/utils/adt), written here a second time.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dvt.native import decoder as native
from dvt.native import library as codec
from dvt.native.decoder import Decoder, Reading
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, TIME, UUID

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_EPOCH_DAYS = 10957
_EPOCH_MICROS = _EPOCH_DAYS * 86_400_000_000


def field(value: bytes | None) -> bytes:
    """A value with its length; None is NULL."""
    return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value


def row(*values: bytes | None) -> bytes:
    """A row of values."""
    return struct.pack(">h", len(values)) + b"".join(field(value) for value in values)


def array(oid: int, *values: bytes | None, lower: int = 1) -> bytes:
    """An array of one dimension, or of none where there are no values."""
    has_null = int(None in values)
    if not values:
        return struct.pack(">iiI", 0, 0, oid)
    head = struct.pack(">iiIii", 1, has_null, oid, len(values), lower)
    return head + b"".join(field(value) for value in values)


def numeric(number: Decimal, *, zeros_before: int = 0, zeros_after: int = 0) -> bytes:
    """A number as `numeric_send` gives it, with groups of zeros that it would leave out."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(str(digit) for digit in digits)
    text += "0" * (exponent if exponent > 0 else 0)
    fraction = -exponent if exponent < 0 else 0
    text = text.rjust(fraction + 1, "0")
    whole, after = (text[:-fraction], text[-fraction:]) if fraction else (text, "")
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    after = after.ljust(-(-len(after) // 4) * 4, "0")
    groups = [int((whole + after)[i : i + 4]) for i in range(0, len(whole + after), 4)]
    groups = [0] * zeros_before + groups + [0] * zeros_after
    weight = len(whole) // 4 - 1 + zeros_before
    head = struct.pack(">hhHH", len(groups), weight, 0x4000 if sign else 0, fraction)
    return head + b"".join(struct.pack(">h", group) for group in groups)


@dataclass(frozen=True)
class Kind:
    """A kind of the decoder, with one value of it.

    Args:
        reading: How the decoder reads it.
        sent: A value's binary form.
        value: The same in Arrow's Python object.
    """

    reading: Reading
    sent: bytes
    value: Any


def _list(of: Kind, oid: int) -> Kind:
    one = of.reading
    listed = Reading(pa.list_(one.type), one.kind, one.scale, one.precision, oid)
    return Kind(listed, array(oid, of.sent, None, of.sent), [of.value, None, of.value])


def _storage(type_: pa.DataType, value: Any) -> Any:
    return pa.scalar(value, type_)


SCALARS = {
    "bool": Kind(Reading(pa.bool_(), codec.BOOL), b"\1", True),
    "int16": Kind(Reading(pa.int16(), codec.INT16), struct.pack(">h", -2), -2),
    "int32": Kind(Reading(pa.int32(), codec.INT32), struct.pack(">i", -70000), -70000),
    "oid": Kind(Reading(pa.uint32(), codec.INT32), b"\xff\xff\xff\xfe", 2**32 - 2),
    "int64": Kind(Reading(pa.int64(), codec.INT64), struct.pack(">q", -(2**40)), -(2**40)),
    "float32": Kind(Reading(pa.float32(), codec.FLOAT32), struct.pack(">f", 1.5), 1.5),
    "float64": Kind(Reading(pa.float64(), codec.FLOAT64), struct.pack(">d", -0.1), -0.1),
    "decimal128": Kind(
        Reading(pa.decimal128(12, 2), codec.DECIMAL128, 2, 12), numeric(Decimal("-12345.67")), Decimal("-12345.67")
    ),
    "decimal256": Kind(
        Reading(pa.decimal256(60, 5), codec.DECIMAL256, 5, 60),
        numeric(Decimal("1234567890123456789012345678901234567890.12345")),
        Decimal("1234567890123456789012345678901234567890.12345"),
    ),
    "bytes": Kind(Reading(pa.binary(), codec.BYTES), b"\x00\xff", b"\x00\xff"),
    "text": Kind(Reading(pa.string(), codec.TEXT), "grüße".encode(), "grüße"),
    "padded": Kind(Reading(pa.string(), codec.PADDED), b" ab  ", " ab"),
    "jsonb": Kind(Reading(JSON, codec.JSONB), b'\1{"a": 1}', '{"a": 1}'),
    "uuid": Kind(Reading(UUID, codec.FIXED, 16), bytes(range(16)), bytes(range(16))),
    "date": Kind(Reading(pa.date32(), codec.DATE), struct.pack(">i", 1 - _EPOCH_DAYS), 1),
    "time": Kind(Reading(TIME, codec.TIME), struct.pack(">q", 86_400_000_000 - 1), 86_400_000_000 - 1),
    "timestamp": Kind(Reading(MICROS, codec.TIMESTAMP), struct.pack(">q", 5 - _EPOCH_MICROS), 5),
    "interval": Kind(
        Reading(INTERVAL, codec.INTERVAL), struct.pack(">qii", -7, 3, -14), pa.MonthDayNano([-14, 3, -7000])
    ),
}
_OIDS = {name: 1000 + number for number, name in enumerate(SCALARS)}
KINDS = {**SCALARS, **{f"{name}[]": _list(kind, _OIDS[name]) for name, kind in SCALARS.items()}}


def values_of(column: pa.Array) -> list[Any]:
    """Plain values: of extension types their storage, of dates and moments their numbers."""
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        return column.storage.to_pylist()
    if pa.types.is_date32(type_):
        return column.view(pa.int32()).to_pylist()
    if pa.types.is_time(type_) or pa.types.is_timestamp(type_):
        return column.view(pa.int64()).to_pylist()
    if pa.types.is_list(type_):
        flat, ends = values_of(column.values), column.offsets.to_pylist()
        valid = column.is_valid().to_pylist()
        return [flat[ends[i] : ends[i + 1]] if valid[i] else None for i in range(len(column))]
    return column.to_pylist()


_GET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int)
_FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_CONSUME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class Messages:
    """Gives messages as libpq does, then the end; an empty message stands for one that is not there yet.

    Args:
        messages: What PQgetCopyData gives.
        end: What it returns after the last one: -1 for the end, -2 for an error.
    """

    connection, socket = 1, -1

    def __init__(self, messages: Sequence[bytes], end: int = -1) -> None:
        self._left = list(messages)
        self._end = end
        self._held: dict[int, Any] = {}
        self._functions = {
            "PQgetCopyData": _GET(self._get),
            "PQfreemem": _FREE(self._free),
            "PQconsumeInput": _CONSUME(lambda _: 1),
        }

    @property
    def held(self) -> int:
        """How many messages were given and not freed."""
        return len(self._held)

    def address(self, name: str) -> int:
        """The address of a function."""
        return ctypes.cast(self._functions[name], ctypes.c_void_p).value or 0

    def _get(self, _: int, buffer: Any, is_async: int) -> int:
        assert is_async == 1
        if not self._left:
            return self._end
        message = self._left.pop(0)
        if message:
            memory = ctypes.create_string_buffer(message, len(message))
            self._held[ctypes.addressof(memory)] = memory
            buffer[0] = ctypes.addressof(memory)
        return len(message)

    def _free(self, address: int) -> None:
        del self._held[address]


def _has_midnight_at_the_end(batch: pa.RecordBatch) -> bool:
    """24:00:00, a time in PostgreSQL, which Arrow carries and its own check refuses."""
    return any(_holds_it(column) for column in batch.columns)


def _holds_it(column: pa.Array) -> bool:
    if pa.types.is_list(column.type):
        return _holds_it(column.values)
    return column.type == TIME and 86_400_000_000 in values_of(column)


def made(readings: Sequence[Reading]) -> Decoder:
    """A decoder of columns c0, c1, ..."""
    library = codec.load()
    assert not isinstance(library, str), library
    return Decoder(library, readings, [f"c{number}" for number in range(len(readings))], [True] * len(readings))


def decoded(
    readings: Sequence[Reading], messages: Messages, rows: int = 1 << 30, max_bytes: int = 1 << 40
) -> tuple[int, list[pa.RecordBatch]]:
    """What the last pull came to, and all batches, each of them checked by Arrow."""
    decoder = made(readings)

    def taken() -> pa.RecordBatch:
        batch = decoder.batch()
        assert batch is not None, "nobody closed it"
        return batch

    batches: list[pa.RecordBatch] = []
    try:
        while (outcome := decoder.pull(messages, rows, max_bytes)) in (native.FULL, native.WAITING):  # type: ignore[arg-type]
            if outcome == native.FULL:
                batches.append(taken())
        if decoder.waiting_rows():
            batches.append(taken())
    finally:
        decoder.close()
    for batch in batches:
        batch.validate(full=not _has_midnight_at_the_end(batch))
    assert messages.held == 0
    return outcome, batches
