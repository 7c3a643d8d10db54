"""Teradata's types as data: what carries each of them, and what the driver's value becomes.

Facts are those of the driver's own table of data types (with `teradata_values` on) and of its section on character
export widths: CHAR comes with blanks at its end, more of them than the column is wide.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dvt.types.row_reading import RowReading
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, carried_decimal

_MOST_DIGITS = 38


def _digits(value: Any) -> str:
    if not isinstance(value, (Decimal, int)):
        raise ValueError(f"it is a {type(value).__name__}")
    return format(Decimal(value), "f")


def _iso(value: Any) -> str:
    if not isinstance(value, dt.time):
        raise ValueError(f"it is a {type(value).__name__}")
    return value.isoformat()


_TEXT = RowReading(pa.string())
_BINARY = RowReading(pa.binary())
# By the driver's name of the type, without what stands in parentheses.
_PLAIN: dict[str, RowReading] = {
    "BYTEINT": RowReading(pa.int8()),
    "SMALLINT": RowReading(pa.int16()),
    "INTEGER": RowReading(pa.int32()),
    "BIGINT": RowReading(pa.int64()),
    "FLOAT": RowReading(pa.float64()),
    # Without precision its digits float: each value has a scale of its own.
    "NUMBER": RowReading(pa.string(), prepare=_digits),
    "CHAR": RowReading(pa.string(), is_padded=True),
    "VARCHAR": _TEXT,
    "LONG VARCHAR": _TEXT,
    "CLOB": _TEXT,
    "XML": _TEXT,
    "JSON": _TEXT,
    "BYTE": _BINARY,
    "VARBYTE": _BINARY,
    "BLOB": _BINARY,
    "DATE": RowReading(pa.date32()),
    "TIME": RowReading(TIME),
    "TIME WITH TIME ZONE": RowReading(pa.string(), prepare=_iso),
    "TIMESTAMP": RowReading(MICROS),
    "TIMESTAMP WITH TIME ZONE": RowReading(MICROS_UTC),
}
# What FastExport does not export; the vendor names the first two, and says that there are others.
LARGE_TYPES = frozenset({"BLOB", "CLOB", "XML", "JSON"})
_ARGUMENTS = re.compile(r"\([^)]*\)")


def base_type(native: str) -> str:
    """The name of a type without what stands in parentheses.

    >>> base_type("TIMESTAMP(6) WITH TIME ZONE"), base_type("PERIOD(DATE)")
    ('TIMESTAMP WITH TIME ZONE', 'PERIOD')
    """
    return " ".join(_ARGUMENTS.sub(" ", native).upper().split())


def native_type(name: str, precision: int | None, scale: int | None) -> str:
    """A column's type, with the digits of a decimal, of which the driver's name says nothing.

    >>> native_type("DECIMAL", 12, 2), native_type("NUMBER", None, None), native_type("VARCHAR", None, None)
    ('DECIMAL(12,2)', 'NUMBER', 'VARCHAR')
    """
    is_number = name in ("DECIMAL", "NUMBER") and precision is not None and scale is not None
    if is_number and 0 < int(precision or 0) <= _MOST_DIGITS and int(scale or 0) <= int(precision or 0):
        return f"{name}({precision},{scale})"
    return name


def reading(native: str) -> RowReading:
    """How a type is read.

    >>> reading("DECIMAL(12,2)").type, reading("PERIOD(DATE)").type
    (Decimal128Type(decimal128(12, 2)), DataType(string))
    """
    base = base_type(native)
    if base == "DECIMAL" or (base == "NUMBER" and "(" in native):
        numbers = re.findall(r"-?\d+", native) or [str(_MOST_DIGITS), "0"]
        return RowReading(carried_decimal(int(numbers[0]), int(numbers[1])))
    if base.startswith(("INTERVAL", "PERIOD")):
        return _TEXT  # the driver gives their text
    refusal = f"nothing carries {native}: cast it in a view or a query, for example to VARCHAR"
    return _PLAIN.get(base, RowReading(pa.string(), refused=refusal))
