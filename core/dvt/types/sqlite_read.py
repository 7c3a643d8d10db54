"""SQLite values as Arrow arrays: each is checked against the declared type, column by column."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.float_decimals import decimals_of_floats, is_read_as_float
from dvt.types.text_values import parser
from dvt.types.vocabulary import is_json, is_uuid

Values = Sequence[Any]
Builder = Callable[[Values], pa.Array]

_STORED = {pa.int64(): (int,), pa.float64(): (float, int), pa.string(): (str,), pa.binary(): (bytes,)}


def array_builder(type_: pa.DataType, is_text_wished: bool = False) -> Builder:
    """The function that makes an array of the type from a column's values.

    The function raises ValueError or TypeError when a value is not of the type.

    Args:
        type_: The type that carries the declared one.
        is_text_wished: The project declares the column as text: numbers are read as their text.
    """
    if is_text_wished:
        return lambda values: _texts(values, str, int, float)
    if pa.types.is_boolean(type_):
        return _boolean
    if type_ in _STORED:
        kinds = _STORED[type_]
        return lambda values: pa.array(_only(values, *kinds), type_)
    parse = parser(type_)
    if pa.types.is_decimal(type_):
        return lambda values: _decimal(values, type_, parse)
    if is_json(type_):  # a column of type JSON has numeric affinity: SQLite keeps the text `5` as a number
        return lambda values: parse(_texts(values, str, int, float))
    assert is_uuid(type_) or pa.types.is_temporal(type_), type_
    return lambda values: parse(_texts(values, str))


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
        raise TypeError("a value is stored as another kind")
    return values


def _texts(values: Values, *kinds: type) -> pa.Array:
    _only(values, *kinds)
    if len(kinds) > 1:
        values = [value if value is None or type(value) is str else repr(value) for value in values]
    return pa.array(values, pa.string())


def _boolean(values: Values) -> pa.Array:
    numbers = pa.array(_only(values, int), pa.int64())
    if not set(pc.unique(numbers).to_pylist()) <= {0, 1, None}:
        raise ValueError("a boolean is 0 or 1")
    return numbers.cast(pa.bool_())


def _decimal(values: Values, type_: pa.DataType, parse: Callable[[pa.Array], pa.Array]) -> pa.Array:
    kinds = set(map(type, values)) - {type(None)}
    if type_.scale == 0 and type_.precision >= 19 and kinds <= {int}:
        return pa.array(values, pa.int64()).cast(type_)
    if kinds == {float} and is_read_as_float(type_):
        with contextlib.suppress(pa.ArrowInvalid):  # the value is found in the texts
            return decimals_of_floats(pa.array(values, pa.float64()), type_)
    return parse(_texts(values, int, float, str))
