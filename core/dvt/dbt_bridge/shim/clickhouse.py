"""ClickHouse behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.clickhouse import connect, default_database, kill, new_query_id, translate, write_settings
from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.read_only import HeldRows, ReadOnlyDialect, is_bracket
from dvt.errors import DvtError
from dvt.identifiers import Relation


class ClickHouseSession:
    """As much of a DB-API connection as dbt asks for."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.client = connect(connection)
        self.query_id = ""

    def cursor(self) -> ClickHouseCursor:
        """A new cursor."""
        return ClickHouseCursor(self)

    def commit(self) -> None:
        """There are no transactions."""

    def close(self) -> None:
        """End the session."""
        self.client.close()


class ClickHouseCursor(HeldRows):
    """A cursor over the client's results."""

    def __init__(self, session: ClickHouseSession) -> None:
        super().__init__()
        self._session = session

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        self._rows, self.description = [], []
        if is_bracket(sql):
            return
        self._session.query_id = new_query_id()
        settings = write_settings(self._session.connection, self._session.query_id)
        result = self._session.client.query(sql, parameters=bindings, settings=settings)
        self._rows = list(result.result_rows)
        types = [type_.name for type_ in result.column_types]
        self.description = [
            (name, kind, None, None, None, None, None) for name, kind in zip(result.column_names, types, strict=True)
        ]


class ClickHouseDialect(ReadOnlyDialect):
    """ClickHouse, whose bindings go by name."""

    types = {
        "text": "String",
        "integer": "Int64",
        "number": "Decimal(38, 10)",
        "boolean": "Bool",
        "datetime": "DateTime64(6, 'UTC')",
        "date": "Date32",
        "time": "String",
    }

    def open(self, connection: Connection) -> Any:
        return ClickHouseSession(connection)

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        is_own = isinstance(error, (ClickHouseError, OSError))
        return translate(error, connection, phase="extract") if is_own else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select name from system.databases")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        sql = "select name, engine from system.tables where database = {schema:String} and not is_temporary"
        cursor.execute(sql, {"schema": place.schema or default_database(connection)})
        return [(name, "view" if "View" in engine else "table") for name, engine in cursor.fetchall()]

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create database if not exists " + quoted

    def truncate_sql(self, quoted: str) -> str:
        return "truncate table " + quoted

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["create or replace view " + quoted + " as", query])]

    def cancel(self, handle: Any, connection: Connection) -> None:
        kill(handle.client, handle.query_id)
