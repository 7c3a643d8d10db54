"""What the stand-in for Databricks says in Databricks' words: types, errors, and what its statements mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import sqlglot
from databricks.sql.thrift_api.TCLIService import ttypes
from sqlglot import exp

from servers.fake_sql import FakeColumn, FakeSQLError
from servers.hash_words import number_of

_ID = ttypes.TTypeId
_TYPES = {
    pa.bool_(): _ID.BOOLEAN_TYPE,
    pa.int8(): _ID.TINYINT_TYPE,
    pa.int16(): _ID.SMALLINT_TYPE,
    pa.int32(): _ID.INT_TYPE,
    pa.int64(): _ID.BIGINT_TYPE,
    pa.float32(): _ID.FLOAT_TYPE,
    pa.float64(): _ID.DOUBLE_TYPE,
    pa.date32(): _ID.DATE_TYPE,
    pa.binary(): _ID.BINARY_TYPE,
    pa.null(): _ID.NULL_TYPE,
}
_KINDS = (
    (pa.types.is_timestamp, _ID.TIMESTAMP_TYPE),
    (pa.types.is_list, _ID.ARRAY_TYPE),
    (pa.types.is_struct, _ID.STRUCT_TYPE),
    (pa.types.is_map, _ID.MAP_TYPE),
)
_BY_NAME = {
    b"INTERVAL DAY TO SECOND": _ID.INTERVAL_DAY_TIME_TYPE,
    b"INTERVAL YEAR TO MONTH": _ID.INTERVAL_YEAR_MONTH_TYPE,
}


SQL_NAME = b"Spark:DataType:SqlName"
_NOT_NULL = re.compile(r"NOT NULL constraint failed: \S+\.(\S+)")
_WITH_POINT = "cast(x as varchar) || case when contains(cast(x as varchar), '.') then '' else '.0' end"
_SHOW = re.compile(r"(?i)^show (databases|tables|views)(?: in (?:`lake`\.)?`((?:[^`]|``)+)`)?$")
_TEXTS = (exp.DType.VARCHAR, exp.DType.CHAR)
_OWN_NAMES = {"HUGEINT": "DECIMAL(38,0)", '"NULL"': "VOID"}  # of what no type of Databricks' is as DuckDB's
_AS_TEXT = ("VARIANT", "GEOMETRY", "GEOGRAPHY", "INTERVAL")


def asked(statement: str) -> str:
    """A statement as a query: of SHOW, the one that gives its rows."""
    shown = _SHOW.match(statement)
    if shown is None:
        return statement
    if shown.group(1).lower() == "databases":
        return "select schema_name as `databaseName` from information_schema.schemata"
    schema = exp.Literal.string((shown.group(2) or "").replace("``", "`")).sql("databricks")
    kinds = "('VIEW')" if shown.group(1).lower() == "views" else "('BASE TABLE', 'VIEW')"
    return (
        "select table_schema as namespace, table_name as name, false as `isTemporary`"
        f" from information_schema.tables where table_schema = {schema} and table_type in {kinds}"
    )


def stored_as(native: exp.DataType) -> str | None:
    """What DuckDB does not have, or writes in other words, is kept as text."""
    return "VARCHAR" if native.sql("databricks").startswith(_AS_TEXT) else None


def in_duckdb(tree: exp.Expr) -> exp.Expr:
    """A statement with what Databricks means by it: `format_number` writes a point, the column of `range` is `id`,
    CONV is asked for hexadecimal digits.
    """
    for table in tree.find_all(exp.Table):
        if (
            isinstance(table.this, exp.Anonymous)
            and table.this.name.lower() == "range"
            and not table.alias_column_names
        ):
            named = exp.TableAlias(this=exp.to_identifier(table.alias or "range"), columns=[exp.to_identifier("id")])
            table.set("alias", named)
    return tree.transform(_with_point)


def _with_point(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() == "conv":
        return number_of(node.expressions[0])
    if not isinstance(node, exp.Anonymous) or node.name.lower() != "format_number":
        return node
    said = sqlglot.parse_one(_WITH_POINT, read="duckdb")
    return exp.paren(said.transform(lambda n: node.expressions[0].copy() if isinstance(n, exp.Column) else n))


def as_sent(table: pa.Table, columns: Sequence[FakeColumn]) -> pa.Table:
    """A result with the names of its types in its fields."""
    fields = [
        pa.field(column.name, field.type, metadata={SQL_NAME: _native_name(column).encode()})
        for field, column in zip(table.schema, columns, strict=True)
    ]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def _native_name(column: FakeColumn) -> str:
    """A type as results call it: a text's length is not among what they say."""
    if column.native is None and column.stored in _OWN_NAMES:
        return _OWN_NAMES[column.stored]
    native = column.native or exp.DataType.build(column.stored, dialect="duckdb")
    if native.this in _TEXTS:
        return "STRING"
    return re.sub(r"DECIMAL\((\d+), (\d+)\)", r"DECIMAL(\1,\2)", native.sql("databricks"))


def thrift_column(position: int, field: pa.Field) -> Any:
    """A column as Thrift announces it: several types share one name, and what is nested is one word."""
    named = _BY_NAME.get((field.metadata or {}).get(SQL_NAME, b""))
    entry = ttypes.TPrimitiveTypeEntry(type=named if named is not None else _type_id(field.type))
    if pa.types.is_decimal(field.type):
        numbers = {"precision": field.type.precision, "scale": field.type.scale}
        values = {name: ttypes.TTypeQualifierValue(i32Value=number) for name, number in numbers.items()}
        entry = ttypes.TPrimitiveTypeEntry(type=_ID.DECIMAL_TYPE, typeQualifiers=ttypes.TTypeQualifiers(values))
    described = ttypes.TTypeDesc(types=[ttypes.TTypeEntry(primitiveEntry=entry)])
    return ttypes.TColumnDesc(columnName=field.name, position=position + 1, typeDesc=described, comment="")


def _type_id(type_: pa.DataType) -> int:
    if type_ in _TYPES:
        return int(_TYPES[type_])
    return int(next((number for is_such, number in _KINDS if is_such(type_)), _ID.STRING_TYPE))


def spark_error(error: Exception) -> tuple[str, str]:
    """An error in the form of Databricks' error classes: its words and SQLSTATE."""
    kind, name = (error.kind, error.name) if isinstance(error, FakeSQLError) else ("query", "")
    if kind == "spark":  # its own words already
        return str(error), str(error).rpartition("SQLSTATE: ")[2]
    if kind in ("table", "schema"):
        text, state = f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{name}` cannot be found.", "42P01"
    elif kind == "column":
        what = "A column, variable, or function parameter with name"
        text, state = f"[UNRESOLVED_COLUMN.WITH_SUGGESTION] {what} `{name}` cannot be resolved.", "42703"
    elif kind == "syntax":
        text, state = "[PARSE_SYNTAX_ERROR] Syntax error at or near end of input.", "42601"
    elif kind == "cancelled":
        text, state = "[OPERATION_CANCELED] Operation has been canceled.", "HY008"
    elif found := _NOT_NULL.search(str(error)):
        text, state = (
            f"[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: {found[1]}.",
            "23502",
        )
    elif "CHECK constraint failed" in str(error):
        text, state = "[DELTA_EXCEED_CHAR_VARCHAR_LIMIT] Exceeds char/varchar type length limitation.", "22001"
    elif str(error).startswith("Conversion Error"):
        text, state = f"[CAST_INVALID_INPUT] The value cannot be cast: {error}", "22018"
    else:
        text, state = f"[INTERNAL_ERROR] {error}", "XX000"
    return f"{text} SQLSTATE: {state}", state
