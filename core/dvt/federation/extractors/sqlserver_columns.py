"""The columns of a SQL Server relation or query: how each is asked for, and how it becomes what carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.sqlserver_errors import described_failure
from dvt.errors import DataError, InternalError, QueryError, UnsupportedError
from dvt.federation.stream import ColumnSchema
from dvt.types.normal import normal_type, normalised
from dvt.types.sqlserver import Reading, reading
from dvt.types.text_values import parser
from dvt.types.vocabulary import MICROS_UTC, UUID, is_json

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_DATE_AND_MICROS = 26  # letters of "2026-01-31 12:34:56.123456"
# Rows are fetched into memory that is laid out for the longest values.
_FETCH_BYTES = 32 << 20
_SINGLY_ROWS = 2000
_DESCRIBE = (
    "SELECT name, COALESCE(system_type_name, user_type_name, N'a CLR type') AS type_name, is_nullable, collation_name,"
    " error_number, error_message FROM sys.dm_exec_describe_first_result_set("
)


@dataclass(frozen=True)
class ColumnReader:
    """One column of a result.

    Args:
        schema: The column as the stream announces it.
        reading: How its type is read.
        native: Its type.
        keeps_replaced: Whether a text with U+FFFD is taken for what it is.
    """

    schema: ColumnSchema
    reading: Reading
    native: str
    keeps_replaced: bool = False

    @property
    def is_cast(self) -> bool:
        """Whether the server casts it."""
        return self.reading.sent != self.native

    @property
    def expression(self) -> exp.Expr:
        """What stands in the select list."""
        name = exp.to_identifier(self.schema.name, quoted=True)
        column: exp.Expr = exp.column(name)
        if not self.is_cast:
            return column
        if self.reading.style:
            type_ = exp.Var(this=self.reading.sent)
            cast: exp.Expr = exp.Anonymous(
                this="CONVERT", expressions=[type_, column, exp.Literal.number(self.reading.style)]
            )
        else:
            cast = exp.Anonymous(
                this="CAST", expressions=[exp.Alias(this=column, alias=exp.Var(this=self.reading.sent))]
            )
        return exp.alias_(cast, name.copy())

    def require(self, connection: Connection, relation: str, *, is_query: bool) -> None:
        """Raise when no value of the type can be read."""
        refused, remedy = self.reading.refused, "Leave the column out, or read it through a query or a view"
        if not refused and is_query and self.is_cast and not self.reading.is_implicit:
            refused, remedy = f"{self.native} is not read from a query", f"Cast it in the query to {self.reading.sent}"
        if refused:
            raise UnsupportedError(
                refused,
                connection=connection.name,
                relation=relation,
                column=self.schema.name,
                phase="extract",
                remedy=remedy,
            )

    def read(self, array: pa.Array) -> pa.Array:
        """The carried values of what the driver gives.

        Raises:
            DataError: A value cannot be carried; the column is named.
        """
        type_ = self.schema.type
        if normal_type(array.type) != normal_type(_given(self.reading)):
            raise InternalError(f"SQL Server sent {array.type}, announced was {type_}", column=self.schema.name)
        try:
            return self._read(array, type_)
        except ValueError as error:  # pyarrow's errors of casts are ValueErrors
            raise DataError(
                f"a value of type {self.native} cannot be carried as {type_}: {error}",
                column=self.schema.name,
                phase="extract",
                remedy=self._remedy,
            ) from error

    def _read(self, array: pa.Array, type_: pa.DataType) -> pa.Array:
        if type_ == UUID:
            return parser(UUID)(pc.utf8_lower(array).cast(pa.string()))
        if self.reading.style and pa.types.is_timestamp(type_):
            return _moments(array.cast(pa.string()), type_)
        if pa.types.is_string(type_) or is_json(type_):
            self._check_replaced(array)
            texts = array.cast(pa.string())
            return pa.ExtensionArray.from_storage(type_, texts) if is_json(type_) else texts
        return normalised(array, type_)

    def _check_replaced(self, array: pa.Array) -> None:
        if not self.keeps_replaced and pc.any(pc.match_substring(array, _REPLACEMENT)).as_py():
            raise ValueError("a text has U+FFFD, which may stand for half a surrogate pair")

    @property
    def _remedy(self) -> str:
        if pa.types.is_string(self.schema.type):
            return "Set the connection's option dvt.replaced_text: keep, or mend the text"
        if pa.types.is_temporal(self.schema.type):
            return "Set the connection's option dvt.fractions_as: text"
        return "Cast the column in a query or a view of the source"


def describe_sql(statement: str) -> str:
    """The question for the columns of a statement's result; it is not run."""
    return "".join([_DESCRIBE, exp.National(this=statement).sql(dialect="tsql"), ", NULL, 0) ORDER BY column_ordinal"])


