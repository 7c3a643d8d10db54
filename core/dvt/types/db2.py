"""Db2's types as data: what carries each of them, and how a column is asked for.

Facts are those of the SQL reference and of ibm_db's sources: there a time's hour is taken modulo 24 (24:00:00 becomes
midnight of the same day), a fraction of a second is cut to microseconds, and decimals come as their digits. Times and
timestamps are asked for as text therefore.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import pyarrow as pa

from dvt.types.row_reading import RowReading
from dvt.types.vocabulary import MICROS, TIME, carried_decimal

# CHAR(..., JIS) is hh:mm:ss whatever the database's own format is.
_TIME_SENT = "CHAR({c}, JIS)"
_TIMESTAMP_SENT = "VARCHAR_FORMAT({c}, 'YYYY-MM-DD HH24:MI:SS.FF%d')"
_MICROSECOND_DIGITS = 6
_ZERO_OR_ONE = {0: False, 1: True}
_TEXT = RowReading(pa.string())
_PADDED = RowReading(pa.string(), is_padded=True)
_BINARY = RowReading(pa.binary())


def _truth(value: object) -> bool:
    if not isinstance(value, int) or value not in _ZERO_OR_ONE:
        raise ValueError("it is neither true nor false")
    return _ZERO_OR_ONE[value]


# By SYSCAT.COLUMNS.TYPENAME.
_PLAIN: dict[str, RowReading] = {
    "SMALLINT": RowReading(pa.int16()),
    "INTEGER": RowReading(pa.int32()),
    "BIGINT": RowReading(pa.int64()),
    "REAL": RowReading(pa.float32()),
    "DOUBLE": RowReading(pa.float64()),
    # Up to 34 digits, exponents in the thousands, NaN and infinities: only text holds all of them.
    "DECFLOAT": RowReading(pa.string(), "CAST({c} AS VARCHAR(42))"),
    "BOOLEAN": RowReading(pa.bool_(), prepare=_truth),
    "CHARACTER": _PADDED,
    "GRAPHIC": _PADDED,
    "VARCHAR": _TEXT,
    "VARGRAPHIC": _TEXT,
    "CLOB": _TEXT,
    "DBCLOB": _TEXT,
    "LONG VARCHAR": RowReading(pa.string(), "CAST({c} AS CLOB(32700))"),
    "LONG VARGRAPHIC": RowReading(pa.string(), "CAST({c} AS DBCLOB(16350))"),
    "BINARY": _BINARY,
    "VARBINARY": _BINARY,
    "BLOB": _BINARY,
    "DATE": RowReading(pa.date32()),
    "XML": RowReading(pa.string(), "XMLSERIALIZE({c} AS CLOB(2147483647) EXCLUDING XMLDECLARATION)"),
    "ROWID": RowReading(pa.string(), "HEX({c})"),
}
_BIT_DATA = {
    "CHARACTER": _BINARY,
    "VARCHAR": _BINARY,
    "LONG VARCHAR": RowReading(pa.binary(), "CAST({c} AS BLOB(32700))"),
}
# What a cursor says of a column: one of the names of a type object of ibm_db_dbi, of which several types share one.
_OF_CURSOR = {
    "CHAR": "VARCHAR",
    "CLOB": "CLOB",
    "BLOB": "BLOB",
    "XML": "XML",
    "INTEGER": "INTEGER",
    "BIGINT": "BIGINT",
    "REAL": "DOUBLE",
    "DECIMAL": "DECIMAL",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMP",
    "BOOLEAN": "BOOLEAN",
}
_NATIVE = re.compile(r"([^(]+?)(?:\((\d+)(?:, *(\d+))?\))?( FOR BIT DATA)?")


def native_type(name: str, length: int, scale: int, codepage: int) -> str:
    """A type as CREATE TABLE names it, from a row of SYSCAT.COLUMNS.

    >>> native_type("CHARACTER", 3, 0, 0), native_type("DECIMAL", 12, 2, 0), native_type("TIMESTAMP", 13, 12, 0)
    ('CHARACTER(3) FOR BIT DATA', 'DECIMAL(12,2)', 'TIMESTAMP(12)')
    """
    if name in ("CHARACTER", "VARCHAR", "LONG VARCHAR"):
        return f"{name}({length})" + ("" if codepage else " FOR BIT DATA")
    if name == "DECIMAL":
        return f"{name}({length},{scale})"
    if name == "TIMESTAMP":
        return f"{name}({scale})"
    return f"{name}({length})" if name in ("GRAPHIC", "VARGRAPHIC", "BINARY", "VARBINARY") else name


def cursor_type(names: Collection[str], precision: int | None, scale: int | None) -> str:
    """A type as far as a cursor tells it; a value of another type that shares its name is refused when it comes.

    Args:
        names: Those of the DB-API type object.
        precision: Digits of a decimal.
        scale: Digits of a fraction, of a timestamp's too.

    >>> cursor_type(("DEC", "DECIMAL", "NUM", "NUMERIC"), 12, 2), cursor_type((), None, None)
    ('DECIMAL(12,2)', 'VARCHAR')
    """
    base = next((base for name, base in _OF_CURSOR.items() if name in set(names)), "VARCHAR")
    if base == "DECIMAL":
        return f"{base}({precision or 31},{scale or 0})"
    return f"{base}({scale or 0})" if base == "TIMESTAMP" else base


def reading(native: str, *, time_as: str = "time") -> RowReading:
    """How a type is read.

    Args:
        native: The type.
        time_as: "text" carries times as text: 24:00:00 exists.

    >>> reading("TIMESTAMP(12)")
    RowReading(type=DataType(string), sent="VARCHAR_FORMAT({c}, 'YYYY-MM-DD HH24:MI:SS.FF12')", prepare=None, \
is_padded=False, refused='')
    """
    found = _NATIVE.fullmatch(native)
    base, first, second, bits = found.groups() if found else (native, None, None, None)
    if bits:
        return _BIT_DATA[base]
    if base == "DECIMAL":
        return RowReading(carried_decimal(int(first or 5), int(second or 0)))
    if base == "TIMESTAMP":
        digits = int(first or _MICROSECOND_DIGITS)
        if digits <= _MICROSECOND_DIGITS:
            return RowReading(MICROS, _TIMESTAMP_SENT % _MICROSECOND_DIGITS)
        return RowReading(pa.string(), _TIMESTAMP_SENT % digits)
    if base == "TIME":
        return RowReading(pa.string() if time_as == "text" else TIME, _TIME_SENT)
    refusal = f"nothing carries {native}: cast it in a view or a query, for example to VARCHAR"
    return _PLAIN.get(base, RowReading(pa.string(), refused=refusal))
