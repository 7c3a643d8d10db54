"""Db2 behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class Db2Dialect(WritingDialect):
    """Db2."""

    types = {
        "text": "varchar(32000)",
        "integer": "bigint",
        "number": "decimal(31, 10)",
        "boolean": "boolean",
        "datetime": "timestamp(6)",
        "date": "date",
        "time": "time",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select SCHEMANAME from SYSCAT.SCHEMATA")
        return [row[0].rstrip() for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        from sqlglot import exp

        own = exp.Literal.string(place.schema or connection.first("schema", default="")).sql(dialect="db2")
        cursor.execute(" ".join(["select TABNAME, TYPE from SYSCAT.TABLES where TABSCHEMA =", own]))
        return [(name, "view" if kind.strip() == "V" else "table") for name, kind in cursor.fetchall()]

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create schema " + quoted  # dbt asks for it where there is none
