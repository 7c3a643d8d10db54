"""Python values, as drivers give them row by row, as typed Arrow arrays: each is taken exactly, or refused.

A driver's own idea of a value is never trusted to be of the type that the column was announced with: `pyarrow.array`
takes a time of day off a datetime that is to be a date, and a naive datetime for one in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID as Uuid

import pyarrow as pa

from dvt.types.decimal_text import decimals_from_text
from dvt.types.text_values import parser
from dvt.types.vocabulary import INTERVAL, JSON, UUID, is_json, is_uuid

Values = Sequence[Any]


def column_array(values: Values, type_: pa.DataType) -> pa.Array:
    """A column's values as an array of its type.

    Texts are read as dates, times, decimals, booleans, UUIDs and JSON documents where that is the type.

    Args:
        values: None is NULL.
        type_: A type of the vocabulary.

    Raises:
        ValueError: A value is not of the type, or would not be carried exactly.

    >>> from decimal import Decimal
    >>> column_array([Decimal("1.5"), None], pa.decimal128(5, 2)).to_pylist()
    [Decimal('1.50'), None]
    """
    try:
        return _builder(type_)(values)
    except (TypeError, OverflowError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _builder(type_: pa.DataType) -> Callable[[Values], pa.Array]:
    for is_such, build in _BUILDERS:
        if is_such(type_):
            return lambda values: build(values, type_)
    raise ValueError(f"no values are read as {type_}")


def _only(values: Values, *kinds: type) -> Values:
    """The values, when they have no other Python type than these; the set is built at C speed."""
    others = set(map(type, values)) - {*kinds, type(None)}
    if others:
        raise ValueError(f"it is a {', '.join(sorted(kind.__name__ for kind in others))}")
    return values


def _or_text(values: Values, type_: pa.DataType, *kinds: type) -> pa.Array:
    """Values of some kinds, or texts."""
    if set(map(type, values)) <= {str, type(None)} and str not in kinds:
        return parser(type_)(pa.array(values, pa.string()))
    return pa.array(_only(values, *kinds), type_)


def _decimal(values: Values, type_: pa.DataType) -> pa.Array:
    kinds = set(map(type, _only(values, Decimal, int, str)))
    if kinds <= {Decimal, type(None)}:
        return pa.array(values, type_)
    return decimals_from_text(pa.array([None if v is None else str(v) for v in values], pa.string()), type_)


def _timestamp(values: Values, type_: pa.DataType) -> pa.Array:
    for value in values:
        if isinstance(value, datetime) and (value.tzinfo is None) is not (type_.tz is None):
            raise ValueError("it has a time zone" if value.tzinfo else "it has no time zone")
    return _or_text(values, type_, datetime)


def _time(values: Values, type_: pa.DataType) -> pa.Array:
    if any(isinstance(value, time) and value.tzinfo is not None for value in values):
        raise ValueError("it has a time zone")
    return _or_text(values, type_, time)


def _interval(values: Values, type_: pa.DataType) -> pa.Array:
    def parts(value: Any) -> Any:
        if isinstance(value, timedelta):
            return (0, value.days, (value.seconds * 1_000_000 + value.microseconds) * 1_000)
        return value

    return pa.array([parts(value) for value in _only(values, timedelta, tuple, pa.MonthDayNano)], INTERVAL)


def _uuid(values: Values, type_: pa.DataType) -> pa.Array:
    texts = [None if v is None else str(v).lower() for v in _only(values, str, Uuid)]
    return parser(UUID)(pa.array(texts, pa.string()))


def _json(values: Values, type_: pa.DataType) -> pa.Array:
    """Texts are documents as they stand; what a driver has decoded is written again."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return parser(JSON)(pa.array(values, pa.string()))
    texts = [None if v is None else json.dumps(v, ensure_ascii=False, allow_nan=False) for v in values]
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, JSON.storage_type))


def _list(values: Values, type_: pa.DataType) -> pa.Array:
    offsets = [0]
    flat: list[Any] = []
    for value in _only(values, list, tuple):
        flat.extend(value or ())
        offsets.append(len(flat))
    items = column_array(flat, type_.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=type_, mask=_nulls(values))


def _struct(values: Values, type_: pa.DataType) -> pa.Array:
    fields = [type_.field(index) for index in range(type_.num_fields)]

    def parts(value: Any) -> Sequence[Any]:
        if value is None:
            return [None] * len(fields)
        if isinstance(value, Mapping):
            if set(value) != {field.name for field in fields}:
                raise ValueError(f"it has the fields {', '.join(map(str, value))}")
            return [value[field.name] for field in fields]
        if len(value) != len(fields):
            raise ValueError(f"it has {len(value)} fields")
        return list(value)

    rows = [parts(value) for value in values]
    arrays = [column_array([row[index] for row in rows], field.type) for index, field in enumerate(fields)]
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=_nulls(values))


def _map(values: Values, type_: pa.DataType) -> pa.Array:
    offsets: list[int | None] = []
    keys: list[Any] = []
    items: list[Any] = []
    for value in values:
        offsets.append(None if value is None else len(keys))
        pairs = () if value is None else value.items() if isinstance(value, Mapping) else value
        for key, item in pairs:
            keys.append(key)
            items.append(item)
    offsets.append(len(keys))
    key_array, item_array = column_array(keys, type_.key_type), column_array(items, type_.item_type)
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), key_array, item_array).cast(type_)


def _nulls(values: Values) -> pa.Array:
    return pa.array([value is None for value in values], pa.bool_())


_BUILDERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Values, pa.DataType], pa.Array]], ...] = (
    (is_json, _json),
    (is_uuid, _uuid),
    (lambda type_: bool(type_ == INTERVAL), _interval),
    (pa.types.is_boolean, lambda values, type_: _or_text(values, type_, bool)),
    (pa.types.is_integer, lambda values, type_: pa.array(_only(values, int), type_)),
    (pa.types.is_floating, lambda values, type_: pa.array(_only(values, float, int), type_)),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_string, lambda values, type_: pa.array(_only(values, str), type_)),
    (pa.types.is_binary, lambda values, type_: pa.array(_only(values, bytes, bytearray, memoryview), type_)),
    (pa.types.is_date, lambda values, type_: _or_text(values, type_, date)),
    (pa.types.is_timestamp, _timestamp),
    (pa.types.is_time, _time),
    (pa.types.is_map, _map),
    (pa.types.is_list, _list),
    (pa.types.is_struct, _struct),
)
