"""The columns of a Snowflake result: how each is asked for, and how its batches become what was announced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.types.normal import normal_type, normalised
from dvt.types.snowflake import MOST_FRACTION, Asking, NativeType, Reading, reading
from dvt.types.vocabulary import MICROS, TIME, is_json

_FORMATS = {Asking.TIME_TEXT: "HH24:MI:SS.FF9", Asking.ZONED_TEXT: "YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM"}


@dataclass(frozen=True)
class ColumnReader:
    """One column of a result.

    Args:
        schema: The column as the stream announces it.
        native: Its type at the server.
        reading: How its type is read.
    """

    schema: ColumnSchema
    native: NativeType
    reading: Reading

    @property
    def expressions(self) -> list[exp.Expr]:
        """What the select list has for it: one expression, or two where values could be cut."""
        column = exp.column(exp.to_identifier(self.schema.name, quoted=True))
        asking = self.reading.asking
        if asking is Asking.MICROSECONDS:
            to = exp.DataType.build(f"{self.native.name}({MOST_FRACTION})", dialect="snowflake")
            part = exp.Anonymous(this="DATE_PART", expressions=[exp.var("NANOSECOND"), column.copy()])
            cut = exp.Anonymous(this="MOD", expressions=[part, exp.Literal.number(1000)])
            return [self._named(exp.Cast(this=column, to=to)), cut]
        if asking is Asking.TEXT:
            return [self._named(exp.Cast(this=column, to=exp.DataType.build("VARCHAR")))]
        if asking is Asking.WKB:
            return [self._named(exp.Anonymous(this="ST_ASEWKB", expressions=[column]))]
        if asking in _FORMATS:
            form = exp.Literal.string(_FORMATS[asking])
            return [self._named(exp.Anonymous(this="TO_VARCHAR", expressions=[column, form]))]
        return [column]

    def _named(self, expression: exp.Expr) -> exp.Expr:
        return exp.alias_(expression, exp.to_identifier(self.schema.name, quoted=True))

    def require(self, connection: Connection, relation: str) -> None:
        """Raise when no value of the type can be read."""
        if self.reading.asking is Asking.REFUSED:
            raise UnsupportedError(
                f"no type carries {self.native.text}",
                connection=connection.name,
                relation=relation,
                column=self.schema.name,
                phase="extract",
                remedy="Leave the column out, or cast it in a query or a view",
            )

    def read(self, array: pa.Array) -> pa.Array:
        """The carried values; the server takes the smallest integers that hold a batch's numbers.

        Raises:
            DataError: A value cannot be carried; the column is named.
        """
        type_ = self.schema.type
        is_time_text = self.reading.asking is Asking.TIME_TEXT
        if not _is_expected(array.type, pa.string() if is_time_text else type_):
            raise InternalError(f"Snowflake sent {array.type}, announced was {type_}", column=self.schema.name)
        try:
            if is_time_text:
                return _times(array.cast(pa.string()))
            if is_json(type_):
                return pa.ExtensionArray.from_storage(type_, array.cast(pa.string()))
            if pa.types.is_decimal(type_) and pa.types.is_integer(array.type):
                return array.cast(pa.decimal128(38, 0)).cast(type_)
            if pa.types.is_integer(type_) and pa.types.is_decimal(array.type):
                return array.cast(pa.decimal128(38, 0)).cast(type_)
            return normalised(array, type_)
        except ValueError as error:  # pyarrow's errors of casts are ValueErrors
            raise DataError(
                f"a value of type {self.native.text} cannot be carried as {type_}: {error}",
                column=self.schema.name,
                phase="extract",
                remedy="Cast the column in a query or a view of the source"
                if not pa.types.is_int64(type_)
                else "Set the connection's option dvt.whole_numbers_as: decimal",
            ) from error

    def require_whole(self, cut: pa.Array) -> None:
        """Raise when a cast to microseconds has cut something."""
        if pc.any(pc.not_equal(cut.cast(pa.int64()), 0)).as_py():
            raise DataError(
                f"a value of type {self.native.text} has nanoseconds, and microseconds are carried",
                column=self.schema.name,
                phase="extract",
                remedy=f"Cast the column to {self.native.name}({MOST_FRACTION}), or to VARCHAR, in a query or a view",
            )


def column_readers(connection: Connection, described: Sequence[Any]) -> list[ColumnReader]:
    """Readers from the description of a result.

    Args:
        connection: Where it comes from.
        described: The connector's `ResultMetadata` (or V2), in order.
    """
    options = {key: str(connection.options[key]) for key in ("whole_numbers_as", "zoned_as")}
    readers = []
    for column in described:
        native = native_type(column)
        how = reading(native, **options)
        schema = ColumnSchema(column.name, how.type, column.is_nullable is not False, native.text)
        readers.append(ColumnReader(schema, native, how))
    return readers


def has_vector(described: Sequence[Any]) -> bool:
    """Whether a column of a description is a vector."""
    return any(native_type(column).name == "VECTOR" for column in described)


def native_type(column: Any) -> NativeType:
    """The type of a described column."""
    from snowflake.connector.constants import FIELD_ID_TO_NAME

    fields = getattr(column, "fields", None)
    return NativeType(
        str(FIELD_ID_TO_NAME[column.type_code]),
        column.precision,
        column.scale,
        getattr(column, "vector_dimension", None),
        str(FIELD_ID_TO_NAME[fields[0].type_code]) if fields else "",
    )


def select_sql(inner: str, readers: Sequence[ColumnReader]) -> str:
    """The statement that asks for the columns of another one as they are carried.

    The casts stand outside of it: inside, their names would take the columns' place in ORDER BY.
    """
    if all(reader.reading.asking is Asking.AS_IS for reader in readers):
        return inner
    columns = [expression for reader in readers for expression in reader.expressions]
    listed = ", ".join(column.sql(dialect="snowflake") for column in columns)
    return " ".join(["SELECT", listed, "FROM (", inner, "\n)"])


def read_batch(batch: pa.RecordBatch, readers: Sequence[ColumnReader], place: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch as the stream announces it."""
    columns, arrays = iter(batch.columns), []
    try:
        for reader in readers:
            array = next(columns)
            if reader.reading.asking is Asking.MICROSECONDS:
                reader.require_whole(next(columns))
            arrays.append(reader.read(array))
    except (DataError, InternalError) as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _times(texts: pa.Array) -> pa.Array:
    """Times of day, read on the first day, where midnight is zero; nanoseconds that are not zero fail."""
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})000$", r"\1")
    return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(MICROS).view(pa.int64()).view(TIME)


def _is_expected(sent: pa.DataType, announced: pa.DataType) -> bool:
    """Whether a type that came is one in which the announced one may come."""
    is_number = pa.types.is_decimal(announced) or pa.types.is_int64(announced)
    if pa.types.is_null(sent):
        return True
    if is_number and pa.types.is_signed_integer(sent):
        # A scaled number never comes as a bare integer: the connector is told to make decimals of them.
        return pa.types.is_int64(announced) or bool(announced.scale == 0)
    if pa.types.is_timestamp(announced) and pa.types.is_timestamp(sent):
        return (sent.tz is None) == (announced.tz is None)
    for is_kind in (pa.types.is_date, pa.types.is_time):
        if is_kind(announced):
            return bool(is_kind(sent))
    if is_number:
        return bool(pa.types.is_decimal(sent))
    return bool(pa.types.is_string(sent) if is_json(announced) else normal_type(sent) == announced)
