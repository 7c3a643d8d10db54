"""What stands behind the SQL Server fake: DuckDB, T-SQL by sqlglot, and a catalogue of SQL Server's own types.

DuckDB has no `datetime2(7)`, no `money` and no collation by column; so the fake remembers each column as it was
declared, keeps what DuckDB cannot hold as the text that SQL Server prints, and says of each result which types it has.
It is no SQL Server: what a statement means there, whom it lets in and how it compares texts is not shown by it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from servers.sqlserver_words import tsql_words
from servers.tds import LATIN1, Column

Name = tuple[str, str]
_BIGGER_BATCH = 2000
_STORED = {
    "bit": "BOOLEAN", "tinyint": "UTINYINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT",
    "real": "FLOAT", "float": "DOUBLE", "money": "DECIMAL(19,4)", "smallmoney": "DECIMAL(10,4)", "date": "DATE",
    "binary": "BLOB", "varbinary": "BLOB", "image": "BLOB", "rowversion": "BLOB", "timestamp": "BLOB",
    "uniqueidentifier": "UUID",
}  # fmt: skip
# What a statement's result has of DuckDB's own types.
_COMPUTED = {
    "BOOLEAN": "bit", "UTINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint",
    "FLOAT": "real", "DOUBLE": "float", "DATE": "date", "BLOB": "varbinary(8000)", "UUID": "uniqueidentifier",
    "HUGEINT": "bigint",
}  # fmt: skip
_TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar", "text", "ntext"})
_COLUMN = re.compile(r"\s*(\[(?:[^]]|\]\])+\]|\"(?:[^\"]|\"\")+\"|\w+)\s+(\w+(?:\s*\([^)]*\))?)(.*)", re.DOTALL)
_CONVERT = re.compile(r"CONVERT\((varchar\(\d+\)), (\[(?:[^]]|\]\])+\]), 121\)")
_CREATE = re.compile(r"(?is)^\s*create\s+table\s+(.+?)\s*\((.*)\)\s*;?\s*$")


@dataclass
class SqlServerError(Exception):
    """An error as SQL Server numbers it."""

    number: int
    message: str
    severity: int = 16


class Engine:
    """The databases of one fake."""

    def __init__(self) -> None:
        self._duckdb = duckdb.connect()
        self._duckdb.execute("set TimeZone = 'UTC'")
        self._duckdb.execute("create schema dbo")
        self.tables: dict[Name, list[Column]] = {}
        self._lock = threading.Lock()

    def execute(self, sql: str) -> None:
        """Run statements of a test's setup: CREATE TABLE, INSERT, CREATE SCHEMA, DROP TABLE."""
        found = _CREATE.match(sql)
        if found:
            self._create(found.group(1), found.group(2))
            return
        with self._lock:
            for statement in sqlglot.parse(sql, read="tsql"):
                if statement is not None:
                    self._duckdb.execute(self._duckdb_sql(statement))

    def rows_of(self, name: Name) -> int:
        """How many rows a table has."""
        found = self._cursor().execute(f"select count(*) from {_quoted(name)}").fetchone()
        return int(found[0]) if found else 0

    def described(self, sql: str) -> list[Column]:
        """The columns of a query's result."""
        query = _parsed(sql)
        names = self._run(f"select * from ({self._duckdb_sql(query)}) limit 0").description or []
        return self._typed(query, [(name, str(kind)) for name, kind, *_ in names])

    def query(self, sql: str) -> tuple[list[Column], Iterator[list[tuple[Any, ...]]]]:
        """The columns of a query and its rows, some at a time."""
        query = _parsed(sql)
        cursor = self._run(self._duckdb_sql(query))
        columns = self._typed(query, [(name, str(kind)) for name, kind, *_ in cursor.description or []])
        return columns, iter(lambda: cursor.fetchmany(_BIGGER_BATCH), [])

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            return self._duckdb.cursor()

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        cursor = self._cursor()
        try:
            cursor.execute("set TimeZone = 'UTC'")
            return cursor.execute(sql)
        except duckdb.CatalogException as error:
            missing = re.search(r"Table with name (.+?) does not exist", str(error))
            raise SqlServerError(208, f"Invalid object name '{missing[1] if missing else '?'}'.") from error
        except duckdb.BinderException as error:
            missing = re.search(
                r"column \"?(.+?)\"? (?:not found|does not)|does not have a column named \"(.+?)\"", str(error)
            )
            name = next((part for part in missing.groups() if part), "?") if missing else "?"
            raise SqlServerError(207, f"Invalid column name '{name}'.") from error
        except duckdb.Error as error:
            raise SqlServerError(8134, str(error)[:300]) from error

    def _create(self, name: str, body: str) -> None:
        table = _name(sqlglot.parse_one(f"select * from {name}", read="tsql").find(exp.Table))
        columns = column_list(body)
        columns_sql = ", ".join(_quoted((column.name,)) + " " + _stored(column) for column in columns)
        with self._lock:
            self._duckdb.execute(f"create or replace table {_quoted(table)} ({columns_sql})")
        self.tables[table] = columns

    def _duckdb_sql(self, statement: exp.Expr) -> str:
        statement = statement.copy()
        for table in statement.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier):
                if table.db == "secret":
                    raise SqlServerError(229, f"The SELECT permission was denied on the object '{table.name}',"
                                         f" database 'shop', schema '{table.db}'.", 14)  # fmt: skip
                is_cte = any(cte.alias == table.name for cte in statement.find_all(exp.CTE))
                table.set("catalog", None)
                if not table.db and not is_cte:
                    table.set("db", exp.to_identifier("dbo", quoted=True))
        for text in list(statement.find_all(exp.National)):
            text.replace(exp.Literal.string(text.name))
        statement = tsql_words(statement)
        for cast in list(statement.find_all(exp.Cast)):
            stored = _stored(Column("", cast.to.sql("tsql").lower()))
            if cast.to.this in (exp.DType.DATETIME2, exp.DType.DATETIME):
                stored = "TIMESTAMP"
            elif cast.to.this == exp.DType.TIMESTAMPTZ:
                stored = "TIMESTAMPTZ"
            cast.set("to", exp.DataType.build(stored, dialect="duckdb"))
            compared = cast.parent
            if stored.startswith("TIMESTAMP") and isinstance(compared, exp.Predicate):  # moments are kept as texts
                compared.set("this", exp.cast(compared.this, stored, dialect="duckdb"))
        return statement.sql("duckdb")

    def _typed(self, query: exp.Expr, computed: list[tuple[str, str]]) -> list[Column]:
        """The result's columns: declared ones keep their type, casts have theirs, others what DuckDB says."""
        known = self._projected(query)
        columns = []
        for place, (name, kind) in enumerate(computed):
            column = known[place] if known is not None and place < len(known) else None
            columns.append(replace(column, name=name) if column is not None else Column(name, _of_duckdb(kind)))
        return columns

    def _projected(self, query: exp.Expr) -> list[Column | None] | None:
        while isinstance(query, (exp.Subquery, exp.SetOperation)):
            query = query.this
        if not isinstance(query, exp.Select):
            return None
        source = query.args.get("from_")
        inside = self._source(source.this, query) if source is not None else []
        if inside is None:
            return None
        by_name = {column.name.lower(): column for column in inside if column is not None}
        found: list[Column | None] = []
        for item in query.expressions:
            expression = item.unalias()
            if isinstance(expression, exp.Star):
                found += inside
            elif isinstance(expression, exp.Cast):
                found.append(Column("", expression.to.sql("tsql").lower(), True, LATIN1))
            else:
                found.append(by_name.get(expression.name.lower()) if isinstance(expression, exp.Column) else None)
        return found

    def _source(self, source: exp.Expr, query: exp.Select) -> list[Column | None] | None:
        if isinstance(source, exp.Subquery):
            return self._projected(source.this)
        if not isinstance(source, exp.Table):
            return None
        root = query.root()
        for cte in root.find_all(exp.CTE):
            if cte.alias == source.name and not source.db:
                return self._projected(cte.this)
        return list(self.tables.get(_name(source), [])) or None


