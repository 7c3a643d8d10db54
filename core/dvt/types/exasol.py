"""Exasol's types as data: what carries each of them, from the `dataType` of its WebSocket protocol, and their texts.

Facts are those of Exasol's reference of types. It has no empty texts (they are NULL), and no NaN or infinity.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.decimal_text import decimals_from_text
from dvt.types.text_values import parser
from dvt.types.vocabulary import INTERVAL, MICROS, MICROS_UTC, carried_decimal

_PLAIN: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": MICROS,
    "TIMESTAMP WITH LOCAL TIME ZONE": MICROS_UTC,
    "INTERVAL YEAR TO MONTH": INTERVAL,
    "INTERVAL DAY TO SECOND": INTERVAL,
    # Their text is all that there is of them: a hash in hexadecimal digits, a geometry as well-known text.
    **dict.fromkeys(("VARCHAR", "CHAR", "HASHTYPE", "GEOMETRY"), pa.string()),
}
_BOOLEANS = {"TRUE": True, "T": True, "1": True, "FALSE": False, "F": False, "0": False}
_MONTHS = re.compile(r"^([+-]?)(\d+)-(\d+)$")
_DAYS = re.compile(r"^([+-]?)(\d+) (\d+):(\d\d):(\d\d)(?:\.(\d{1,9}))?$")
_BYTES_OF_A_CHARACTER = 4


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        base: The type's name without its numbers.
        native: With them, as DDL writes it.
        type: The Arrow type that carries the values; None where nothing does.
        longest_bytes: No text of a value is longer.
    """

    base: str
    native: str
    type: pa.DataType | None
    longest_bytes: int = 64


def reading(announced: Mapping[str, Any]) -> Reading:
    """How a type is read.

    Args:
        announced: The `dataType` of a column.

    >>> reading({"type": "DECIMAL", "precision": 18, "scale": 2})
    Reading(base='DECIMAL', native='DECIMAL(18,2)', type=Decimal128Type(decimal128(18, 2)), longest_bytes=64)
    """
    base = str(announced["type"]).upper()
    if base == "TIMESTAMP" and announced.get("withLocalTimeZone"):
        base = "TIMESTAMP WITH LOCAL TIME ZONE"
    if base == "DECIMAL":
        precision, scale = int(announced.get("precision", 18)), int(announced.get("scale", 0))
        return Reading(base, f"DECIMAL({precision},{scale})", carried_decimal(precision, scale))
    size = announced.get("size")
    if base in ("VARCHAR", "CHAR") and size is not None:
        longest = int(size) * _BYTES_OF_A_CHARACTER
        return Reading(base, f"{base}({size})", _PLAIN[base], longest)
    longest = 1 << 20 if base == "GEOMETRY" else 1024
    return Reading(base, base, _PLAIN.get(base), longest)


def column(texts: pa.Array, how: Reading) -> pa.Array:
    """The carried values of the texts of a column.

    Raises:
        ValueError: A text is not exactly of the type.

    >>> column(pa.array(["+01 02:03:04.5", None]), reading({"type": "INTERVAL DAY TO SECOND"})).to_pylist()
    [MonthDayNano(months=0, days=1, nanoseconds=7384500000000), None]
    """
    if how.base == "DECIMAL":
        return decimals_from_text(texts, how.type)
    read = _READERS.get(how.base)
    return texts if read is None else read(texts)


def _padded(texts: pa.Array) -> pa.Array:
    """CHAR(n) without its padding, as other engines' own casts to text give it."""
    return pc.utf8_rtrim(texts, characters=" ")


def _booleans(texts: pa.Array) -> pa.Array:
    values = texts.to_pylist()
    found = [None if value is None else _BOOLEANS.get(value.upper()) for value in values]
    if any(value is not None and mine is None for value, mine in zip(values, found, strict=True)):
        raise ValueError("it is no boolean")
    return pa.array(found, pa.bool_())


def _doubles(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.float64())


def _moments(texts: pa.Array) -> pa.Array:
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})0+$", r"\1")
    if pc.any(pc.match_substring_regex(texts, r"\.\d{7}")).as_py():
        raise ValueError("it has more digits than microseconds")
    return parser(MICROS)(texts)


def _months(text: str) -> tuple[int, int, int]:
    found = _MONTHS.match(text)
    if found is None:
        raise ValueError("it is not an interval of months")
    count = int(found.group(2)) * 12 + int(found.group(3))
    return (-count if found.group(1) == "-" else count, 0, 0)


def _duration(text: str) -> tuple[int, int, int]:
    found = _DAYS.match(text)
    if found is None:
        raise ValueError("it is not an interval of days and seconds")
    days, hours, minutes, seconds = (int(part) for part in found.groups()[1:5])
    nanos = ((hours * 60 + minutes) * 60 + seconds) * 10**9 + int((found.group(6) or "0").ljust(9, "0"))
    return (0, -days, -nanos) if found.group(1) == "-" else (0, days, nanos)


def _intervals(read: Callable[[str], tuple[int, int, int]]) -> Callable[[pa.Array], pa.Array]:
    return lambda texts: pa.array([None if t is None else read(t) for t in texts.to_pylist()], INTERVAL)


_READERS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "BOOLEAN": _booleans,
    "DOUBLE": _doubles,
    "CHAR": _padded,
    "DATE": parser(pa.date32()),
    "TIMESTAMP": _moments,
    # The session is in UTC.
    "TIMESTAMP WITH LOCAL TIME ZONE": lambda texts: _moments(texts).view(MICROS_UTC),
    "INTERVAL YEAR TO MONTH": _intervals(_months),
    "INTERVAL DAY TO SECOND": _intervals(_duration),
}
