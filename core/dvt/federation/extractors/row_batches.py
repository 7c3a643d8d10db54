"""Rows of a DB-API cursor as record batches of announced columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from dvt.errors import DataError
from dvt.federation.stream import ColumnSchema
from dvt.types.row_values import column_array


class Cursor(Protocol):
    """As much of a DB-API cursor as is read from."""

    def fetchmany(self, size: int, /) -> Sequence[Sequence[Any]]:
        """The next rows; an empty sequence at the end."""
        ...


def cursor_batches(cursor: Cursor, columns: Sequence[ColumnSchema], batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The remaining rows of a cursor; no more than one batch of them is held.

    Raises:
        DataError: A value does not fit its column.
    """
    while rows := cursor.fetchmany(batch_rows):
        yield record_batch(rows, columns)


def record_batch(rows: Sequence[Sequence[Any]], columns: Sequence[ColumnSchema]) -> pa.RecordBatch:
    """Rows as a batch of the columns' types.

    Raises:
        DataError: A value does not fit its column; the column, the row and the value are named.
    """
    schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
    arrays = []
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        try:
            arrays.append(column_array(values, column.type))
        except ValueError as error:
            raise _refusal(values, column, error) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _refusal(values: Sequence[Any], column: ColumnSchema, error: ValueError) -> DataError:
    for value in values:
        try:
            column_array([value], column.type)
        except ValueError as own:
            shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
            return DataError(
                f"the value {shown} of type {column.native_type or 'unknown'} is not carried as {column.type}: {own}",
                column=column.name,
                phase="extract",
                remedy="Cast the column at the source, in a query or a view",
            )
    return DataError(f"a value is not carried as {column.type}: {error}", column=column.name, phase="extract")