def _parsed(sql: str) -> exp.Expr:
    sql = _CONVERT.sub(r"CAST(\2 AS \1)", sql)  # what is converted is kept as the text of that style
    try:
        parsed = sqlglot.parse(sql, read="tsql")
    except sqlglot.errors.SqlglotError as error:
        raise SqlServerError(102, "Incorrect syntax near 'x'.", 15) from error
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise SqlServerError(102, "Incorrect syntax near 'x'.", 15)
    return parsed[0]


def _declared(part: str) -> Column:
    name, kind, rest = _COLUMN.match(part).groups()  # type: ignore[union-attr]
    if name[0] in '["':
        name = name[1:-1].replace(name[-1] * 2, name[-1])
    collation = re.search(r"(?i)\bcollate\s+(\w+)", rest)
    is_text = kind.lower().split("(")[0] in _TEXTS
    return Column(
        name,
        re.sub(r"\s", "", kind.lower()),
        not re.search(r"(?i)\bnot\s+null\b", rest),
        (collation.group(1) if collation else LATIN1) if is_text else None,
    )


def _parts(body: str) -> list[str]:
    """What stands between the commas of a column list."""
    parts, depth, name_ends, start = [], 0, "", 0
    for place, letter in enumerate(body):
        if name_ends:
            name_ends = "" if letter == name_ends else name_ends
            continue
        name_ends = {"[": "]", '"': '"'}.get(letter, "")
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(body[start:place])
            start = place + 1
    return [*parts, body[start:]]


def column_list(body: str) -> list[Column]:
    """The columns of a CREATE TABLE, or of WITH RESULT SETS."""
    return [_declared(part) for part in _parts(body)]


def _stored(column: Column) -> str:
    base, _, rest = column.type.partition("(")
    if base in ("decimal", "numeric"):
        return f"DECIMAL({rest}" if rest else "DECIMAL(18,0)"
    if column.collation and "_CI_" in column.collation:
        return "VARCHAR COLLATE NOCASE"
    return _STORED.get(base, "VARCHAR")


def _of_duckdb(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return kind.lower()
    if kind.startswith("TIMESTAMP"):
        return "datetimeoffset(7)" if "ZONE" in kind else "datetime2(6)"
    return _COMPUTED.get(kind, "nvarchar(4000)")


def _name(table: Any) -> Name:
    return (table.db or "dbo", table.name)


def _quoted(parts: tuple[str, ...]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
