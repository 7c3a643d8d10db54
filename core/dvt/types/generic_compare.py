"""Whether values that were read back are those that were sent: columns as texts that are equal where the values are."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.generic import recast
from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import JSON, is_json, is_uuid

# What `declared_arrow_type` calls the types of which drivers say too little.
_DECLARED = {
    pa.bool_(): "boolean",
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), "bigint"),
    **dict.fromkeys((pa.uint8(), pa.uint16(), pa.uint32()), "bigint"),
    pa.uint64(): "numeric(20, 0)",
    **dict.fromkeys((pa.float32(), pa.float64()), "double"),
    pa.string(): "text",
    pa.binary(): "binary",
    pa.date32(): "date",
    pa.time64("us"): "time",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}


def declared_for(type_: pa.DataType, *, truth_is_a_number: bool) -> str | None:
    """As what a driver is to give a column that was sent as a type; None where that cannot be said."""
    if truth_is_a_number and pa.types.is_boolean(type_):
        return "bigint"
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision}, {type_.scale})"
    if is_uuid(type_):
        return "uuid"
    if _lands_as_text(type_):
        return "text"
    return _DECLARED.get(type_)


def comparable(array: pa.Array) -> pa.Array:
    """Texts (or bytes) of the values; as SQL has it, there is one zero.

    >>> comparable(pa.array([-0.0, 0.1], pa.float64())).to_pylist()
    ['0', '0.1']
    """
    type_ = array.type
    if _lands_as_text(type_):
        return plain_texts(array)
    if pa.types.is_boolean(type_):
        return array.cast(pa.int8()).cast(pa.string())
    if pa.types.is_floating(type_):
        return pc.add(array.cast(pa.float64()), 0.0).cast(pa.string())
    if pa.types.is_date(type_):
        return array.cast(pa.int32()).cast(pa.string())
    if pa.types.is_temporal(type_):
        return array.cast(pa.int64()).cast(pa.string())
    return array if pa.types.is_binary(type_) else array.cast(pa.string())


def read_as(array: pa.Array, sent: pa.DataType) -> pa.Array:
    """Values that were read back, in the type in which they were sent (or its text, where they landed as such).

    Raises:
        ValueError: They are none of that type.
    """
    type_ = array.type
    if type_ == sent:
        return array
    if _lands_as_text(sent):
        if pa.types.is_string(type_) or is_uuid(type_):
            return plain_texts(array)
        if is_json(type_):
            return array.storage.cast(pa.string())
        raise ValueError(f"it came back as {type_}")
    if pa.types.is_floating(sent) and pa.types.is_floating(type_):
        return array.cast(pa.float64())
    if type_ == JSON and pa.types.is_string(sent):
        return array.storage.cast(pa.string())
    convert = recast(type_, sent)
    if convert is None:
        raise ValueError(f"it came back as {type_}")
    return convert(array)


def _lands_as_text(type_: pa.DataType) -> bool:
    return is_uuid(type_) or is_json(type_) or bool(pa.types.is_nested(type_))
