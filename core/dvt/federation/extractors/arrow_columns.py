"""Columns of sources that send Arrow: what carries each, and batches as the stream announces them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.types.normal import normal_type, normalised

_REMEDY = "Leave the column out, or cast it in a query or a view of the source"


@dataclass(frozen=True)
class ArrowColumn:
    """A column as a source sends it.

    Args:
        name: Its name.
        sent: The Arrow type in which it is announced.
        native: The source's own name of the type.
        nullable: False only when the source promises it.
    """

    name: str
    sent: pa.DataType
    native: str
    nullable: bool = True

    def schema(self, **place: Any) -> ColumnSchema:
        """The column as the stream announces it.

        Args:
            place: Connection and relation, for the error.

        Raises:
            UnsupportedError: No type carries it.
        """
        type_ = normal_type(self.sent)
        if type_ is None:
            words = f"no type carries {self.native} (sent as {self.sent})"
            raise UnsupportedError(words, column=self.name, phase="describe", remedy=_REMEDY, **place)
        return ColumnSchema(self.name, type_, self.nullable, self.native)


def carried_batch(batch: pa.RecordBatch, columns: Sequence[ColumnSchema], place: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch of the announced columns.

    Args:
        batch: As the source sent it.
        columns: As they were announced.
        place: Connection and relation, for errors.

    Raises:
        DataError: A value cannot be carried; the column is named.
    """
    if batch.num_columns != len(columns):
        raise InternalError(f"a batch has {batch.num_columns} columns, announced were {len(columns)}", **place)
    arrays = [_carried(array, column, place) for array, column in zip(batch.columns, columns, strict=True)]
    schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _carried(array: pa.Array, column: ColumnSchema, place: Mapping[str, Any]) -> pa.Array:
    if not pa.types.is_null(array.type) and normal_type(array.type) != column.type:
        words = f"a batch came with {array.type}, announced was {column.type} for {column.native_type}"
        raise InternalError(words, column=column.name, **place)
    try:
        return normalised(array, column.type)
    except ValueError as error:  # pyarrow's errors of casts are ValueErrors
        raise DataError(
            f"a value of type {column.native_type} cannot be carried as {column.type}: {error}",
            column=column.name,
            phase="extract",
            remedy="Cast the column in a query or a view of the source",
            **place,
        ) from error
