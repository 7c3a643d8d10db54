"""Redshift's types as data: the Arrow type that carries each, and how the driver is asked for its values.

The driver's own decoders are not used for what they change: its dates before 1582 are computed, those before year 1
become year 1, fractions of seconds pass through floats. Such values come as the server's text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, carried_decimal

_TEXT, _BINARY = 0, 1  # formats of the wire protocol
_MICROS_A_DAY = 86_400_000_000
NUMERIC, BPCHAR, VARCHAR = 1700, 1042, 1043


@dataclass(frozen=True)
class RedshiftType:
    """One native type.

    Args:
        name: As the server's catalogue says it, without its arguments.
        type: What carries it.
        unloads: Whether UNLOAD writes it to Parquet so that it is read exactly.
        is_padded: Whether blanks at the end of a text are padding.
    """

    name: str
    type: pa.DataType
    unloads: bool = False
    is_padded: bool = False


_BY_OID: dict[int, RedshiftType] = {
    16: RedshiftType("boolean", pa.bool_(), True),
    21: RedshiftType("smallint", pa.int16(), True),
    23: RedshiftType("integer", pa.int32(), True),
    20: RedshiftType("bigint", pa.int64(), True),
    26: RedshiftType("oid", pa.uint32()),
    700: RedshiftType("real", pa.float32(), True),
    701: RedshiftType("double precision", pa.float64(), True),
    25: RedshiftType("text", pa.string(), True),
    19: RedshiftType("name", pa.string()),
    1082: RedshiftType("date", pa.date32(), True),
    1083: RedshiftType("time without time zone", TIME),
    1266: RedshiftType("time with time zone", pa.string()),
    1114: RedshiftType("timestamp without time zone", MICROS, True),
    1184: RedshiftType("timestamp with time zone", MICROS_UTC, True),
    1188: RedshiftType("interval year to month", INTERVAL),
    1190: RedshiftType("interval day to second", INTERVAL),
    3000: RedshiftType("geometry", pa.string()),  # hexadecimal EWKB
    3001: RedshiftType("geography", pa.string()),
    4000: RedshiftType("super", JSON),
    6551: RedshiftType("binary varying", pa.binary()),
}


def native_type(oid: int, typmod: int, numeric_scale: int) -> RedshiftType:
    """The type of a result's column; one that is not known is carried as its text.

    Args:
        oid: The server's number of it.
        typmod: Its arguments, as the server packs them; -1 for none.
        numeric_scale: Digits after the point where a number has no declared ones.

    >>> native_type(1700, ((10 << 16) | 2) + 4, 9)
    RedshiftType(name='numeric(10,2)', type=Decimal128Type(decimal128(10, 2)), unloads=True, is_padded=False)
    >>> native_type(2935, -1, 9).type
    DataType(string)
    """
    if oid == NUMERIC:
        if typmod < 4:
            return RedshiftType("numeric", carried_decimal(38, numeric_scale))
        precision, scale = ((typmod - 4) >> 16) & 0xFFFF, (typmod - 4) & 0xFFFF
        return RedshiftType(f"numeric({precision},{scale})", carried_decimal(precision, scale), True)
    if oid in (BPCHAR, VARCHAR):
        name = "character" if oid == BPCHAR else "character varying"
        length = f"({typmod - 4})" if typmod >= 4 else ""
        return RedshiftType(name + length, pa.string(), True, is_padded=oid == BPCHAR)
    return _BY_OID.get(oid, RedshiftType(f"type {oid}", pa.string()))


def _text(data: bytes, offset: int, length: int) -> str:
    return str(data[offset : offset + length], "utf-8")


def _bytes_of_hex(data: bytes, offset: int, length: int) -> bytes:
    return bytes.fromhex(_text(data, offset, length))


def _months(data: bytes, offset: int, length: int) -> tuple[int, int, int]:
    return (struct.unpack_from("!i", data, offset)[0], 0, 0)


def _day_time(data: bytes, offset: int, length: int) -> tuple[int, int, int]:
    days, micros = divmod(struct.unpack_from("!q", data, offset)[0], _MICROS_A_DAY)
    return (0, days, micros * 1000)


# What the driver is told: the format to ask for and the function that reads a value.
WIRE: dict[int, tuple[int, Callable[[bytes, int, int], Any]]] = {
    **dict.fromkeys((114, 1082, 1083, 1266, 1114, 1184, 1186, NUMERIC, 3000, 3001, 3802, 4000), (_TEXT, _text)),
    6551: (_TEXT, _bytes_of_hex),
    1188: (_BINARY, _months),
    1190: (_BINARY, _day_time),
}
