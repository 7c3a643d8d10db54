"""SQLite values as Arrow arrays: each is checked against the declared type, column by column."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.vocabulary import JSON, UUID, is_json, is_uuid

Values = Sequence[Any]
Builder = Callable[[Values], pa.Array]

_CANONICAL_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_DECIMAL = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
# 0001-01-01 in days and microseconds: SQLite's text has no year below.
_FIRST_DAY = -719_162
_FIRST_MICRO = _FIRST_DAY * 86_400_000_000


def array_builder(type_: pa.DataType, is_text_wished: bool = False) -> Builder:
    """The function that makes an array of the type from a column's values.

    The function raises ValueError or TypeError when a value is not of the type.

    Args:
        type_: The type that carries the declared one.
        is_text_wished: The project declares the column as text: numbers are read as their text.
    """
    if is_text_wished:
        return _as_text
    if is_json(type_):
        return _json
    if is_uuid(type_):
        return _uuid
    if pa.types.is_decimal(type_):
        return lambda values: _decimal(values, type_)
    if pa.types.is_time(type_):
        return _time
    if pa.types.is_temporal(type_):
        return lambda values: _temporal(values, type_)
    if pa.types.is_boolean(type_):
        return _boolean
    kinds = {pa.int64(): (int,), pa.float64(): (float, int), pa.string(): (str,), pa.binary(): (bytes,)}[type_]
    return lambda values: pa.array(_only(values, *kinds), type_)


def first_refused(values: Values, build: Builder) -> int:
    """The index of the first value that the builder refuses."""
    for index, value in enumerate(values):
        try:
            build([value])
        except (ValueError, TypeError):
            return index
    raise AssertionError("a column was refused of which every value is taken")


def _only(values: Values, *kinds: type) -> Values:
    """The values, when they have no other Python type than these; the set is built at C speed."""
    if not set(map(type, values)) <= {*kinds, type(None)}:
        raise TypeError
    return values


def _boolean(values: Values) -> pa.Array:
    numbers = pa.array(_only(values, int), pa.int64())
    if not set(pc.unique(numbers).to_pylist()) <= {0, 1, None}:
        raise ValueError
    return numbers.cast(pa.bool_())


def _decimal(values: Values, type_: pa.DataType) -> pa.Array:
    if set(map(type, values)) <= {int, type(None)} and type_.scale == 0 and type_.precision >= 19:
        return pa.array(values, pa.int64()).cast(type_)
    _only(values, int, float, str)
    texts = pa.array([v if v is None or type(v) is str else repr(v) for v in values], pa.string())
    if pc.all(pc.match_substring_regex(texts, _DECIMAL)).as_py() is False:
        raise ValueError
    try:
        return texts.cast(type_)
    except pa.ArrowInvalid:
        # Arrow's parser also refuses some exponents; Python's decimals decide.
        return pa.array([None if t is None else Decimal(t) for t in texts.to_pylist()], type_)


def _temporal(values: Values, type_: pa.DataType) -> pa.Array:
    array = pa.array(_only(values, str), pa.string()).cast(type_)
    storage = array.cast(pa.int32() if type_ == pa.date32() else pa.int64())
    smallest = pc.min(storage).as_py()
    if smallest is not None and smallest < (_FIRST_DAY if type_ == pa.date32() else _FIRST_MICRO):
        raise ValueError
    return array


def _time(values: Values) -> pa.Array:
    times = pa.array(_only(values, str), pa.string())
    if pc.all(pc.match_substring_regex(times, r"^\d\d:\d\d")).as_py() is False:
        raise ValueError
    # Arrow parses no times, only timestamps.
    stamps = pc.binary_join_element_wise("1970-01-01", times, " ").cast(pa.timestamp("us"))
    return stamps.cast(pa.int64()).cast(pa.time64("us"))


def _json(values: Values) -> pa.Array:
    # A column of type JSON has numeric affinity: SQLite keeps the text `5` as a number.
    texts = [v if v is None or type(v) is str else repr(v) for v in _only(values, str, int, float)]
    for text in texts:
        if text is not None:
            json.loads(text, parse_constant=_refuse)
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, JSON.storage_type))


def _uuid(values: Values) -> pa.Array:
    texts = pa.array(_only(values, str), pa.string())
    if pc.all(pc.match_substring_regex(texts, _CANONICAL_UUID)).as_py() is False:
        raise ValueError
    digits = "".join(["0" * 32 if value is None else value.replace("-", "") for value in values])
    mask = pa.array([value is None for value in values])
    storage = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(values), [None, pa.py_buffer(bytes.fromhex(digits))]
    )
    return pa.ExtensionArray.from_storage(UUID, pc.if_else(mask, pa.scalar(None, pa.binary(16)), storage))


def _as_text(values: Values) -> pa.Array:
    _only(values, str, int, float)
    return pa.array([v if v is None or type(v) is str else repr(v) for v in values], pa.string())


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
