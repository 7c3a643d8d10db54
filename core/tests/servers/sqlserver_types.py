"""SQL Server's types for its fake: how sqlglot tells them apart, what DuckDB keeps, what the wire calls them."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.tokens import TokenType

from servers.fake_sql import FakeColumn
from servers.tds import LATIN1, Column

_T = exp.DataType.Type
TEXTS = (_T.CHAR, _T.VARCHAR, _T.NCHAR, _T.NVARCHAR, _T.TEXT)
# Texts and bytes of a size, which is what pads them: `sqlserver_words` stores them.
SIZED = (*TEXTS, _T.BINARY)
_HELD = {
    _T.MONEY: "DECIMAL(19,4)", _T.SMALLMONEY: "DECIMAL(10,4)", _T.BIT: "BOOLEAN", _T.FLOAT: "FLOAT",
    _T.DOUBLE: "DOUBLE", _T.VARBINARY: "BLOB", _T.IMAGE: "BLOB", _T.ROWVERSION: "BLOB",
}  # fmt: skip
_AS_THEY_ARE = (_T.UTINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.DATE, _T.UUID, *SIZED)
_MOMENTS = {_T.DATETIME: "TIMESTAMP", _T.DATETIME2: "TIMESTAMP", _T.TIMESTAMPTZ: "TIMESTAMPTZ"}
_NAMES = {_T.INT: "int", _T.FLOAT: "real", _T.DOUBLE: "float", _T.TEXT: "text"}
# What a statement's result has of DuckDB's own types.
_COMPUTED = {
    "BOOLEAN": "bit", "UTINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint",
    "FLOAT": "real", "DOUBLE": "float", "DATE": "date", "BLOB": "varbinary(8000)", "UUID": "uniqueidentifier",
    "HUGEINT": "bigint", "TIMESTAMP": "datetime2(6)", "TIMESTAMP WITH TIME ZONE": "datetimeoffset(7)",
}  # fmt: skip


class SqlServer(TSQL):  # type: ignore[misc]
    """T-SQL with two pairs of types that sqlglot takes for one each: float and real, text and ntext."""

    class Tokenizer(TSQL.Tokenizer):  # type: ignore[misc]
        """Its words."""

        KEYWORDS = {
            **{word: kind for word, kind in TSQL.Tokenizer.KEYWORDS.items() if word != "NTEXT"},
            "FLOAT": TokenType.DOUBLE,
        }


def stored_as(native: exp.DataType) -> str | None:
    """DuckDB's type for a native one. What DuckDB does not hold is kept as the text that SQL Server prints.

    So are moments; only what is cast to one becomes a moment of DuckDB's.
    """
    if native.this in _AS_THEY_ARE:
        return None
    if native.this == _T.DECIMAL:
        return None if native.expressions else "DECIMAL(18,0)"
    if isinstance(native.parent, exp.Cast) and native.this in _MOMENTS:
        return _MOMENTS[native.this]
    return _HELD.get(native.this, "VARCHAR")


def wire_column(column: FakeColumn) -> Column:
    """A result's column in SQL Server's words."""
    native = column.native
    if native is None:
        named = column.stored.lower() if column.stored.startswith("DECIMAL") else "nvarchar(4000)"
        return Column(column.name, _COMPUTED.get(column.stored, named))
    collation = native.args.get("collate")
    has_collation = native.this in TEXTS or native.name == "ntext"
    return Column(
        column.name,
        _name(native),
        native.args.get("nullable") is not False,
        (collation.name if collation is not None else LATIN1) if has_collation else None,
    )


def column_list(listed: str) -> list[Column]:
    """The columns of WITH RESULT SETS."""
    created = sqlglot.parse_one(f"create table t ({listed})", read=SqlServer)
    return [wire_column(FakeColumn(c.name, c.args["kind"], "")) for c in created.find_all(exp.ColumnDef)]


def _name(native: exp.DataType) -> str:
    if native.this == _T.DECIMAL:
        digits = [str(part.name) for part in native.expressions] or ["18"]
        return f"decimal({','.join([*digits, '0'][:2])})"
    bare = native.copy()
    bare.set("collate", None)
    return _NAMES.get(native.this) or str(bare.sql(dialect="tsql")).lower().replace(" ", "")