def column_readers(connection: Connection, described: Sequence[Sequence[object]], relation: str) -> list[ColumnReader]:
    """Readers in the order of the result, from the answer to `describe_sql`."""
    options = connection.options
    ways = {key: str(options[key]) for key in ("fractions_as", "offsets_as")}
    keeps = options["replaced_text"] == "keep"
    readers = []
    for place, (name, native, nullable, _, number, message) in enumerate(described, 1):
        if number is not None:
            raise described_failure(int(str(number)), str(message), connection, relation)
        if not name:
            raise QueryError(
                f"column {place} of the query has no name",
                connection=connection.name,
                relation=relation,
                phase="describe",
                remedy="Name it: `expression as name`",
            )
        how = reading(str(native), **ways)
        schema = ColumnSchema(str(name), how.type, bool(nullable), str(native))
        readers.append(ColumnReader(schema, how, str(native), keeps))
    if not readers:
        raise QueryError("the statement gives no rows", connection=connection.name, relation=relation, phase="describe")
    return readers


def select_sql(inner: str, readers: Sequence[ColumnReader], *, is_query: bool) -> str:
    """The statement that asks for the columns of another one as they are carried.

    A query of the user's may begin with WITH or end with ORDER BY, which no derived table may: it is run as it is, and
    its result is declared as the types that are wanted, which the server makes of it.
    """
    if not any(reader.is_cast for reader in readers):
        return inner
    if not is_query:
        columns = ", ".join(reader.expression.sql(dialect="tsql") for reader in readers)
        return "".join(["SELECT ", columns, " FROM (", inner, ") AS [dvt_rows]"])
    names = [exp.to_identifier(reader.schema.name, quoted=True).sql(dialect="tsql") for reader in readers]
    declared = ", ".join(
        " ".join([name, reader.reading.sent, "NULL"]) for name, reader in zip(names, readers, strict=True)
    )
    return "".join(["EXEC (", exp.National(this=inner).sql(dialect="tsql"), ") WITH RESULT SETS ((", declared, "))"])


def fetch_rows(readers: Sequence[ColumnReader], batch_rows: int) -> int:
    """How many rows are fetched at once: at most those of a batch, within a bound of memory."""
    widths = [reader.reading.width_bytes for reader in readers]
    if 0 in widths:
        return min(batch_rows, _SINGLY_ROWS)
    return max(1, min(batch_rows, _FETCH_BYTES // sum(widths)))


def read_batch(batch: pa.RecordBatch, readers: Sequence[ColumnReader], place: Mapping[str, str]) -> pa.RecordBatch:
    """A batch as the stream announces it."""
    try:
        arrays = [reader.read(column) for reader, column in zip(readers, batch.columns, strict=True)]
    except (DataError, InternalError) as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _given(reading_: Reading) -> pa.DataType:
    """What the driver gives for a carried type."""
    is_text = reading_.type == UUID or bool(reading_.style) or is_json(reading_.type)
    return pa.string() if is_text else reading_.type


def _moments(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    """Moments with seven digits, of which the last has to be 0."""
    seventh = pc.utf8_slice_codeunits(texts, _DATE_AND_MICROS, _DATE_AND_MICROS + 1)
    if pc.any(pc.not_equal(seventh, "0")).as_py():
        raise ValueError("a value has a seventh digit after the second")
    micros = pc.utf8_slice_codeunits(texts, 0, _DATE_AND_MICROS)
    if type_ == MICROS_UTC:
        offsets = pc.utf8_slice_codeunits(texts, _DATE_AND_MICROS + 2)
        micros = pc.binary_join_element_wise(micros, offsets, "")
    return micros.cast(type_)
