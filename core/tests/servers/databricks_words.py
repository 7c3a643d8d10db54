"""How the stand-in for Databricks puts DuckDB's types, statements and errors in Databricks' words."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from databricks.sql.thrift_api.TCLIService import ttypes
from sqlglot import exp

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


_WITH_POINT = "cast(x as varchar) || case when contains(cast(x as varchar), '.') then '' else '.0' end"
_SHOW = re.compile(r"(?i)^show (databases|tables|views)(?: in (?:`lake`\.)?`((?:[^`]|``)+)`)?$")


def translated(statement: str) -> str:
    """A statement of Databricks in DuckDB's SQL."""
    shown = _SHOW.match(statement)
    if shown and shown.group(1).lower() == "databases":
        return "select schema_name as \"databaseName\" from information_schema.schemata where catalog_name = 'lake'"
    if shown:
        schema = exp.Literal.string((shown.group(2) or "").replace("``", "`")).sql("duckdb")
        kinds = "('VIEW')" if shown.group(1).lower() == "views" else "('BASE TABLE', 'VIEW')"
        return (
            'select table_schema as namespace, table_name as name, false as "isTemporary" from'
            f" information_schema.tables where table_catalog = 'lake' and table_schema = {schema}"
            f" and table_type in {kinds}"
        )
    return sqlglot.parse_one(statement, read="databricks").transform(_said_in_duckdb).sql(dialect="duckdb")


def _said_in_duckdb(node: exp.Expr) -> exp.Expr:
    """`format_number` always writes a point."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() != "format_number":
        return node
    said = sqlglot.parse_one(_WITH_POINT, read="duckdb")
    return exp.paren(said.transform(lambda n: node.expressions[0].copy() if isinstance(n, exp.Column) else n))


def thrift_column(position: int, field: pa.Field) -> Any:
    """A column as Thrift announces it: several types share one name, and what is nested is one word."""
    named = _BY_NAME.get((field.metadata or {}).get(b"Spark:DataType:SqlName", b""))
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


_NO_TABLE = re.compile(r"name (\S+) does not exist")
_NO_COLUMN = re.compile(r'column "?([^"]+?)"? not found')


def spark_error(error: Exception) -> tuple[str, str]:
    """An error in the form of Databricks' error classes: its words and SQLSTATE."""
    words = str(error)
    table, column = _NO_TABLE.search(words), _NO_COLUMN.search(words)
    if isinstance(error, duckdb.CatalogException):
        name = table.group(1) if table else "?"
        text, state = f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{name}` cannot be found.", "42P01"
    elif isinstance(error, duckdb.BinderException) and column:
        what = "A column, variable, or function parameter with name"
        text = f"[UNRESOLVED_COLUMN.WITH_SUGGESTION] {what} `{column.group(1)}` cannot be resolved."
        state = "42703"
    elif isinstance(error, duckdb.ConversionException):
        text, state = f"[CAST_INVALID_INPUT] The value cannot be cast: {words}", "22018"
    elif isinstance(error, (sqlglot.errors.ParseError, duckdb.ParserException)):
        text, state = "[PARSE_SYNTAX_ERROR] Syntax error at or near 'selec'.", "42601"
    else:
        text, state = f"[INTERNAL_ERROR] {words}", "XX000"
    return f"{text} SQLSTATE: {state}", state
