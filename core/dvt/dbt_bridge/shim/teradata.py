"""Teradata behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.errors import ConfigurationError
from dvt.identifiers import Relation


class TeradataDialect(WritingDialect):
    """Teradata; a schema is a database there."""

    types = {
        "text": "varchar(32000)",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "byteint",
        "datetime": "timestamp(6)",
        "date": "date",
        "time": "time(6)",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select DatabaseName from DBC.DatabasesV")
        return [row[0].rstrip() for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        from sqlglot import exp

        own = connection.first("schema", "database", default="")
        named = exp.Literal.string(place.schema or own).sql(dialect="teradata")
        sql = "select TableName, TableKind from DBC.TablesV where TableKind in ('T', 'O', 'V') and DatabaseName ="
        cursor.execute(" ".join([sql, named]))
        return [(name, "view" if kind.strip() == "V" else "table") for name, kind in cursor.fetchall()]

    def create_schema_sql(self, quoted: str) -> str | None:
        raise ConfigurationError(
            f"there is no database {quoted}",
            remedy=f"Let an administrator run CREATE DATABASE {quoted}, or set another schema",
        )

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["replace view " + quoted + " as", query])]
