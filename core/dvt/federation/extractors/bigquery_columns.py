"""The columns of a BigQuery table or result, and how batches of the Storage Read API become what was announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.types.bigquery import Reading, reading
from dvt.types.normal import normalised
from dvt.types.vocabulary import is_json


@dataclass(frozen=True)
class ColumnReader:
    """One column.

    Args:
        schema: The column as the stream announces it.
        reading: How its type is read.
        field: The client's `SchemaField`.
    """

    schema: ColumnSchema
    reading: Reading
    field: Any

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

    def read(self, array: pa.Array) -> pa.Array:
        """The carried values.

        Raises:
            DataError: A value cannot be carried; the column is named.
        """
        try:
            return _carried(array, self.schema.type)
        except _UnexpectedError as error:
            raise InternalError(
                f"BigQuery sent {array.type}, announced was {self.schema.type}", column=self.schema.name
            ) from error
        except ValueError as error:  # pyarrow's errors of casts are ValueErrors
            is_wide = self.reading.native == "BIGNUMERIC"
            raise DataError(
                f"a value of type {self.reading.native} cannot be carried as {self.schema.type}: {error}",
                column=self.schema.name,
                phase="extract",
                remedy="Set the connection's option dvt.bignumeric_scale, or cast the column in a query or a view"
                if is_wide
                else "Cast the column in a query or a view",
            ) from error


class _UnexpectedError(Exception):
    """A type came that does not stand for the announced one."""


def column_readers(connection: Connection, fields: Sequence[Any]) -> dict[str, ColumnReader]:
    """Readers by column name, from the schema of a table or of a query's dry run."""
    scale = int(connection.options["bignumeric_scale"])
    readers = {}
    for field in fields:
        how = reading(field, scale)
        schema = ColumnSchema(field.name, how.type, field.mode != "REQUIRED", how.native)
        readers[field.name] = ColumnReader(schema, how, field)
    return readers


def read_batch(batch: pa.RecordBatch, readers: Sequence[ColumnReader], place: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch as the stream announces it; the session gives columns in the table's order, and is asked by name."""
    try:
        arrays = [reader.read(batch.column(reader.schema.name)) for reader in readers]
    except (DataError, InternalError) as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _carried(array: pa.Array, type_: pa.DataType) -> pa.Array:
    sent = array.type
    if pa.types.is_struct(type_) and pa.types.is_struct(sent):
        if len(sent) != len(type_):
            raise _UnexpectedError
        children = [_carried(child, type_.field(i).type) for i, child in enumerate(array.flatten())]
        return pa.StructArray.from_arrays(children, fields=list(type_), mask=array.is_null())
    if pa.types.is_list(type_) and pa.types.is_list(sent):
        # A NULL array is an empty one when it is read.
        values = _carried(array.flatten(), type_.value_type)
        lengths = array.value_lengths().fill_null(0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), _running_sum(lengths)])
        return pa.ListArray.from_arrays(offsets, values, type=type_)
    if is_json(type_) and pa.types.is_string(sent):
        return pa.ExtensionArray.from_storage(type_, array)
    if pa.types.is_decimal(type_) and pa.types.is_decimal(sent):
        return normalised(array, type_)
    if pa.types.is_string(type_) and sent == pa.month_day_nano_interval():
        return _interval_texts(array)
    if sent != type_ and not pa.types.is_null(sent):
        raise _UnexpectedError
    return normalised(array, type_)


def _running_sum(lengths: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.cumulative_sum(lengths.cast(pa.int32()))


def _interval_texts(array: pa.Array) -> pa.Array:
    """Intervals as BigQuery writes them: years and months, days, hours and smaller, each with a sign of its own."""
    return pa.array([None if value is None else _interval_text(*value) for value in array.to_pylist()], pa.string())


def _interval_text(months: int, days: int, nanoseconds: int) -> str:
    """One interval.

    >>> _interval_text(-14, 3, 3_723_000_004_000)
    '-1-2 3 1:2:3.000004'
    """
    years, month = divmod(abs(months), 12)
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    part = f".{fraction:09d}".rstrip("0") if fraction else ""
    clock = f"{seconds // 3600}:{seconds // 60 % 60}:{seconds % 60}{part}"
    return f"{'-' * (months < 0)}{years}-{month} {days} {'-' * (nanoseconds < 0)}{clock}"
