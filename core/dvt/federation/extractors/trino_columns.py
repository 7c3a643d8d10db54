"""The columns of a Trino result: how each is asked for, and how its JSON becomes what carries it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import quote
from dvt.types.trino import Reading, reading
from dvt.types.trino_values import column

_SHOWN_CHARACTERS = 60
_INSTANT = "timestamp with time zone"
# Beyond these a whole number is no literal of Trino's.
_DIGITS_OF_A_LITERAL = 18


@dataclass(frozen=True)
class ColumnReader:
    """One column of a result.

    Args:
        schema: The column as the stream announces it.
        reading: How its type is read.
    """

    schema: ColumnSchema
    reading: Reading

    @property
    def is_cast(self) -> bool:
        """Whether it is asked for in another form: an instant's local time may be that of two instants."""
        return self.reading.raw == _INSTANT

    def require(self, connection: Connection, relation: str) -> None:
        """Raise when no value of the type can be read."""
        if self.reading.refused:
            raise UnsupportedError(
                self.reading.refused,
                connection=connection.name,
                relation=relation,
                column=self.schema.name,
                phase="extract",
                remedy="Leave the column out, or cast it in a query or a view",
            )

    def read(self, values: Sequence[Any]) -> pa.Array:
        """The carried values of a column's JSON values.

        Raises:
            DataError: A value cannot be carried; the column and the value are named.
        """
        try:
            return column(values, self.reading)
        except ValueError as error:
            raise self._refusal(values, error) from error

    def _refusal(self, values: Sequence[Any], error: Exception) -> DataError:
        shown, why = "a value", error
        for value in values:
            try:
                column([value], self.reading)
            except ValueError as own:
                text = str(value)
                shown = f"value '{text[:_SHOWN_CHARACTERS]}{'...' if len(text) > _SHOWN_CHARACTERS else ''}'"
                why = own
                break
        return DataError(
            f"{shown} of type {self.reading.native} cannot be carried as {self.schema.type}: {why}",
            column=self.schema.name,
            phase="extract",
            remedy="Cast the column in a query or a view of the source",
        )


def column_readers(described: Iterable[Mapping[str, Any]]) -> list[ColumnReader]:
    """Readers of the columns that the server announced."""
    readers = []
    for announced in described:
        how = reading(announced["typeSignature"])
        readers.append(ColumnReader(ColumnSchema(str(announced["name"]), how.type, True, how.native), how))
    return readers


def select_sql(inner: str, readers: Sequence[ColumnReader]) -> str:
    """The statement that asks for the columns of another one as they are carried.

    The inner columns are called by their places: two of them may have one name.
    """
    if not any(reader.is_cast for reader in readers):
        return inner
    places = [quote(f"c{place}", "trino") for place in range(1, len(readers) + 1)]
    columns = []
    for place, reader in zip(places, readers, strict=True):
        in_utc = " AT TIME ZONE 'UTC'" if reader.is_cast else ""
        columns.append(f"{place}{in_utc} AS {quote(reader.schema.name, 'trino')}")
    return " ".join(["SELECT", ", ".join(columns), "FROM (", inner, "\n) AS dvt_inner (", ", ".join(places), ")"])


def record_batch(
    rows: Sequence[Sequence[Any]], readers: Sequence[ColumnReader], place: Mapping[str, Any]
) -> pa.RecordBatch:
    """Rows of a page or a segment as a batch."""
    if rows and set(map(len, rows)) != {len(readers)}:
        raise InternalError(f"Trino sent rows that have not {len(readers)} columns")
    try:
        arrays = [reader.read(list(map(itemgetter(index), rows))) for index, reader in enumerate(readers)]
    except DataError as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(reader.schema.name, reader.schema.type) for reader in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def of_size(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of a size: pages and segments come as the server cuts them."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while count + batch.num_rows >= rows:
            taken = rows - count
            yield _joined([*held, batch.slice(0, taken)])
            batch, held, count = batch.slice(taken), [], 0
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def worded(predicate: exp.Expr) -> exp.Expr:
    """A condition with constants that Trino takes for what they are.

    TIMESTAMP without digits would round to milliseconds, an offset needs its minutes, and long numbers are no literals.
    """
    return predicate.transform(_worded)


def _worded(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and not node.is_string:
        digits = node.this.partition(".")[0]
        if len(digits) > _DIGITS_OF_A_LITERAL and "." not in node.this and "e" not in node.this.lower():
            type_ = exp.DataType.build(f"decimal({len(digits)}, 0)", dialect="trino")
            return exp.Cast(this=exp.Literal.string(node.this), to=type_)
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        if node.to.this is exp.DataType.Type.TIMESTAMP:
            return exp.Cast(this=node.this, to=exp.DataType.build("timestamp(6)", dialect="trino"))
        if node.to.this is exp.DataType.Type.TIMESTAMPTZ:
            text = node.this.this.removesuffix("+00") + " UTC" if node.this.this.endswith("+00") else node.this.this
            type_ = exp.DataType.build("timestamp(6) with time zone", dialect="trino")
            return exp.Cast(this=exp.Literal.string(text), to=type_)
    return node
