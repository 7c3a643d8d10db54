"""Parquet files as one stream: union of columns by name, types brought into the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.object_paths import FilePath, ObjectPath, open_input
from dvt.errors import DataError
from dvt.federation.extractors.base import TableStatistics
from dvt.federation.extractors.files_filter import Condition, as_expression, filtered
from dvt.federation.stream import ColumnSchema
from dvt.types.normal import checked_type, normalised
from dvt.types.vocabulary import INTERVAL

T = TypeVar("T")
# Of a row group in an object store, what is read at once; larger ones come in small pieces, column by column.
_AHEAD_BYTES = 64 << 20
_ASKED_AT_ONCE = 8


def parquet_columns(files: Sequence[FilePath]) -> list[ColumnSchema]:
    """The columns of all files by name, in the order in which they first occur.

    Raises:
        DataError: A column has another type in one of the files; file and column are named.
    """
    columns: dict[str, ColumnSchema] = {}
    origins: dict[str, FilePath] = {}
    for path, found in zip(files, _each(_columns_of, files), strict=True):
        for column in found:
            known = columns.get(column.name)
            if known is None or known.native_type == "null":
                columns[column.name], origins[column.name] = column, path
            elif known.type != column.type and column.native_type != "null":
                raise DataError(
                    f"{path} holds {column.native_type}, {origins[column.name]} {known.native_type}",
                    column=column.name,
                    remedy="Write the files with one schema",
                )
    return list(columns.values())


def parquet_batches(
    path: FilePath, columns: list[ColumnSchema], batch_rows: int, conditions: Sequence[Condition] = ()
) -> Iterator[pa.RecordBatch]:
    """One file's rows with exactly these columns; a column that the file has not is NULL.

    The file stays open on one handle, so that a file renamed over it meanwhile changes nothing.

    Args:
        path: The file.
        columns: The columns wanted, among them those that conditions are about.
        batch_rows: Rows in one batch, at most.
        conditions: Rows that fail one are left out; row groups without others are not read.
    """
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])
    with open_input(path) as handle:
        file = _opened(handle, pre_buffer=False, buffer_size=1 << 20)
        there = {column.name: column for column in _file_columns(file, path)}
        for column in columns:
            if (
                column.name in there
                and there[column.name].type != column.type
                and there[column.name].native_type != "null"
            ):
                raise DataError(f"{path} changed while it was read", column=column.name, remedy="Run again")
        wanted = [column.name for column in columns if column.name in there]
        groups = _row_groups(handle, file, schema, conditions)
        if not groups:
            return
        is_far = isinstance(path, ObjectPath)
        for batch in (_ahead if is_far else _plainly)(handle, file, groups, wanted, batch_rows):
            arrays = [_array(batch, column, path) for column in columns]
            yield filtered(pa.RecordBatch.from_arrays(arrays, schema=schema), conditions)


def _opened(handle: pa.NativeFile, **options: Any) -> pq.ParquetFile:
    # INT96 as microseconds: as nanoseconds, the default, years outside of 1677 to 2262 wrap around silently.
    return pq.ParquetFile(handle, coerce_int96_timestamp_unit="us", **options)


def _plainly(
    handle: pa.NativeFile, file: pq.ParquetFile, groups: list[int], wanted: list[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    yield from file.iter_batches(batch_rows, row_groups=groups, columns=wanted)


def _ahead(
    handle: pa.NativeFile, file: pq.ParquetFile, groups: list[int], wanted: list[str], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The same for a file that answers slowly: in few large requests, a row group's columns at a time."""
    buffered = _opened(handle, pre_buffer=True, metadata=file.metadata)
    for group in groups:
        chunks = map(file.metadata.row_group(group).column, range(file.metadata.num_columns))
        sizes = {chunk.path_in_schema: chunk.total_compressed_size for chunk in chunks}
        asked = sum(size for path, size in sizes.items() if any(f"{path}.".startswith(f"{name}.") for name in wanted))
        one = buffered if asked <= _AHEAD_BYTES else file
        yield from one.iter_batches(batch_rows, row_groups=[group], columns=wanted)


def _row_groups(
    handle: pa.NativeFile, file: pq.ParquetFile, schema: pa.Schema, conditions: Sequence[Condition]
) -> list[int]:
    """Row groups that may hold rows that are wanted, by the footer's least and largest values.

    Asked are conditions about columns that the file holds in the very type that carries them.
    """
    if not conditions:
        return list(range(file.num_row_groups))
    import pyarrow.dataset as ds

    fragment = ds.ParquetFileFormat().make_fragment(handle)
    own = {field.name: field.type for field in fragment.physical_schema}
    plain = {field.name for field in schema if own.get(field.name) == field.type}
    expression = as_expression([condition for condition in conditions if condition.columns <= plain])
    if expression is None:
        return list(range(file.num_row_groups))
    return [group.id for group in fragment.subset(expression).row_groups]


def parquet_row_count(files: Sequence[FilePath]) -> int:
    """Rows by the files' own footers."""
    return sum(footer.num_rows for footer in _each(_footer, files))


def parquet_statistics(files: Sequence[FilePath]) -> TableStatistics:
    """Rows and uncompressed bytes by the files' own footers."""
    footers = _each(_footer, files)
    sizes = (footer.row_group(index).total_byte_size for footer in footers for index in range(footer.num_row_groups))
    return TableStatistics(sum(footer.num_rows for footer in footers), sum(sizes))


def _each(ask: Callable[[FilePath], T], files: Sequence[FilePath]) -> list[T]:
    """One answer for each file; of far ones several are asked at a time."""
    if len(files) < 2 or not isinstance(files[0], ObjectPath):
        return [ask(path) for path in files]
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
        return list(threads.map(ask, files))


def _footer(path: FilePath) -> pq.FileMetaData:
    with open_input(path) as handle:
        return pq.read_metadata(handle)


def _columns_of(path: FilePath) -> list[ColumnSchema]:
    with open_input(path) as handle:
        return _file_columns(pq.ParquetFile(handle), path)


def _file_columns(file: pq.ParquetFile, path: FilePath) -> list[ColumnSchema]:
    schema = file.schema_arrow
    if len(set(schema.names)) != len(schema.names):
        double = next(name for name in schema.names if schema.names.count(name) > 1)
        raise DataError(f"{path} holds a column twice", column=double, remedy="Rename one")
    intervals = _intervals(file)
    columns = []
    for field in schema:
        try:
            type_ = INTERVAL if field.name in intervals else checked_type(field)
        except DataError as error:
            raise DataError(f"{path}: {error.message}", column=error.column, remedy=error.remedy) from None
        columns.append(ColumnSchema(field.name, type_, True, str(field.type)))
    return columns


def _intervals(file: pq.ParquetFile) -> set[str]:
    """Columns of Parquet's INTERVAL type, which Arrow gives as twelve bytes."""
    leaves = (file.schema.column(index) for index in range(len(file.schema)))
    return {leaf.path for leaf in leaves if leaf.logical_type.type == "INTERVAL"}


def _array(batch: pa.RecordBatch, column: ColumnSchema, path: FilePath) -> pa.Array:
    index = batch.schema.get_field_index(column.name)
    if index < 0:
        return pa.nulls(batch.num_rows, column.type)
    try:
        return normalised(batch.column(index), column.type)
    except ValueError as error:  # pyarrow's errors are among them
        raise DataError(f"{path}: {error}", column=column.name, remedy="Write the file with another type") from error
