"""Arrow columns as the values that SQLite stores: what SQLite would change silently is refused by column."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.types.json_text import iso_interval, json_writer
from dvt.types.sqlite import affinity
from dvt.types.text_values import decimal_texts, iso_texts, uuid_texts
from dvt.types.vocabulary import is_json, is_uuid

Writer = Callable[[pa.Array], list[Any]]

_LARGEST = 2**63 - 1
_EXACT_IN_DOUBLE = 2**53


def value_writer(type_: pa.DataType, declared: str, column: str) -> Writer:
    """The function that turns an array into values for `executemany`.

    Args:
        type_: The column's Arrow type.
        declared: The declared type of the SQLite column.
        column: Its name, for the DataError that the function raises for a value that SQLite cannot keep.
    """

    def refuse(why: str) -> DataError:
        return DataError(why, column=column, phase="load", remedy="Cast it in the model, or declare its data_type text")

    def write(array: pa.Array) -> list[Any]:
        try:
            return writer(array)
        except (ValueError, OverflowError) as error:  # a text that does not exist
            raise refuse(f"a value has no text in SQLite: {error}") from error

    writer = _writer(type_, affinity(declared), refuse)
    return write


Refuse = Callable[[str], DataError]


def _writer(type_: pa.DataType, to: str, refuse: Refuse) -> Writer:
    if is_uuid(type_):
        return uuid_texts
    if is_json(type_):
        return lambda array: array.storage.to_pylist()
    if pa.types.is_nested(type_):
        nested = json_writer(type_)
        return lambda array: [None if value is None else nested(value) for value in array.to_pylist()]
    if type_ == pa.month_day_nano_interval():
        return lambda array: [None if value is None else iso_interval(value) for value in array.to_pylist()]
    if pa.types.is_decimal(type_):
        return lambda array: _decimals(array, to, refuse)
    if pa.types.is_floating(type_):
        return lambda array: _floats(array, to, refuse)
    if pa.types.is_integer(type_):
        return lambda array: _integers(array, to, refuse)
    if pa.types.is_boolean(type_):
        return lambda array: array.cast(pa.int8()).to_pylist()
    if pa.types.is_temporal(type_):
        return lambda array: iso_texts(array).to_pylist()
    return lambda array: array.to_pylist()


def _integers(array: pa.Array, to: str, refuse: Refuse) -> list[Any]:
    largest = _EXACT_IN_DOUBLE if to == "REAL" else _LARGEST
    bounds = pc.min_max(array).as_py()
    if bounds["max"] is not None and (bounds["max"] > largest or bounds["min"] < -largest - 1):
        raise refuse(f"SQLite holds no number as large as {max(bounds['max'], -bounds['min'])} there")
    values: list[Any] = array.to_pylist()
    return values


def _floats(array: pa.Array, to: str, refuse: Refuse) -> list[Any]:
    if pc.any(pc.is_nan(array)).as_py():
        raise refuse("SQLite holds no NaN: it would store NULL")
    values: list[Any] = array.to_pylist()  # -0.0 too: SQLite itself makes it 0.0, its equal, in a column of numbers
    if to == "TEXT":  # SQLite's own conversion keeps 15 digits
        return [None if value is None else repr(value) for value in values]
    return values


def _decimals(array: pa.Array, to: str, refuse: Refuse) -> list[Any]:
    texts = decimal_texts(array)
    if to in ("TEXT", "BLOB"):
        return texts
    if array.type.precision <= 15 and array.type.scale > 0:
        return [None if text is None else float(text) for text in texts]  # 15 digits always survive a double
    return [None if text is None else _number(text, to, refuse) for text in texts]


def _number(text: str, to: str, refuse: Refuse) -> int | float:
    exact = Decimal(text)
    if exact == exact.to_integral_value() and abs(exact) <= (_EXACT_IN_DOUBLE if to == "REAL" else _LARGEST):
        return int(exact)
    if Decimal(repr(float(text))) != exact:
        raise refuse(f"SQLite holds no decimal with all digits of {text}")
    return float(text)
