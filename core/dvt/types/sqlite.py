"""SQLite's declared types and the Arrow types that carry them, in both directions.

SQLite checks nothing: a declared type is a name, of which SQLite itself only uses the affinity
(https://www.sqlite.org/datatype3.html). Reading takes the name at its word and checks every value against it.
"""

from __future__ import annotations

import re

import pyarrow as pa

from dvt.errors import DataError
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal, is_json, is_uuid

# Scale of a decimal that is declared without one; see plans/0002-types.md.
DEFAULT_DECIMAL = pa.decimal128(38, 9)

_NAMED: dict[str, pa.DataType] = {
    "BOOL": pa.bool_(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "DATETIME": MICROS,
    "TIMESTAMP": MICROS,
    "TIMESTAMP WITHOUT TIME ZONE": MICROS,
    "TIMESTAMPTZ": MICROS_UTC,
    "TIMESTAMP WITH TIME ZONE": MICROS_UTC,
    "TIME": TIME,
    "UUID": UUID,
    "JSON": JSON,
    "JSONTEXT": JSON,
    "INTERVAL": pa.string(),
}
_DECIMALS = ("DECIMAL", "NUMERIC", "DEC", "NUMBER")
_DECLARED = re.compile(r"\s*([^()]*?)\s*(?:\(\s*([+-]?\d+)\s*(?:,\s*([+-]?\d+)\s*)?\))?\s*", re.DOTALL)


def affinity(declared: str) -> str:
    """The affinity that SQLite gives a declared type, by its five rules in their order.

    >>> [affinity(t) for t in ("BIGINT", "VARCHAR(9)", "", "DOUBLE", "DATE")]
    ['INTEGER', 'TEXT', 'BLOB', 'REAL', 'NUMERIC']
    """
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not name.strip() or "BLOB" in name:
        return "BLOB"
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def arrow_type(declared: str) -> pa.DataType | None:
    """The Arrow type that carries a declared type; None when the name says nothing about the values.

    >>> arrow_type("decimal(10, 2)"), arrow_type("ANY")
    (Decimal128Type(decimal128(10, 2)), None)
    """
    match = _DECLARED.fullmatch(declared)
    name, precision, scale = match.groups() if match else (declared, None, None)
    base = " ".join(name.upper().split())
    if base in _NAMED:
        return _NAMED[base]
    if base in _DECIMALS:
        return carried_decimal(int(precision), int(scale or 0)) if precision else DEFAULT_DECIMAL
    by_affinity = {"INTEGER": pa.int64(), "TEXT": pa.string(), "REAL": pa.float64()}
    if "BLOB" in base:
        return pa.binary()
    return by_affinity.get(affinity(base))


def declared_type(type_: pa.DataType, column: str) -> str:
    """The declared type under which an Arrow type lands.

    JSON lands as JSONTEXT: SQLite would store the JSON text `1.0` in a column of type JSON as the number 1.

    Raises:
        DataError: SQLite has no place for it.
    """
    if is_uuid(type_):
        return "UUID"
    if is_json(type_) or pa.types.is_nested(type_):
        return "JSONTEXT"
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMPTZ" if type_.tz else "TIMESTAMP"
    if type_ == pa.month_day_nano_interval():
        return "TEXT"
    for is_such, name in _LANDING:
        if is_such(type_):
            return name
    raise DataError(f"SQLite has no type for {type_}", column=column, phase="load", remedy="Cast it in the model")


_LANDING = (
    (pa.types.is_boolean, "BOOLEAN"),
    (lambda t: t in (pa.int8(), pa.int16(), pa.uint8()), "SMALLINT"),
    (lambda t: t in (pa.int32(), pa.uint16()), "INTEGER"),
    (pa.types.is_integer, "BIGINT"),
    (pa.types.is_float32, "FLOAT"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_string, "TEXT"),
    (pa.types.is_binary, "BLOB"),
    (pa.types.is_date32, "DATE"),
    (pa.types.is_time64, "TIME"),
)
