"""Oracle behind the shim adapter: what reads it (tests, freshness, the catalogue) runs there; nothing lands."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.oracle import connect, default_schema, folded, translate
from dvt.dbt_bridge.shim.driver import DriverDialect, DriverSession
from dvt.errors import DvtError
from dvt.identifiers import Relation


class OracleDialect(DriverDialect):
    """Oracle."""

    types = {
        "text": "clob",
        "integer": "number(38)",
        "number": "number(38, 10)",
        "boolean": "number(1)",
        "datetime": "timestamp(6)",
        "date": "date",
        "time": "varchar2(20)",
    }

    def fold(self, name: str) -> str:
        return folded(name)

    def open(self, connection: Connection) -> Any:
        return DriverSession(connect(connection))

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        import oracledb

        return translate(error, connection, phase="extract") if isinstance(error, oracledb.Error) else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select username from all_users")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        cursor.execute(
            "select object_name, object_type from all_objects where owner = upper(:1)"
            " and object_type in ('TABLE', 'VIEW')",
            [place.schema or default_schema(connection)],
        )
        return [(name, kind.lower()) for name, kind in cursor.fetchall()]

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.driver.cancel()
