"""Parquet files as one stream: union of columns by name, types brought into the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.errors import DataError
from dvt.federation.extractors.base import TableStatistics
from dvt.federation.extractors.files_filter import Condition, as_expression, filtered
from dvt.federation.stream import ColumnSchema
from dvt.types.normal import checked_type, normalised
from dvt.types.vocabulary import INTERVAL


def parquet_columns(files: list[Path]) -> list[ColumnSchema]:
    """The columns of all files by name, in the order in which they first occur.

    Raises:
        DataError: A column has another type in one of the files; file and column are named.
    """
    columns: dict[str, ColumnSchema] = {}
    origins: dict[str, Path] = {}
    for path in files:
        with pq.ParquetFile(path) as file:
            for column in _file_columns(file, path):
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
    path: Path, columns: list[ColumnSchema], batch_rows: int, conditions: Sequence[Condition] = ()
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
    with pa.OSFile(str(path)) as handle:
        # INT96 as microseconds: as nanoseconds, the default, years outside of 1677 to 2262 wrap around silently.
        file = pq.ParquetFile(handle, pre_buffer=False, buffer_size=1 << 20, coerce_int96_timestamp_unit="us")
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
        for batch in file.iter_batches(batch_rows, row_groups=groups, columns=wanted):
            arrays = [_array(batch, column, path) for column in columns]
            yield filtered(pa.RecordBatch.from_arrays(arrays, schema=schema), conditions)


def _row_groups(
    handle: pa.NativeFile, file: pq.ParquetFile, schema: pa.Schema, conditions: Sequence[Condition]
) -> list[int]:
    """Row groups that may hold rows that are wanted, by the footer's least and largest values.

    Asked are conditions about columns that the file holds in the very type that carries them.
    """
    import pyarrow.dataset as ds

    fragment = ds.ParquetFileFormat().make_fragment(handle)
    own = {field.name: field.type for field in fragment.physical_schema}
    plain = {field.name for field in schema if own.get(field.name) == field.type}
    expression = as_expression([condition for condition in conditions if condition.columns <= plain])
    if expression is None:
        return list(range(file.num_row_groups))
    return [group.id for group in fragment.subset(expression).row_groups]


def parquet_row_count(files: list[Path]) -> int:
    """Rows by the files' own footers."""
    return sum(pq.read_metadata(path).num_rows for path in files)


def parquet_statistics(files: list[Path]) -> TableStatistics:
    """Rows and uncompressed bytes by the files' own footers."""
    footers = [pq.read_metadata(path) for path in files]
    sizes = (footer.row_group(index).total_byte_size for footer in footers for index in range(footer.num_row_groups))
    return TableStatistics(sum(footer.num_rows for footer in footers), sum(sizes))


def _file_columns(file: pq.ParquetFile, path: Path) -> list[ColumnSchema]:
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


def _array(batch: pa.RecordBatch, column: ColumnSchema, path: Path) -> pa.Array:
    index = batch.schema.get_field_index(column.name)
    if index < 0:
        return pa.nulls(batch.num_rows, column.type)
    try:
        return normalised(batch.column(index), column.type)
    except ValueError as error:  # pyarrow's errors are among them
        raise DataError(f"{path}: {error}", column=column.name, remedy="Write the file with another type") from error
