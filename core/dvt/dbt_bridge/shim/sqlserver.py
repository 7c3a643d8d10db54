"""SQL Server behind the shim adapter: what reads it (tests, freshness, the catalogue) runs there; nothing lands."""

from __future__ import annotations

from typing import Any

import sqlglot
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import cancel, connect, translate
from dvt.dbt_bridge.shim.driver import DriverDialect, DriverSession
from dvt.errors import DvtError
from dvt.identifiers import Relation


def hoisted(sql: str) -> str:
    """A statement whose WITH clauses stand at its beginning: T-SQL takes them nowhere else, and dbt's tests nest them.

    >>> hoisted("select count(*) as n from (with a as (select 1 as x) select x from a) as t")
    'WITH a AS (SELECT 1 AS x) SELECT COUNT(*) AS n FROM (SELECT x AS x FROM a) AS t'
    """
    try:
        parsed = sqlglot.parse_one(sql, read="tsql")
    except sqlglot.errors.SqlglotError:
        return sql
    is_nested = any(clause.parent is not parsed for clause in parsed.find_all(exp.With))
    return parsed.sql(dialect="tsql") if is_nested else sql


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
        return DriverSession(connect(connection), hoisted)

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

    def cancel(self, handle: Any, connection: Connection) -> None:
        if handle.last is not None:
            cancel(handle.last)
