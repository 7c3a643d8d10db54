"""Databricks, Spark and Hive behind the shim adapter: reading runs there, nothing lands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import DvtError, UnsupportedError
from dvt.identifiers import quote

# dbt brackets what it runs; Spark has no transactions.
_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


class UnbracketedSession:
    """A session of a driver, of which one statement at a time is asked.

    Args:
        session: A DB-API connection.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._last: Any = None

    def cursor(self) -> UnbracketedCursor:
        """A new cursor."""
        self._last = self._session.cursor()
        return UnbracketedCursor(self._last)

    def commit(self) -> None:
        """There are no transactions."""

    def cancel(self) -> None:
        """End what the newest cursor runs, from another thread."""
        running = self._last if hasattr(self._last, "cancel") else self._session
        if hasattr(running, "cancel"):
            running.cancel()

    def close(self) -> None:
        """End the session."""
        self._session.close()


class UnbracketedCursor:
    """A driver's cursor that is spared the brackets of transactions."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if not _BRACKETS.match(sql):
            self._cursor.execute(*((sql,) if bindings is None else (sql, bindings)))

    @property
    def description(self) -> Sequence[Sequence[Any]]:
        """The columns of the result."""
        return self._cursor.description or []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class SparkFamilyDialect:
    """What the engines of Spark's family have in common."""

    quote_character = "`"
    engine = "spark"
    types = {
        "text": "string",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "boolean",
        "datetime": "timestamp",
        "date": "date",
        "time": "string",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("show databases")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, schema: str, connection: Connection) -> list[tuple[str, str]]:
        within = quote(schema or str(connection.first("schema", default="default")), self.engine)
        cursor.execute("show views in " + within)
        views = {row[1] for row in cursor.fetchall() if not row[2]}
        cursor.execute("show tables in " + within)
        return [(row[1], "view" if row[1] in views else "table") for row in cursor.fetchall() if not row[2]]

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return list(values)

    def create_schema_sql(self, quoted: str) -> str | None:
        raise self._refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise self._refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise self._refusal()

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.cancel()

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(f"nothing can land on type {self.engine}: dvt only reads it")


class DatabricksDialect(SparkFamilyDialect):
    """Databricks."""

    engine = "databricks"

    def open(self, connection: Connection) -> Any:
        from dvt.connections.databricks import connect

        return UnbracketedSession(connect(connection))

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        import urllib3
        from databricks.sql.exc import Error

        from dvt.connections.databricks_errors import translate

        is_own = isinstance(error, (Error, urllib3.exceptions.HTTPError, OSError))
        return translate(error, connection, phase="extract") if is_own else None


class ConnectSession:
    """As much of a DB-API connection as dbt asks for, over Spark Connect."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def cursor(self) -> ConnectCursor:
        """A new cursor."""
        return ConnectCursor(self._client)

    def cancel(self) -> None:
        """End what the session runs, from another thread."""
        self._client.interrupt_all()

    def close(self) -> None:
        """End the session."""
        self._client.release_session()
        self._client.close()


class ConnectCursor:
    """A cursor over small results, which are read whole."""

    rowcount = -1

    def __init__(self, client: Any) -> None:
        self._client = client
        self._rows: list[Any] = []
        self.description: list[tuple[Any, ...]] = []

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        from dvt.connections.spark import run

        table = run(self._client, sql)
        self._rows = [tuple(row.values()) for row in table.to_pylist()]
        self.description = [(field.name, str(field.type), None, None, None, None, None) for field in table.schema]

    def fetchone(self) -> Any:
        """The next row, None at the end."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> list[Any]:
        """The next rows."""
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> list[Any]:
        """All remaining rows."""
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        """Nothing is held."""


class SparkDialect(SparkFamilyDialect):
    """Spark over Spark Connect."""

    def open(self, connection: Connection) -> Any:
        from dvt.connections.spark import connect

        return UnbracketedSession(ConnectSession(connect(connection)))

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        from pyspark.errors import PySparkException

        from dvt.connections.spark import translate

        return translate(error, connection, phase="extract") if isinstance(error, PySparkException) else None


class HiveDialect(SparkFamilyDialect):
    """Hive."""

    engine = "hive"

    def open(self, connection: Connection) -> Any:
        from dvt.connections.hive import connect

        return UnbracketedSession(connect(connection))

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        from impala.error import Error
        from thrift.Thrift import TException

        from dvt.connections.hive import translate

        is_own = isinstance(error, (Error, TException, OSError))
        return translate(error, connection, phase="extract") if is_own else None

    def list_relations(self, cursor: Any, schema: str, connection: Connection) -> list[tuple[str, str]]:
        within = quote(schema or str(connection.first("schema", default="default")), self.engine)
        cursor.execute("show views in " + within)
        views = {_name(row) for row in cursor.fetchall()}
        cursor.execute("show tables in " + within)
        names = sorted({_name(row) for row in cursor.fetchall()} | views)
        return [(name, "view" if name in views else "table") for name in names]


def _name(row: Any) -> str:
    """The relation's name: Hive gives nothing else, Spark's Thrift server gives the schema before it."""
    return str(row[0] if len(row) == 1 else row[1])
