"""Trino behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class TrinoDialect(WritingDialect):
    """Trino."""

    types = {
        "text": "varchar",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "boolean",
        "datetime": "timestamp(6)",
        "date": "date",
        "time": "time(6)",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select schema_name from information_schema.schemata")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        from sqlglot import exp

        own = exp.Literal.string(place.schema or connection.first("schema", default="")).sql(dialect="trino")
        tables = Relation("tables", "information_schema", place.database).sql("trino")
        cursor.execute(" ".join(["select table_name, table_type from", tables, "where table_schema =", own]))
        return [(name, "view" if "VIEW" in kind else "table") for name, kind in cursor.fetchall()]
