"""MySQL and MariaDB types as data: what carries each of them, and what each carried type becomes there.

Facts are those of the manuals' type chapters; the numbers of field types are the protocol's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal, is_json, is_uuid


@dataclass(frozen=True)
class NativeType:
    """A column's type as the server tells it.

    Args:
        base: Name in lower case, without parameters: "decimal".
        text: The whole type, for messages: "decimal(10,2) unsigned".
        parameters: Numbers in the parentheses.
        is_unsigned: For numbers.
    """

    base: str
    text: str
    parameters: tuple[int, ...] = ()
    is_unsigned: bool = False


_DECLARATION = re.compile(r"(?is)^\s*(\w+(?: precision| varying)?)\s*(?:\((.*)\))?(.*)$")


def parse_type(text: str) -> NativeType:
    """A column type as `show columns` prints it.

    >>> parse_type("decimal(10,2) unsigned")
    NativeType(base='decimal', text='decimal(10,2) unsigned', parameters=(10, 2), is_unsigned=True)
    """
    found = _DECLARATION.match(text)
    if found is None:
        return NativeType(text.lower(), text)
    base, inner, rest = found.group(1).lower(), found.group(2) or "", found.group(3).lower()
    numbers = tuple(int(part) for part in inner.split(",")) if re.fullmatch(r"[\d, ]+", inner) else ()
    return NativeType(base, text, numbers, "unsigned" in rest)


# Reading. A pair is (signed, unsigned). What is not here (geometry apart) is carried as the text the server prints.
_SIGNED_OR_NOT: dict[str, tuple[pa.DataType, pa.DataType]] = {
    "tinyint": (pa.int8(), pa.uint8()),  # also tinyint(1): the value 2 exists
    "smallint": (pa.int16(), pa.uint16()),
    "mediumint": (pa.int32(), pa.uint32()),
    "int": (pa.int32(), pa.uint32()),
    "bigint": (pa.int64(), pa.uint64()),
}
_PLAIN: dict[str, pa.DataType] = {
    "float": pa.float32(),
    "double": pa.float64(),
    "year": pa.int16(),
    "date": pa.date32(),
    "datetime": MICROS,
    "timestamp": MICROS_UTC,
    "time": TIME,
    "json": JSON,
    "uuid": UUID,
}
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
# The bytes as the server stores them: four of the reference system, then well-known binary.
_GEOMETRY = frozenset(
    {
        *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
        *("geometrycollection", "geomcollection"),
    }
)

# Types of result fields: number, then the base name for a field that is not binary and for one that is.
FIELD_TYPES: dict[int, tuple[str, str]] = {
    **dict.fromkeys((0, 246), ("decimal", "decimal")),
    **{number: (name, name) for number, name in ((1, "tinyint"), (2, "smallint"), (3, "int"), (8, "bigint"))},
    **{number: (name, name) for number, name in ((9, "mediumint"), (4, "float"), (5, "double"), (13, "year"))},
    **{number: (name, name) for number, name in ((7, "timestamp"), (11, "time"), (12, "datetime"), (16, "bit"))},
    **dict.fromkeys((10, 14), ("date", "date")),
    6: ("varchar", "varchar"),  # the type of a bare NULL
    242: ("vector", "vector"),
    245: ("json", "json"),
    **dict.fromkeys((15, 247, 248, 253), ("varchar", "varbinary")),
    254: ("char", "binary"),
    **dict.fromkeys((249, 250, 251, 252), ("text", "blob")),
    255: ("geometry", "geometry"),
}


def carried(native: NativeType, *, time_as: str = "time") -> pa.DataType:
    """The Arrow type that carries a native one.

    Args:
        native: The native type.
        time_as: "text" carries TIME as text: values outside a day exist.

    >>> carried(parse_type("bigint(20) unsigned"))
    DataType(uint64)
    >>> carried(parse_type("enum('a','b')"))
    DataType(string)
    """
    base = native.base
    if base in _SIGNED_OR_NOT:
        return _SIGNED_OR_NOT[base][native.is_unsigned]
    if base == "decimal":
        precision, scale = (*native.parameters, *(10, 0)[len(native.parameters) :])
        return carried_decimal(precision, scale)
    if base in _BINARY or base in _GEOMETRY:
        return pa.binary()
    if base == "time" and time_as == "text":
        return pa.string()
    return _PLAIN.get(base, pa.string())


# Writing. Text columns get the table's collation, which is binary and does not ignore trailing spaces.
_NATIVE: dict[pa.DataType, str] = {
    pa.bool_(): "tinyint(1)",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.uint8(): "tinyint unsigned",
    pa.uint16(): "smallint unsigned",
    pa.uint32(): "int unsigned",
    pa.uint64(): "bigint unsigned",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "longtext",
    pa.binary(): "longblob",
    pa.date32(): "date",
}
_NATIVE_IF: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (is_uuid, "char(36)"),
    (pa.types.is_time, "time(6)"),
    (lambda type_: pa.types.is_timestamp(type_) and type_.tz is None, "datetime(6)"),
    (pa.types.is_timestamp, "timestamp(6)"),
    (pa.types.is_interval, "longtext"),  # ISO 8601: P1M2DT3.000004S
)
_MOST_DIGITS = 65
_MOST_DECIMALS = {True: 38, False: 30}


def is_nested(type_: pa.DataType) -> bool:
    """Whether values land as JSON text: lists, structs and maps."""
    return bool(pa.types.is_nested(type_))


def native_type(type_: pa.DataType, *, is_mariadb: bool) -> str | None:
    """The column type for a carried type, None when there is none.

    MariaDB's JSON is text with a check, MySQL's is a store of its own that changes numbers and the order of keys:
    there JSON lands as text, which MySQL's JSON functions read as well.

    Args:
        type_: The carried type.
        is_mariadb: Whether the server is MariaDB.

    >>> native_type(pa.decimal128(12, 2), is_mariadb=True)
    'decimal(12,2)'
    """
    if is_json(type_) or is_nested(type_):
        return "json" if is_mariadb else "longtext"
    if pa.types.is_decimal(type_):
        fits = type_.precision <= _MOST_DIGITS and 0 <= type_.scale <= _MOST_DECIMALS[is_mariadb]
        return f"decimal({type_.precision},{type_.scale})" if fits else None
    if type_ in _NATIVE:
        return _NATIVE[type_]
    return next((name for is_that, name in _NATIVE_IF if is_that(type_)), None)
