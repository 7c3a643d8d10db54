"""Columns over JDBC: numbers come as numbers, bytes as bytes, all else as its text, by `java.sql.Types`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.generic import Convert, Reading, declared_type, json_array, text_reader
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal

# How the driver is asked: ResultSet.getLong, getDouble, getFloat, getBoolean, getString or getBytes.
LONG, DOUBLE, FLOAT, BOOLEAN, TEXT, BYTES = "long", "double", "float", "boolean", "text", "bytes"

# Numbers are those of java.sql.Types.
_BIT, _BOOLEAN, _BIGINT, _DECIMALS = -7, 16, -5, (2, 3)
_INTEGERS: Mapping[int, tuple[pa.DataType, pa.DataType]] = {  # signed and unsigned
    -6: (pa.int16(), pa.uint8()),  # drivers differ on whether TINYINT has a sign
    5: (pa.int16(), pa.uint16()),
    4: (pa.int32(), pa.uint32()),
    _BIGINT: (pa.int64(), pa.uint64()),
}
_TEXTS = frozenset({1, 12, -1, -15, -9, -16, 2005, 2011, 2009, -8, 70})
_BYTES = frozenset({-2, -3, -4, 2004})
MOMENTS: Mapping[int, pa.DataType] = {91: pa.date32(), 92: TIME, 93: MICROS, 2014: MICROS_UTC, 2013: pa.string()}
# Values of these are objects of the driver, whose text is its own affair.
_OBJECTS: Mapping[int, str] = {2000: "a Java object", 2002: "a structure", 2003: "an array", 2006: "a reference"}
# What types are called decides before their number: PostgreSQL's driver announces money as a double, MariaDB's
# tinyint(1) as a bit.
_NAMED: Mapping[str, tuple[str, pa.DataType]] = {
    "uuid": (TEXT, UUID),
    "json": (TEXT, JSON),
    "jsonb": (TEXT, JSON),
    "money": (TEXT, pa.string()),
    "decfloat": (TEXT, pa.string()),  # announced as a decimal without places
    "tinyint": (LONG, pa.int16()),
    "timestamptz": (TEXT, MICROS_UTC),
    "timetz": (TEXT, pa.string()),
}


@dataclass(frozen=True)
class JdbcColumn:
    """A column as ResultSetMetaData has it.

    Args:
        name: Its label.
        type: A number of java.sql.Types.
        type_name: The database's name of the type.
        precision: Digits of a number.
        scale: Digits behind the point.
        is_signed: Whether there are negative numbers.
    """

    name: str
    type: int
    type_name: str
    precision: int
    scale: int
    is_signed: bool = True


@dataclass(frozen=True)
class JdbcReading:
    """How a JDBC column is read.

    Args:
        reading: From what was fetched to the column's type.
        fetch: How the driver is asked for values.
    """

    reading: Reading
    fetch: str


def jdbc_reading(column: JdbcColumn, declared: Mapping[str, str], has_calendar: bool = True) -> JdbcReading:
    """How a column is read.

    Args:
        column: The column.
        declared: Types that the project declares; they count where values come as text, and for what has no type.
        has_calendar: Whether dates are known not to go through Java's old calendar on their way.
    """
    fetch, type_, refused = _kind(column)
    wanted = declared_type(declared, column.name, is_needed=bool(refused))
    if wanted is not None and wanted != type_ and (fetch == TEXT or refused):
        fetch, type_, refused = TEXT, wanted, ""
    convert = _convert(fetch, type_)
    if not has_calendar and (pa.types.is_date(type_) or pa.types.is_timestamp(type_)):
        convert = _without_lost_days(convert)
    return JdbcReading(Reading(column.name, type_, column.type_name, convert, refused), fetch)


def _kind(column: JdbcColumn) -> tuple[str, pa.DataType, str]:
    named = _NAMED.get(column.type_name.lower())
    if named is not None and (column.is_signed or named[0] != LONG):
        return (*named, "")
    if column.type in _INTEGERS:
        type_ = _INTEGERS[column.type][0 if column.is_signed else 1]
        return TEXT if type_ == pa.uint64() else LONG, type_, ""  # 2^64-1 is no long
    if column.type in _DECIMALS:
        return TEXT, _decimal(column), ""
    if column.type in (_BIT, _BOOLEAN):
        is_flag = column.type == _BOOLEAN or column.type_name.lower().startswith("bool")
        return (BOOLEAN, pa.bool_(), "") if is_flag else (TEXT, pa.string(), "")
    if column.type in (6, 8):
        return DOUBLE, pa.float64(), ""
    if column.type == 7:
        return FLOAT, pa.float32(), ""
    if column.type in MOMENTS:
        is_instant = column.type == 93 and "WITH TIME ZONE" in column.type_name.upper()
        return TEXT, MICROS_UTC if is_instant else MOMENTS[column.type], ""
    if column.type in _BYTES:
        return BYTES, pa.binary(), ""
    if column.type in _OBJECTS:
        return TEXT, pa.string(), f"{column.type_name} is {_OBJECTS[column.type]}, of which no type carries the values"
    return TEXT, pa.string(), ""


def _decimal(column: JdbcColumn) -> pa.DataType:
    # Without a precision drivers say 0, or a scale that cannot be: its digits stay text.
    if column.precision <= 0 or not -84 < column.scale <= 1000:
        return pa.string()
    return carried_decimal(column.precision, column.scale)


def _convert(fetch: str, type_: pa.DataType) -> Convert:
    if fetch == TEXT and type_ == JSON:
        return json_array
    if fetch == TEXT and not pa.types.is_string(type_):
        return text_reader(type_)
    return lambda array: array.cast(type_) if array.type != type_ else array


def _without_lost_days(convert: Convert) -> Convert:
    """Java's old calendar goes from 1582-10-04 to 15 and moves the days between by ten: two days have one text."""

    def checked(texts: pa.Array) -> pa.Array:
        if pc.any(pc.match_substring_regex(texts, "^1582-10-(1[5-9]|2[0-4])")).as_py():
            raise ValueError("it may be one of the ten days that Java's calendar leaves out in 1582")
        return convert(texts)

    return checked


__all__ = [
    *("BOOLEAN", "BYTES", "DOUBLE", "FLOAT", "LONG", "MOMENTS", "TEXT"),
    "JdbcColumn",
    "JdbcReading",
    "jdbc_reading",
]
