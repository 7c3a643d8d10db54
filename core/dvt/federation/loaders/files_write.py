"""Streams written as one Parquet or CSV file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from dvt.connections.files import CsvOptions
from dvt.errors import DataError
from dvt.federation.stream import RowStream
from dvt.types.declared import declared_arrow_type
from dvt.types.json_text import iso_interval, json_writer
from dvt.types.text_values import decimal_texts, iso_texts, parser, uuid_texts
from dvt.types.vocabulary import INTERVAL, is_json, is_uuid

Renderer = Callable[[pa.Array], pa.Array]

# A row group of usual size, unless its rows are large.
_GROUP_ROWS = 122_880
_GROUP_BYTES = 64 * 1024 * 1024


def write_file(
    path: Path,
    stream: RowStream,
    format_: str,
    options: CsvOptions,
    declared: Mapping[str, str],
    batch_rows: int,
) -> None:
    """Write a stream into a new file, and the file to the disk.

    Raises:
        DataError: A value that the format or the declared type cannot keep; the column is named.
    """
    renderers = [_renderer(field, format_, declared.get(field.name)) for field in stream.schema]
    empty = [_rendered(f, pa.nulls(0, f.type), render) for f, render in zip(stream.schema, renderers, strict=True)]
    schema = pa.schema([pa.field(name, array.type) for name, array in zip(stream.schema.names, empty, strict=True)])

    def rendered() -> Iterator[pa.RecordBatch]:
        while (batch := stream.read_batch(batch_rows)) is not None:
            arrays = [_rendered(*pair) for pair in zip(batch.schema, batch.columns, renderers, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    with _new_file(path) as file:
        if format_ == "parquet":
            _write_parquet(file, schema, rendered())
        else:
            _write_csv(file, schema, rendered(), options)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A private file that is on the disk when the block ends, and gone when it fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_parquet(file: BinaryIO, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for batch in batches:
            group.append(batch)
            if sum(b.num_rows for b in group) >= _GROUP_ROWS or sum(b.nbytes for b in group) >= _GROUP_BYTES:
                _write_group(writer, group)
                group = []
        if group:
            _write_group(writer, group)


def _write_group(writer: pq.ParquetWriter, group: list[pa.RecordBatch]) -> None:
    table = pa.Table.from_batches(group)
    writer.write_table(table, row_group_size=max(table.num_rows, 1))


def _write_csv(file: BinaryIO, schema: pa.Schema, batches: Iterator[pa.RecordBatch], options: CsvOptions) -> None:
    # "needed" quotes every text and no number: NULL is an empty field, the empty text is "".
    style = pacsv.WriteOptions(include_header=options.header, delimiter=options.delimiter, quoting_style="needed")
    with pacsv.CSVWriter(file, schema, write_options=style) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _rendered(field: pa.Field, array: pa.Array, render: Renderer) -> pa.Array:
    try:
        return render(array)
    except (ValueError, OverflowError, pa.ArrowNotImplementedError) as error:  # pyarrow's others are ValueErrors
        remedy = "Cast it in the model"
        raise DataError(f"the file cannot keep a value: {error}", column=field.name, remedy=remedy) from error


def _renderer(field: pa.Field, format_: str, declared: str | None) -> Renderer:
    """The function that brings a column into the type in which the file holds it."""
    target = declared_arrow_type(declared, field.name) if declared else field.type
    render = _parquet_renderer(target) if format_ == "parquet" else _csv_renderer(target, field.name)
    if target == field.type:
        return render
    return lambda array: render(_exactly(array, target))


def _exactly(array: pa.Array, target: pa.DataType) -> pa.Array:
    if array.type == pa.string():
        return parser(target)(array)
    there = array.cast(target)
    back = there.cast(array.type)
    differs = pc.not_equal(back, array)
    if pa.types.is_floating(array.type):  # NaN equals itself here
        differs = pc.and_(differs, pc.invert(pc.and_(pc.is_nan(back), pc.is_nan(array))))
    if pc.any(differs).as_py():
        raise ValueError(f"it would change as {target}")
    return there


def _parquet_renderer(type_: pa.DataType) -> Renderer:
    if type_ == INTERVAL:  # Parquet has no interval with microseconds
        return lambda array: pa.array([_or_none(iso_interval, value) for value in array.to_pylist()], pa.string())
    return lambda array: array


def _csv_renderer(type_: pa.DataType, column: str) -> Renderer:
    if pa.types.is_binary(type_):
        raise DataError("CSV carries no bytes", column=column, phase="load", remedy="Land it as Parquet")
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
