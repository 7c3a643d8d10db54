"""The Trino types under which Arrow types land, and their values as the literals of an INSERT.

What a connector holds differs: Trino's reference of each connector says it. Documents are text, letter for letter:
Trino's own JSON sorts keys and rounds numbers. Intervals are no column's type anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.identifiers import quote
from dvt.types.fitted import Shape, fitted, shape
from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, is_json

NULL = "null"
_DIALECT = "trino"
# Digits of a second of `timestamp` and `time` without any.
_DIGITS = 3
_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "decimal(20, 0)",
    pa.float32(): "real",
    pa.float64(): "double",
    pa.string(): "varchar",
    pa.binary(): "varbinary",
    pa.date32(): "date",
    TIME: "time(6)",
    MICROS: "timestamp(6)",
    MICROS_UTC: "timestamp(6) with time zone",
    pa.timestamp("ns"): "timestamp(9)",
    UUID: "uuid",
    JSON: "varchar",
}
# What is another one there; None where there is none.
_CONNECTORS: Mapping[str, Mapping[str, str | None]] = {
    "iceberg": {"tinyint": "integer", "smallint": "integer", "timestamp(9)": None},
    "delta_lake": {"time(6)": "varchar", "uuid": "varchar", "timestamp(9)": None},
    "hive": {"time(6)": "varchar", "uuid": "varchar", "timestamp(6) with time zone": None},
}
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def trino_type(type_: pa.DataType, connector: str = "") -> str | None:
    """The type of a column, None where there is none.

    >>> trino_type(pa.int8()), trino_type(pa.int8(), "iceberg"), trino_type(pa.list_(pa.decimal128(9, 2)))
    ('tinyint', 'integer', 'array(decimal(9, 2))')
    """
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    if pa.types.is_nested(type_):
        return _nested_type(type_, connector)
    native = _PLAIN.get(type_)
    return native and _CONNECTORS.get(connector, {}).get(native, native)


def _nested_type(type_: pa.DataType, connector: str) -> str | None:
    parts = [type_.field(place) for place in range(type_.num_fields)] if pa.types.is_struct(type_) else []
    if pa.types.is_map(type_):
        names = [trino_type(type_.key_type, connector), trino_type(type_.item_type, connector)]
    else:
        names = [trino_type(part.type, connector) for part in parts or [type_.value_field]]
    if any(name is None for name in names):
        return None
    if parts:
        shown = (f"{quote(part.name, _DIALECT)} {name}" for part, name in zip(parts, names, strict=True))
        return f"row({', '.join(shown)})"
    return f"{'map' if pa.types.is_map(type_) else 'array'}({', '.join(map(str, names))})"


def trino_shape(native: str) -> Shape | None:
    """What a native type holds; None for nested ones."""
    return shape(native, _DIALECT, digits=_DIGITS)


def is_declarable(native: str) -> bool:
    """Whether a type is one whose values can be told to be kept: JSON, for one, makes a text of every text."""
    return trino_shape(native) is not None or _bare(native).startswith(("array(", "map(", "row("))


def is_uncast(native: str) -> bool:
    """Whether a literal is of the type as it is written."""
    return native in ("varchar", "varbinary")


def trino_literals(array: pa.Array, native: str) -> pa.Array:
    """The values as literals, which a cast to the column's type reads; none of them is NULL for Arrow.

    Raises:
        ValueError: The column does not hold a value as it is.

    >>> trino_literals(pa.array(["it's", None]), "varchar").to_pylist()
    ["'it''s'", 'null']
    >>> trino_literals(pa.array([[1, None]]), "array(bigint)").to_pylist()
    ["array['1', null]"]
    """
    if pa.types.is_nested(array.type):
        return _nested(array, native)
    to = trino_shape(native)
    found = fitted(array, to) if to else array
    if pa.types.is_binary(found.type):
        texts = [NULL if value is None else f"x'{value.hex()}'" for value in found.to_pylist()]
        return pa.array(texts, pa.string())
    quoted = pc.replace_substring(trino_texts(found), "'", "''")
    return pc.binary_join_element_wise("'", quoted, "'", "").fill_null(NULL)


def trino_texts(array: pa.Array) -> pa.Array:
    """The texts of which Trino's casts make the values."""
    type_ = array.type
    if pa.types.is_timestamp(type_) and type_.unit == "ns" and not type_.tz:
        return array.cast(pa.string())  # its years are 1677 to 2262
    texts = plain_texts(array)
    if pa.types.is_timestamp(type_) and type_.tz:
        return pc.replace_substring(texts, "+00:00", " UTC")
    if pa.types.is_floating(type_):
        for arrow, own in _SPECIAL.items():
            texts = pc.if_else(pc.equal(texts, arrow), own, texts)
    return texts


def _nested(array: pa.Array, native: str) -> pa.Array:
    if native.lower().startswith(("varchar", "char")):
        return trino_literals(plain_texts(array), native)
    own = {_bare(trino_type(array.type, connector)) for connector in ("", *_CONNECTORS)}
    if _bare(native) not in own:
        raise ValueError(f"{array.type} lands as {trino_type(array.type)}, not as {native}")
    write = _writer(array.type)
    return pa.array([write(value) for value in array.to_pylist()], pa.string())


def _bare(native: str | None) -> str:
    """A type without what may be written in two ways."""
    return (native or "").lower().replace(" ", "").replace('"', "")


def _writer(type_: pa.DataType) -> Callable[[Any], str]:
    """What writes one value of a type, with all that is inside."""
    if pa.types.is_map(type_):
        key, item = _writer(type_.key_type), _writer(type_.item_type)
        return _unless_null(
            lambda pairs: (
                f"map(array[{', '.join(key(k) for k, _ in pairs)}], array[{', '.join(item(v) for _, v in pairs)}])"
            )
        )
    if pa.types.is_struct(type_):
        fields = [(field.name, _writer(field.type)) for field in type_]
        return _unless_null(lambda value: f"row({', '.join(write(value[name]) for name, write in fields)})")
    if pa.types.is_list(type_):
        own = _writer(type_.value_type)
        return _unless_null(lambda values: f"array[{', '.join(map(own, values))}]")
    return lambda value: str(_scalar(value, type_))


def _unless_null(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: NULL if value is None else write(value)


def _scalar(value: Any, type_: pa.DataType) -> str:
    array = pa.ExtensionArray.from_storage(type_, pa.array([value], type_.storage_type)) if is_json(type_) else None
    if array is None:
        array = pa.array([value], type_)
    return str(trino_literals(array, trino_type(type_) or "varchar")[0])
