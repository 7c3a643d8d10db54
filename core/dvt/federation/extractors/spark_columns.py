"""The columns of a Spark statement: how each is asked for, and how it becomes what carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.arrow_columns import carried_batch
from dvt.federation.stream import ColumnSchema
from dvt.types.spark import Reading, reading
from dvt.types.text_values import parser


@dataclass(frozen=True)
class SparkColumn:
    """One column of a result.

    Args:
        schema: The column as the stream announces it.
        reading: How its type is read.
    """

    schema: ColumnSchema
    reading: Reading

    @classmethod
    def of(cls, name: str, type_: Any) -> SparkColumn:
        """A column as the server's analysis names it."""
        how = reading(type_)
        return cls(ColumnSchema(name, how.type, native_type=type_.simpleString()), how)

    @property
    def expression(self) -> exp.Expr:
        """What stands in the select list."""
        name = exp.to_identifier(self.schema.name, quoted=True)
        column = exp.column(name)
        if self.reading.asked_as == "json":
            return exp.alias_(exp.Anonymous(this="to_json", expressions=[column]), name.copy())
        if self.reading.asked_as == "text":
            return exp.alias_(exp.cast(column, "text"), name.copy())
        return column

    @property
    def sent(self) -> ColumnSchema:
        """The column as the server sends it."""
        if not self.reading.asked_as:
            return self.schema
        return ColumnSchema(self.schema.name, pa.string(), native_type=self.schema.native_type)

    def require(self, connection: Connection, relation: str) -> None:
        """Raise when no value of the type can be read."""
        if self.reading.refused:
            raise UnsupportedError(
                self.reading.refused,
                connection=connection.name,
                relation=relation,
                column=self.schema.name,
                phase="extract",
                remedy="Leave the column out, or cast it in a query or a view of the source",
            )


def asked_sql(sql: str, columns: Sequence[SparkColumn]) -> str:
    """The statement that asks for the columns of another one as they can be sent."""
    if not any(column.reading.asked_as for column in columns):
        return sql
    listed = ", ".join(column.expression.sql(dialect="spark") for column in columns)
    return " ".join(["SELECT", listed, "FROM (\n", sql, "\n)"])


def read_batch(batch: pa.RecordBatch, columns: Sequence[SparkColumn], place: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch as the stream announces it.

    Raises:
        DataError: A value cannot be carried; the column is named.
    """
    batch = carried_batch(batch, [column.sent for column in columns], place)
    if not any(column.reading.asked_as for column in columns):
        return batch
    arrays = [_parsed(array, column, place) for array, column in zip(batch.columns, columns, strict=True)]
    fields = [pa.field(c.schema.name, c.schema.type, c.schema.nullable) for c in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _parsed(array: pa.Array, column: SparkColumn, place: Mapping[str, Any]) -> pa.Array:
    if array.type == column.schema.type:
        return array
    try:
        return parser(column.schema.type)(array)
    except ValueError as error:
        raise DataError(
            f"a value of type {column.schema.native_type} cannot be carried as {column.schema.type}: {error}",
            column=column.schema.name,
            phase="extract",
            remedy="Cast the column in a query or a view of the source",
            **place,
        ) from error
