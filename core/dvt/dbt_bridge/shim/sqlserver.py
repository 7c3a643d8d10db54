"""SQL Server behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

import re
from typing import Any

import sqlglot
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import cancel, connect, translate
from dvt.dbt_bridge.shim.driver import DriverCursor, DriverDialect, DriverSession
from dvt.dbt_bridge.shim.read_only import is_bracket
from dvt.errors import DvtError
from dvt.identifiers import Relation

# After dbt's comment.
_QUERY = re.compile(r"(?is)^\s*(?:/\*.*?\*/\s*)*(?:select|with)\b")


def hoisted(sql: str) -> str:
    """A statement whose WITH clauses stand at its beginning: T-SQL takes them nowhere else, and dbt's tests nest them.

    >>> hoisted("select count(*) as n from (with a as (select 1 as x) select x from a) as t")
    'WITH a AS (SELECT 1 AS x) SELECT COUNT(*) AS n FROM (SELECT x AS x FROM a) AS t'
    """
    if not _QUERY.match(sql):
        return sql
    try:
        parsed = sqlglot.parse_one(sql, read="tsql")
    except sqlglot.errors.SqlglotError:
        return sql
    is_nested = any(clause.parent is not parsed for clause in parsed.find_all(exp.With))
    return parsed.sql(dialect="tsql") if is_nested else sql


class SqlServerCursor(DriverCursor):
    """A cursor that says dbt's brackets in T-SQL, where BEGIN alone begins a block."""

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        super().execute(sql.strip(" ;\n").lower() + " transaction" if is_bracket(sql) else sql, bindings)


class SqlServerSession(DriverSession):
    """A session in which each statement is its own transaction, until dbt begins one."""

    def cursor(self) -> SqlServerCursor:
        """A new cursor."""
        self.last = self.driver.cursor()
        return SqlServerCursor(self.last, hoisted)

    def rollback(self) -> None:
        """Undo the open transaction; an error may have done it."""
        self.cursor().driver.execute("if @@trancount > 0 rollback transaction")


class SqlServerDialect(DriverDialect):
    """SQL Server."""

    types = {
        "text": "nvarchar(max)",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "bit",
        "datetime": "datetime2(6)",
        "date": "date",
        "time": "time(6)",
    }

    def open(self, connection: Connection) -> Any:
        return SqlServerSession(connect(connection, writes=True), hoisted)

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        import mssql_python

        is_own = isinstance(error, (mssql_python.Error, mssql_python.Warning))
        return translate(error, connection, phase="extract") if is_own else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select name from sys.schemas")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        wanted = place.schema or str(connection.first("schema", default="dbo"))
        name = exp.National(this=wanted).sql(dialect="tsql")
        tables = Relation("TABLES", "INFORMATION_SCHEMA", place.database).sql("tsql")
        cursor.execute(" ".join(["select TABLE_NAME, TABLE_TYPE from", tables, "where TABLE_SCHEMA =", name]))
        return [(name, "view" if kind == "VIEW" else "table") for name, kind in cursor.fetchall()]

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create schema " + quoted

    def truncate_sql(self, quoted: str) -> str:
        return "truncate table " + quoted

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        view = sqlglot.parse_one(quoted, read="tsql", into=exp.Table)
        database = view.args.get("catalog")
        view.set("catalog", None)  # which the statement does not take
        statement = "\n".join([" ".join(["create or alter view", view.sql(dialect="tsql"), "as"]), query])
        if database is None:
            return [*drop, statement]
        procedure = database.sql(dialect="tsql") + ".sys.sp_executesql"
        return [*drop, " ".join(["exec", procedure, exp.National(this=statement).sql(dialect="tsql")])]

    def cancel(self, handle: Any, connection: Connection) -> None:
        if handle.last is not None:
            cancel(handle.last)
