"""Columns brought into the types in which a file of a format holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from dvt.errors import DataError
from dvt.types.declared import declared_arrow_type, declared_name
from dvt.types.exact_cast import exactly
from dvt.types.json_rendering import json_renderer
from dvt.types.json_text import iso_interval, json_writer
from dvt.types.text_values import decimal_texts, iso_texts, parser, uuid_texts
from dvt.types.vocabulary import INTERVAL, is_json, is_uuid

Renderer = Callable[[pa.Array], pa.Array]


class Rendering:
    """How the columns of a stream stand in files of a format.

    Args:
        schema: The stream's.
        format_: The files'.
        declared: Types that a contract declares, by column.

    Raises:
        DataError: The format has no place for a column.
    """

    def __init__(self, schema: pa.Schema, format_: str, declared: Mapping[str, str]) -> None:
        self.format = format_
        types = [declared_arrow_type(declared[f.name], f.name) if declared.get(f.name) else f.type for f in schema]
        self._renderers = [_renderer(*each, format_) for each in zip(schema, types, strict=True)]
        empty = [_rendered(f, pa.nulls(0, f.type), render) for f, render in zip(schema, self._renderers, strict=True)]
        self.schema = pa.schema([pa.field(name, array.type) for name, array in zip(schema.names, empty, strict=True)])
        self.columns = tuple((name, declared_name(type_)) for name, type_ in zip(schema.names, types, strict=True))

    def rendered(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch as files hold it.

        Raises:
            DataError: A value that the format or the declared type cannot keep; the column is named.
        """
        arrays = [_rendered(*each) for each in zip(batch.schema, batch.columns, self._renderers, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _rendered(field: pa.Field, array: pa.Array, render: Renderer) -> pa.Array:
    try:
        return render(array)
    # Most of pyarrow's errors are ValueErrors.
    except (ValueError, OverflowError, RecursionError, pa.ArrowNotImplementedError) as error:
        remedy = "Cast it in the model"
        raise DataError(f"the file cannot keep a value: {error}", column=field.name, remedy=remedy) from error


def _renderer(field: pa.Field, target: pa.DataType, format_: str) -> Renderer:
    """The function that brings a column into the type in which the file holds it."""
    render = _of_format(target, field.name, format_)
    if target == field.type:
        return render
    return lambda array: render(_exactly(array, target))


def _of_format(type_: pa.DataType, column: str, format_: str) -> Renderer:
    if format_ == "parquet":
        return _parquet_renderer(type_)
    if pa.types.is_binary(type_):
        what = "CSV carries" if format_ == "csv" else "JSON lines carry"
        raise DataError(f"{what} no bytes", column=column, phase="load", remedy="Land it as Parquet")
    return _csv_renderer(type_) if format_ == "csv" else json_renderer(type_)


def _exactly(array: pa.Array, target: pa.DataType) -> pa.Array:
    if array.type == pa.string():
        return parser(target)(array)
    return exactly(array, target)


def _parquet_renderer(type_: pa.DataType) -> Renderer:
    if type_ == INTERVAL:  # Parquet has no interval with microseconds
        return lambda array: pa.array([_or_none(iso_interval, value) for value in array.to_pylist()], pa.string())
    return lambda array: array


def _csv_renderer(type_: pa.DataType) -> Renderer:
    if is_uuid(type_):
        return lambda array: pa.array(uuid_texts(array), pa.string())
    if is_json(type_):
        return lambda array: array.storage
    if pa.types.is_nested(type_):
        write = json_writer(type_)
        return lambda array: pa.array([_or_none(write, value) for value in array.to_pylist()], pa.string())
    if pa.types.is_decimal(type_):
        return lambda array: pa.array(decimal_texts(array), pa.string())
    if type_ == INTERVAL:
        return _parquet_renderer(type_)
    if pa.types.is_temporal(type_):
        return iso_texts
    return lambda array: array


def _or_none(write: Callable[[object], str], value: object) -> str | None:
    return None if value is None else write(value)
