"""Columns of DB-API cursors: PEP 249 names kinds, not types; what drivers say beyond that stands here as data."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import ModuleType
from typing import Any

import pyarrow as pa

from dvt.types.generic import Reading, declared_type
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal

# Object ids of PostgreSQL's types. Intervals lose their months, and JSON its digits, in the drivers' Python values.
_POSTGRES: Mapping[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    **dict.fromkeys((19, 25, 1042, 1043), pa.string()),
    1082: pa.date32(),
    1083: TIME,
    1114: MICROS,
    1184: MICROS_UTC,
    2950: UUID,
}
_POSTGRES_NUMERIC = 1700
# Field types of MySQL's protocol. Large unsigned numbers, zero dates and bytes among texts are refused by value.
_MYSQL: Mapping[int, pa.DataType] = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), pa.int64()),
    4: pa.float32(),
    5: pa.float64(),
    **dict.fromkeys((10, 14), pa.date32()),
    **dict.fromkeys((7, 12), MICROS),
    **dict.fromkeys((247, 248, 249, 250, 251, 252, 253, 254), pa.string()),
    245: JSON,
}
_MYSQL_DECIMALS = frozenset({0, 246})
_PYTHON: Mapping[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    **dict.fromkeys((bytes, bytearray), pa.binary()),
    dt.date: pa.date32(),
    dt.time: TIME,
    dt.datetime: MICROS,
    uuid.UUID: UUID,
}
_POSTGRES_DRIVERS = frozenset({"psycopg", "psycopg2", "pg8000"})
_MYSQL_DRIVERS = frozenset({"pymysql", "MySQLdb", "mysql", "mariadb"})
NO_TYPE = "the driver does not say of which type the column is"


def dbapi_reading(module: ModuleType, entry: Sequence[Any], declared: Mapping[str, str]) -> Reading:
    """How a column of a cursor is read.

    Args:
        module: The driver.
        entry: The column's entry in the cursor's description.
        declared: Types that the project declares; they count, because each value is checked.
    """
    name = str(entry[0])
    known = described_type(module, entry)
    wanted = declared_type(declared, name, is_needed=known is None, takes_bytes=True)
    native = getattr(entry[1], "__name__", None) or ("" if entry[1] is None else str(entry[1]))
    type_ = wanted or known
    if type_ is None:
        return Reading(name, pa.string(), native, refused=NO_TYPE)
    return Reading(name, type_, native)


def described_type(module: ModuleType, entry: Sequence[Any]) -> pa.DataType | None:
    """The type that a description's entry names; None where it names none."""
    code = entry[1]
    precision, scale = (*entry[4:6], None, None)[:2]
    root = module.__name__.partition(".")[0]
    if isinstance(code, type):
        return _decimal(precision, scale) if code is Decimal else _PYTHON.get(code)
    if isinstance(code, int) and root in _POSTGRES_DRIVERS:
        return _decimal(precision, scale) if code == _POSTGRES_NUMERIC else _POSTGRES.get(code)
    if isinstance(code, int) and root in _MYSQL_DRIVERS:
        # The length counts sign and point too: a wider decimal holds all that a narrower one does.
        return _decimal(min(precision or 38, 38), scale or 0) if code in _MYSQL_DECIMALS else _MYSQL.get(code)
    return _by_kind(module, code, precision, scale)


def _by_kind(module: ModuleType, code: Any, precision: Any, scale: Any) -> pa.DataType | None:
    def is_of(kind: str) -> bool:
        own = getattr(module, kind, None)
        return code is not None and own is not None and bool(own == code)

    if is_of("BINARY"):
        return pa.binary()
    if is_of("STRING"):
        return pa.string()
    # DATETIME may be a date, a time or a moment, and NUMBER anything without its digits.
    return _decimal(precision, scale) if is_of("NUMBER") else None


def _decimal(precision: Any, scale: Any) -> pa.DataType | None:
    if not isinstance(precision, int) or not isinstance(scale, int) or not 0 < precision <= 1000:
        return None
    return carried_decimal(precision, scale)
