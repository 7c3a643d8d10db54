"""SQL Server behind the shim adapter: what reads it (tests, freshness, the catalogue) runs there; nothing lands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import connect, translate
from dvt.errors import DvtError, UnsupportedError

# dbt brackets what it runs; these words alone mean something else in T-SQL.
_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


class SqlServerCursor:
    """The driver's cursor, past which dbt's brackets go: a session of ours never commits."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if not _BRACKETS.match(sql):
            self._cursor.execute(sql, *([] if bindings is None else [bindings]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class SqlServerSession:
    """The driver's session."""

    def __init__(self, connection: Connection) -> None:
        self.driver = connect(connection)

    def cursor(self) -> SqlServerCursor:
        """A new cursor."""
        return SqlServerCursor(self.driver.cursor())

    def rollback(self) -> None:
        """End the transaction."""
        self.driver.rollback()

    def close(self) -> None:
        """End the session."""
        self.driver.close()


class SqlServerDialect:
    """SQL Server."""

    quote_character = '"'
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
        return SqlServerSession(connection)

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        import mssql_python

        is_own = isinstance(error, (mssql_python.Error, mssql_python.Warning))
        return translate(error, connection, phase="extract") if is_own else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select name from sys.schemas")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, schema: str, connection: Connection) -> list[tuple[str, str]]:
        wanted = schema or str(connection.first("schema", default="dbo"))
        name = exp.National(this=wanted).sql(dialect="tsql")
        asked = "select name, type from sys.objects where type in ('U', 'V') and schema_id = schema_id("
        cursor.execute("".join([asked, name, ")"]))
        return [(name, "view" if kind.strip() == "V" else "table") for name, kind in cursor.fetchall()]

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return tuple(values)

    def create_schema_sql(self, quoted: str) -> str | None:
        raise _refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise _refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise _refusal()

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.close()


def _refusal() -> UnsupportedError:
    return UnsupportedError("nothing can land on type sqlserver: dvt only reads it")
