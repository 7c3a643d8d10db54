"""Any Arrow type, as files hold them and other libraries give them, brought into the carrying vocabulary."""

from __future__ import annotations

import struct

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, carried_decimal, is_json, is_uuid


def normal_type(type_: pa.DataType) -> pa.DataType | None:
    """The type of the vocabulary that carries an Arrow type; None when there is none: durations, unions, list views.

    >>> normal_type(pa.large_list(pa.dictionary(pa.int8(), pa.string())))
    ListType(list<item: string>)
    """
    if is_uuid(type_) or type_ == INTERVAL:
        return type_
    if is_json(type_):
        return JSON
    if isinstance(type_, pa.BaseExtensionType):
        return normal_type(type_.storage_type)
    if pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
        return normal_type(type_.value_type)
    if pa.types.is_decimal(type_):
        return carried_decimal(type_.precision, type_.scale)
    if pa.types.is_timestamp(type_):
        return MICROS_UTC if type_.tz else (type_ if type_.unit == "ns" else MICROS)
    if pa.types.is_nested(type_):
        return _normal_nested(type_)
    for is_such, normal in _NORMAL:
        if is_such(type_):
            return normal
    is_kept = pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_)
    return type_ if is_kept else None


_NORMAL = (
    (pa.types.is_null, pa.int32()),  # what DuckDB calls a column that holds nothing
    (pa.types.is_float16, pa.float32()),
    (pa.types.is_date, pa.date32()),
    (pa.types.is_time, TIME),
    (lambda t: t in (pa.string(), pa.large_string(), pa.string_view()), pa.string()),
    (lambda t: t in (pa.binary(), pa.large_binary(), pa.binary_view()), pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
)


def _normal_nested(type_: pa.DataType) -> pa.DataType | None:
    if pa.types.is_struct(type_):
        inner = [(field.name, normal_type(field.type)) for field in type_]
        return None if any(t is None for _, t in inner) else pa.struct(inner)
    if pa.types.is_map(type_):
        item = normal_type(type_.item_type)
        return None if item is None else pa.map_(pa.string(), item)
    if pa.types.is_union(type_) or pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        return None  # PyArrow casts list views to lists with wrong values (seen in 26.0)
    value = normal_type(type_.value_type)
    return None if value is None else pa.list_(value)


def normalised(array: pa.Array, target: pa.DataType) -> pa.Array:
    """The array as `normal_type` says, every value the same.

    Raises:
        ValueError: A value has no place there: nanoseconds of a time, more than 38 digits.
    """
    type_ = array.type
    if type_ == target:
        return array
    if target == INTERVAL:
        return _parquet_interval(array)
    if pa.types.is_null(type_):
        return pa.nulls(len(array), target)
    if pa.types.is_run_end_encoded(type_):
        return normalised(pc.run_end_decode(array), target)
    if pa.types.is_dictionary(type_):
        return normalised(array.dictionary_decode(), target)
    if is_json(type_):
        return pa.ExtensionArray.from_storage(target, array.storage.cast(pa.string()))
    if isinstance(type_, pa.BaseExtensionType):
        return normalised(array.storage, target)
    if type_ == pa.date64() and pc.any(pc.not_equal(array.cast(pa.int64()), _whole_days(array))).as_py():
        raise ValueError("a date has a time of day")
    try:
        return array.cast(target)
    except pa.ArrowNotImplementedError as error:
        raise ValueError(f"{type_} is not read as {target}") from error


def checked_type(field: pa.Field) -> pa.DataType:
    """`normal_type` of a file's field.

    Raises:
        DataError: There is none; the column is named.
    """
    type_ = normal_type(field.type)
    if type_ is None:
        raise DataError(f"no type carries {field.type}", column=field.name, remedy="Write the file with another type")
    return type_


def _whole_days(array: pa.Array) -> pa.Array:
    return array.cast(pa.date32()).cast(pa.date64()).cast(pa.int64())


def _parquet_interval(array: pa.Array) -> pa.Array:
    """Parquet's INTERVAL: three unsigned little-endian numbers of months, days and milliseconds."""
    values = [None if value is None else struct.unpack("<III", value) for value in array.to_pylist()]
    return pa.array([None if v is None else (v[0], v[1], v[2] * 1_000_000) for v in values], INTERVAL)
