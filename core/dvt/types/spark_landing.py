"""The types of Spark and Hive under which Arrow types land, and their values as Arrow that Spark takes.

Neither has unsigned numbers, UUIDs or documents, and times only in Spark's newest releases, which no client writes:
wider numbers and exact texts hold them. A timestamp of Spark is an instant, and its timestamp_ntz has no zone; Hive's
timestamp has none.
"""

from __future__ import annotations

import pyarrow as pa

from dvt.identifiers import quote
from dvt.types.fitted import Shape, fitted, shape
from dvt.types.landing_texts import plain_texts
from dvt.types.text_values import check_range
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID

_DIGITS = 6
# What carries a column's values to Spark, where it is another type, and the native one.
_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0)}
_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "binary",
    pa.date32(): "date",
    MICROS: "timestamp_ntz",
    MICROS_UTC: "timestamp",
    **dict.fromkeys((TIME, UUID, JSON), "string"),
}
_HIVE = {MICROS: "timestamp", MICROS_UTC: None}


def spark_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> spark_type(pa.uint8()), spark_type(pa.list_(pa.decimal128(9, 2))), spark_type(pa.timestamp("ns"))
    ('smallint', 'array<decimal(9, 2)>', None)
    """
    if pa.types.is_nested(type_):
        return _nested_type(type_)
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    return spark_type(_WIDER[type_]) if type_ in _WIDER else _PLAIN.get(type_)


def hive_type(type_: pa.DataType) -> str | None:
    """The same for Hive, where what is nested is JSON text: no literal of it can be written for an INSERT.

    >>> hive_type(pa.timestamp("us")), hive_type(pa.timestamp("us", "UTC")), hive_type(pa.list_(pa.int8()))
    ('timestamp', None, 'string')
    """
    if pa.types.is_nested(type_):
        return "string"
    return _HIVE[type_] if type_ in _HIVE else spark_type(type_)


def _nested_type(type_: pa.DataType) -> str | None:
    if pa.types.is_struct(type_):
        parts = [(field.name, spark_type(field.type)) for field in type_]
    elif pa.types.is_map(type_):
        parts = [("", spark_type(type_.key_type)), ("", spark_type(type_.item_type))]
    else:
        parts = [("", spark_type(type_.value_type))]
    inner = [_as_sent(part) for part in _parts(type_)]
    if any(native is None for _, native in parts) or any(sent is None for sent in inner):
        return None
    head = "struct" if pa.types.is_struct(type_) else "map" if pa.types.is_map(type_) else "array"
    shown = (f"{quote(name, 'spark')}: {native}" if name else str(native) for name, native in parts)
    return f"{head}<{', '.join(shown)}>"


def _parts(type_: pa.DataType) -> list[pa.DataType]:
    if pa.types.is_map(type_):
        return [type_.key_type, type_.item_type]
    return [type_.field(place).type for place in range(type_.num_fields)]


def spark_shape(native: str, dialect: str = "spark") -> Shape | None:
    """What a native type holds; None for nested ones. Hive's timestamp has no zone."""
    found = shape(native, dialect, digits=_DIGITS)
    is_moment = dialect == "hive" and found is not None and native.strip().lower() == "timestamp"
    return Shape(MICROS, _DIGITS) if is_moment else found


def spark_values(array: pa.Array, native: str) -> pa.Array:
    """The values as Arrow that a column of the native type takes.

    Raises:
        ValueError: The column does not hold a value as it is.

    >>> spark_values(pa.array([2**64 - 1], pa.uint64()), "decimal(20, 0)").type
    Decimal128Type(decimal128(20, 0))
    """
    to = spark_shape(native)
    if to is None:
        if _bare(native) != _bare(spark_type(array.type) or ""):
            raise ValueError(f"{array.type} lands as {spark_type(array.type)}, not as {native}")
        sent = _as_sent(array.type)
        found = array if sent == array.type else array.cast(sent)
    else:
        found = plain_texts(array) if array.type in (TIME, UUID, JSON) else array
        found = fitted(found, to)
    _require_range(found)
    return found


def _bare(native: str) -> str:
    return native.lower().replace(" ", "").replace("`", "")


def _as_sent(type_: pa.DataType) -> pa.DataType | None:
    """The type that carries values inside of others; None where there is none."""
    if pa.types.is_list(type_):
        inner = _as_sent(type_.value_type)
        return inner and pa.list_(inner)
    if pa.types.is_map(type_):
        parts = _as_sent(type_.key_type), _as_sent(type_.item_type)
        return None if None in parts else pa.map_(*parts)
    if pa.types.is_struct(type_):
        fields = [(field.name, _as_sent(field.type)) for field in type_]
        return None if any(inner is None for _, inner in fields) else pa.struct(fields)
    return None if type_ in (TIME, UUID, JSON) else _WIDER.get(type_, type_)


def _require_range(array: pa.Array) -> None:
    """Infinity is a number of days or microseconds for Spark."""
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        check_range(array)
    elif pa.types.is_map(array.type):
        _require_range(array.keys)
        _require_range(array.items)
    elif pa.types.is_list(array.type):
        _require_range(array.flatten())
    elif pa.types.is_struct(array.type):
        for part in array.flatten():
            _require_range(part)
