"""Arrow columns as texts for bulk loads that take text: whole columns at once, each value in a plain exact form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.types.json_text import json_writer
from dvt.types.text_values import decimal_texts, iso_texts, uuid_texts
from dvt.types.vocabulary import is_json, is_uuid

Texts = Callable[[pa.Array], Any]


def plain_texts(array: pa.Array) -> pa.Array:
    """The values as a string array; NULL stays NULL.

    Numbers as their shortest exact digits, dates and times in ISO form, nested values as JSON.

    Raises:
        ValueError: A value has no such text.

    >>> plain_texts(pa.array([True, None])).to_pylist(), plain_texts(pa.array([[1, None]])).to_pylist()
    (['true', None], ['[1,null]'])
    """
    type_ = array.type
    if is_json(type_):
        return array.storage.cast(pa.string())
    if is_uuid(type_):
        return pa.array(uuid_texts(array), pa.string())
    if pa.types.is_nested(type_):
        write = json_writer(type_)
        return pa.array([None if value is None else write(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_decimal(type_):
        return pa.array(decimal_texts(array), pa.string())
    if pa.types.is_temporal(type_):
        return iso_texts(array)
    if pa.types.is_floating(type_):
        return array.cast(pa.float64()).cast(pa.string())  # what a float has, a double has exactly
    return array if pa.types.is_string(type_) else array.cast(pa.string())


def named(texts: Texts, array: pa.Array, column: str, engine: str) -> Any:
    """The texts of a column, or what else an engine makes of it.

    Raises:
        DataError: A value has none, or none that the engine takes; the column is named.
    """
    try:
        return texts(array)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"a value has no place in {engine}: {error}",
            column=column,
            phase="load",
            remedy="Mend it in the model, or cast the column to text",
        ) from error


def require_finite(array: pa.Array) -> None:
    """Raise ValueError for NaN and infinities."""
    if pc.all(pc.is_finite(array)).as_py() is False:
        raise ValueError("it is NaN or infinite, and there are no such numbers")
