"""The columns of a ClickHouse relation or query: how each is asked for, and how it becomes what carries it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.types.clickhouse import Reading, parse_type, reading
from dvt.types.decimal_text import decimals_from_text
from dvt.types.normal import normal_type, normalised
from dvt.types.vocabulary import MICROS, TIME, is_json

# What `select *` does not give; EPHEMERAL columns hold nothing.
_NOT_IN_STAR = frozenset({"ALIAS", "MATERIALIZED", "EPHEMERAL"})


@dataclass(frozen=True)
class ColumnReader:
    """One column of a result.

    Args:
        schema: The column as the stream announces it.
        reading: How its type is read.
        native: Its type.
        in_star: Whether `select *` gives it.
    """

    schema: ColumnSchema
    reading: Reading
    native: str
    in_star: bool = True

    @property
    def is_cast(self) -> bool:
        """Whether the server casts it."""
        return self.reading.wire != self.native

    @property
    def expression(self) -> exp.Expr:
        """What stands in the select list."""
        name = exp.to_identifier(self.schema.name, quoted=True)
        if not self.is_cast:
            return exp.column(name)
        arguments = [exp.column(name), exp.Literal.string(self.reading.wire)]
        return exp.alias_(exp.Anonymous(this="CAST", expressions=arguments), name.copy())

    def require(self, connection: Connection, relation: str) -> None:
        """Raise when no value of the type can be read."""
        if self.reading.refused:
            raise UnsupportedError(
                self.reading.refused,
                connection=connection.name,
                relation=relation,
                column=self.schema.name,
                phase="extract",
                remedy="Leave the column out, or read it through a query or a view",
            )

    def read(self, array: pa.Array) -> pa.Array:
        """The carried values of what the server sent.

        Raises:
            DataError: A value cannot be carried; the column is named.
        """
        type_ = self.schema.type
        is_text = self.reading.wire in ("String", "Nullable(String)")
        announced = normal_type(array.type)
        if announced != _sent(pa.string() if is_text else type_) and not pa.types.is_null(array.type):
            raise InternalError(f"ClickHouse sent {array.type}, announced was {type_}", column=self.schema.name)
        try:
            if is_json(type_):
                return pa.ExtensionArray.from_storage(type_, array.cast(pa.string()))
            if is_text and pa.types.is_decimal(type_):
                return decimals_from_text(array.cast(pa.string()), type_)
            if type_ == TIME:
                return _times(array.cast(pa.string()))
            return normalised(array, type_)
        except ValueError as error:  # pyarrow's errors of casts are ValueErrors
            raise DataError(
                f"a value of type {self.native} cannot be carried as {type_}: {error}",
                column=self.schema.name,
                phase="extract",
                remedy=_remedy(self.native, type_),
            ) from error


def column_readers(connection: Connection, described: str) -> dict[str, ColumnReader]:
    """Readers by column name, from DESCRIBE in the format JSONCompact."""
    strings_as, time_as = str(connection.options["strings_as"]), str(connection.options["time_as"])
    readers: dict[str, ColumnReader] = {}
    for name, text, kind, *_ in json.loads(described)["data"]:
        if kind == "EPHEMERAL":
            continue
        how = reading(parse_type(text), strings_as=strings_as, time_as=time_as)
        schema = ColumnSchema(name, how.type, how.nullable, text)
        readers[name] = ColumnReader(schema, how, parse_type(text).text, kind not in _NOT_IN_STAR)
    return readers


def select_sql(inner: str, readers: Sequence[ColumnReader]) -> str:
    """The statement that asks for the columns of another one as they are carried.

    The casts stand outside of it: inside, their names would take the columns' place in WHERE and ORDER BY.
    """
    if not any(reader.is_cast for reader in readers):
        return inner
    columns = ", ".join(reader.expression.sql(dialect="clickhouse") for reader in readers)
    return " ".join(["SELECT", columns, "FROM (", inner, "\n)"])


def read_batch(batch: pa.RecordBatch, readers: Sequence[ColumnReader], place: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch as the stream announces it."""
    try:
        arrays = [reader.read(column) for reader, column in zip(readers, batch.columns, strict=True)]
    except (DataError, InternalError) as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _sent(type_: pa.DataType) -> pa.DataType:
    """What the server sends for a carried type, once it is in the vocabulary: texts come as bytes."""
    if pa.types.is_string(type_) or is_json(type_):
        return pa.binary()
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, _sent(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(pa.string(), _sent(type_.item_type))
    return pa.list_(_sent(type_.value_type)) if pa.types.is_list(type_) else type_


def _times(texts: pa.Array) -> pa.Array:
    """Times of day, read on the first day, where midnight is zero: Arrow has no cast from text to time."""
    return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(MICROS).view(pa.int64()).view(TIME)


def _remedy(native: str, type_: pa.DataType) -> str:
    if type_ == TIME:
        return "Set the connection's option dvt.time_as: text"
    if pa.types.is_string(type_):
        return "Set the connection's option dvt.strings_as: binary (in an output of its own, if need be)"
    return "Cast the column in a query or a view of the source"
