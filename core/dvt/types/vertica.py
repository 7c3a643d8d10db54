"""Vertica's types as data: what carries each, and how its bytes on the wire become Arrow.

The driver is asked for the binary form of all types: the text of floats has 15 digits. Its own conversions, value by
value, are not used.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.text_values import parser
from dvt.types.vocabulary import INTERVAL, MICROS, MICROS_UTC, TIME, UUID, carried_decimal

Bytes = Sequence["bytes | None"]
Reader = Callable[[Bytes, pa.DataType], pa.Array]

NUMERIC, _BINARY = 16, 1
_WIDEST = 255  # the driver cuts the scale to eight bits
_EPOCH_JULIAN = 2_440_588
_EPOCH_2000_MICROS = 946_684_800_000_000
_SECOND, _DAY = 1_000_000, 86_400_000_000
# Years 1 to 9999.
_DAYS = (-719_162, 2_932_896)
_MOMENTS = (_DAYS[0] * _DAY, (_DAYS[1] + 1) * _DAY - 1)


@dataclass(frozen=True)
class VerticaColumn:
    """How a column is read.

    Args:
        name: The native type, in Vertica's words.
        type: What carries it.
        read: Makes an array of the raw values.
        refused: Why its values are not read; empty when they are.
    """

    name: str
    type: pa.DataType
    read: Reader
    refused: str = ""


def vertica_column(oid: int, name: str, precision: int | None, scale: int | None, format_code: int) -> VerticaColumn:
    """How a column of a result is read.

    Args:
        oid: The server's number of its type.
        name: The driver's name of it; for types of users (GEOMETRY) their own.
        precision: Of a number.
        scale: Of a number.
        format_code: 1 where the server sends the binary form.
    """
    native = name.lower()
    if oid == NUMERIC:
        type_ = carried_decimal(precision or 38, scale or 0)
        if (precision or 0) > _WIDEST:
            return VerticaColumn(f"numeric({precision})", type_, _text, "the driver says no scale above 255")
        exact: Reader = _unscaled if format_code and (precision or 99) <= 38 else _decimals(scale or 0, format_code)
        return VerticaColumn(f"numeric({precision},{scale})", type_, exact)
    if oid in _BINARIES:
        if format_code != _BINARY:
            return VerticaColumn(native, pa.binary(), _text, "the server sends no binary form of it")
        return VerticaColumn(native, pa.binary(), lambda values, type_: pa.array(values, type_))
    known = _BY_OID.get(oid)
    if known is None:
        return VerticaColumn(native, pa.string(), _text)  # arrays, sets, rows, maps, and what is to come
    type_, read = known
    return VerticaColumn(native, type_, read if format_code == _BINARY else _parsed)


def _integers(values: Bytes, code: str = "q") -> array[Any]:
    numbers = array(code, b"".join([bytes(8) if value is None else value for value in values]))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _primitive(values: Bytes, numbers: Any, type_: pa.DataType) -> pa.Array:
    nulls = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(type_, len(values), [nulls, pa.py_buffer(numbers)])


def _int(values: Bytes, type_: pa.DataType) -> pa.Array:
    return _primitive(values, _integers(values), type_)


def _float(values: Bytes, type_: pa.DataType) -> pa.Array:
    return _primitive(values, _integers(values, "d"), type_)


def _bool(values: Bytes, type_: pa.DataType) -> pa.Array:
    return pa.array([None if value is None else value == b"\x01" for value in values], type_)


def _within(numbers: pa.Array, first: int, last: int) -> pa.Array:
    found = pc.min_max(numbers).as_py()
    if found["min"] is not None and (found["min"] < first or found["max"] > last):
        raise ValueError("it is infinite, or not within the years 1 to 9999, or not a time of a day")
    return numbers


def _shifted(values: Bytes, by: int, first: int, last: int) -> pa.Array:
    numbers = _within(_int(values, pa.int64()), first - by, last - by)
    return pc.add(numbers, pa.scalar(by, pa.int64()))


def _date(values: Bytes, type_: pa.DataType) -> pa.Array:
    return _shifted(values, -_EPOCH_JULIAN, *_DAYS).cast(pa.int32()).cast(type_)


def _time(values: Bytes, type_: pa.DataType) -> pa.Array:
    return _shifted(values, 0, 0, _DAY - 1).cast(type_)


def _moment(values: Bytes, type_: pa.DataType) -> pa.Array:
    return _shifted(values, _EPOCH_2000_MICROS, *_MOMENTS).cast(type_)


def _time_with_zone(values: Bytes, type_: pa.DataType) -> pa.Array:
    """UTC's microseconds in the upper 40 bits; below them a day less the zone's offset, in seconds."""

    def text(value: bytes) -> str:
        (packed,) = struct.unpack("!q", value)
        offset = _DAY // _SECOND - (packed & 0xFFFFFF)
        seconds, micros = divmod(((packed >> 24) + offset * _SECOND) % _DAY, _SECOND)
        fraction = f".{micros:06}".rstrip("0") if micros else ""
        sign, offset = ("-", -offset) if offset < 0 else ("+", offset)
        zone = f"{offset // 3600:02}:{offset // 60 % 60:02}" + (f":{offset % 60:02}" if offset % 60 else "")
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}{sign}{zone}"

    return pa.array([None if value is None else text(value) for value in values], type_)


def _day_time(values: Bytes, type_: pa.DataType) -> pa.Array:
    parts = (None if v is None else divmod(struct.unpack("!q", v)[0], _DAY) for v in values)
    return pa.array([None if part is None else (0, part[0], part[1] * 1000) for part in parts], type_)


def _months(values: Bytes, type_: pa.DataType) -> pa.Array:
    return pa.array([None if v is None else (struct.unpack("!q", v)[0], 0, 0) for v in values], type_)


def _unscaled(values: Bytes, type_: pa.DataType) -> pa.Array:
    """Whole numbers of up to 38 digits, as many bytes as the server likes."""
    numbers = b"".join(
        [
            bytes(16) if v is None else int.from_bytes(v, "big", signed=True).to_bytes(16, "little", signed=True)
            for v in values
        ]
    )
    return _primitive(values, numbers, type_)


def _decimals(scale: int, format_code: int) -> Reader:
    exact = Context(prec=1100)

    def number(value: bytes) -> Decimal:
        if format_code != _BINARY:
            return Decimal(value.decode())
        return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale, exact)

    return lambda values, type_: pa.array([None if v is None else number(v) for v in values], type_)


def _uuid(values: Bytes, type_: pa.DataType) -> pa.Array:
    return pa.ExtensionArray.from_storage(UUID, pa.array(values, pa.binary(16)))


def _text(values: Bytes, type_: pa.DataType) -> pa.Array:
    return pa.array(values, pa.binary()).cast(pa.string())


def _unpadded(values: Bytes, type_: pa.DataType) -> pa.Array:
    return pc.utf8_rtrim(_text(values, type_), " ")


def _parsed(values: Bytes, type_: pa.DataType) -> pa.Array:
    return parser(type_)(_text(values, type_))


_BINARIES = frozenset({17, 116, 117})
_BY_OID: dict[int, tuple[pa.DataType, Reader]] = {
    4: (pa.string(), _text),
    5: (pa.bool_(), _bool),
    6: (pa.int64(), _int),
    7: (pa.float64(), _float),
    8: (pa.string(), _unpadded),
    9: (pa.string(), _text),
    115: (pa.string(), _text),
    10: (pa.date32(), _date),
    11: (TIME, _time),
    12: (MICROS, _moment),
    13: (MICROS_UTC, _moment),
    14: (INTERVAL, _day_time),
    114: (INTERVAL, _months),
    15: (pa.string(), _time_with_zone),
    20: (UUID, _uuid),
}
