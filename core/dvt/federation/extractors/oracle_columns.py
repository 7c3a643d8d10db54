"""The columns of an Oracle relation or query: how each is asked for, and how it becomes what carries it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.errors import DataError, InternalError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import quote
from dvt.types.normal import normal_type, normalised
from dvt.types.oracle import COLUMN, UNICODE, Reading, native_name, reading
from dvt.types.text_values import parser
from dvt.types.vocabulary import is_json

# SYYYY puts a blank before the years that are ours.
_MOMENT = r"^ [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6}000)?$"
_DATE_AND_MICROS = 26
_LONGEST_LIST = 1000  # ORA-01795


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
    def expression(self) -> str:
        """What stands in the select list."""
        name = quote(self.schema.name, "oracle")
        if self.reading.asked == COLUMN:
            return name
        return " ".join([self.reading.asked.replace(COLUMN, name), "AS", name])

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
        """The carried values of what the driver gives.

        Raises:
            DataError: A value cannot be carried; the column is named.
        """
        type_ = self.schema.type
        given = pa.string() if self.reading.is_text else type_
        if normal_type(array.type) != given and not pa.types.is_null(array.type):
            raise InternalError(f"oracledb gave {array.type}, announced was {given}", column=self.schema.name)
        try:
            if not self.reading.is_text:
                return normalised(array, type_)
            return _from_text(array.cast(pa.string()), type_)
        except ValueError as error:  # pyarrow's errors of casts are ValueErrors
            raise DataError(
                f"a value of type {self.schema.native_type} cannot be carried as {type_}: {error}",
                column=self.schema.name,
                phase="extract",
                remedy=_remedy(type_),
            ) from error


def column_readers(connection: Connection, description: Sequence[Any], charset: str) -> list[ColumnReader]:
    """Readers in the order of the result, from a cursor's description."""
    options = connection.options
    readers = []
    for info in description:
        kind, precision, scale = info.type_code.name, info.precision, info.scale
        how = reading(
            kind,
            precision,
            scale,
            number_as=str(options["number_as"]),
            number_scale=int(options["number_scale"]),
            moments_as=str(options["moments_as"]),
            charset=charset,
        )
        native = native_name(kind, precision, scale, info.display_size)
        encoding = "" if charset in UNICODE else charset
        readers.append(ColumnReader(ColumnSchema(info.name, how.type, bool(info.null_ok), native, encoding), how))
    return readers


def select_sql(inner: str, readers: Sequence[ColumnReader]) -> str:
    """The statement that asks for the columns of another one as they are carried."""
    if all(reader.reading.asked == COLUMN for reader in readers):
        return inner
    return " ".join(["SELECT", ", ".join(reader.expression for reader in readers), "FROM (", inner, "\n)"])


def said_in_oracle(request: ExtractionConfig) -> ExtractionConfig:
    """A request whose predicates mean in Oracle what they say: casts from text go by formats of the session there."""
    return dataclasses.replace(request, predicates=tuple(_said(predicate) for predicate in request.predicates))


def _said(predicate: exp.Expr) -> Any:
    predicate = predicate.copy().transform(_short_lists)
    for cast in list(predicate.find_all(exp.Cast)):
        text, kind = cast.this.name, cast.to.this
        if kind == exp.DType.DATE:
            cast.replace(_made("TO_DATE", text, "YYYY-MM-DD"))
        elif kind in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
            clock, zone = (text[:-3], text[-3:]) if kind == exp.DType.TIMESTAMPTZ else (text, "")
            whole, _, fraction = clock.partition(".")
            moment = f"{whole}.{fraction.ljust(6, '0')}"
            if zone:
                cast.replace(_made("TO_TIMESTAMP_TZ", f"{moment} {zone}:00", "YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM"))
            else:
                cast.replace(_made("TO_TIMESTAMP", moment, "YYYY-MM-DD HH24:MI:SS.FF6"))
    return predicate


def _short_lists(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.In) or len(node.expressions) <= _LONGEST_LIST:
        return node
    starts = range(0, len(node.expressions), _LONGEST_LIST)
    parts = [node.expressions[start : start + _LONGEST_LIST] for start in starts]
    return exp.paren(exp.or_(*(exp.In(this=node.this.copy(), expressions=part) for part in parts)))


def _made(function: str, text: str, format_: str) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=[exp.Literal.string(text), exp.Literal.string(format_)])


def read_batch(batch: pa.RecordBatch, readers: Sequence[ColumnReader], place: Mapping[str, str]) -> pa.RecordBatch:
    """A batch as the stream announces it."""
    try:
        arrays = [reader.read(column) for reader, column in zip(readers, batch.columns, strict=True)]
    except (DataError, InternalError) as error:
        raise error.at(**place) from error.__cause__
    fields = [pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _from_text(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_string(type_):
        texts.validate(full=True)  # the driver gives bytes as they come
        return texts
    if is_json(type_):
        return pa.ExtensionArray.from_storage(type_, texts)
    if pa.types.is_timestamp(type_):
        if pc.all(pc.match_substring_regex(texts, _MOMENT)).as_py() is False:
            bad = next(t for t in texts.to_pylist() if t is not None and not re.match(_MOMENT, t))
            raise ValueError(f"{bad} is before the year 1, or has more than six digits after the second")
        micros = pc.utf8_slice_codeunits(texts, 1, 1 + _DATE_AND_MICROS)
        return micros.cast(pa.timestamp("us")).cast(pa.int64()).cast(type_)
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return parser(type_)(texts)
    raise InternalError(f"no text is read as {type_}")


def _remedy(type_: pa.DataType) -> str:
    if pa.types.is_timestamp(type_):
        return "Set the connection's option dvt.moments_as: text"
    if pa.types.is_decimal(type_):
        return "Set the connection's option dvt.number_as: text, or dvt.number_scale"
    return "Cast the column in a query or a view of the source"
