"""Exasol behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class ExasolDialect(WritingDialect):
    """Exasol."""

    types = {
        "text": "varchar(2000000)",
        "integer": "decimal(36, 0)",
        "number": "decimal(36, 10)",
        "boolean": "boolean",
        "datetime": "timestamp",
        "date": "date",
        "time": "varchar(20)",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select SCHEMA_NAME from EXA_SCHEMAS")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        from sqlglot import exp

        own = exp.Literal.string(place.schema or connection.first("schema", default="")).sql(dialect="exasol")
        tables = "select TABLE_NAME, 'table' as KIND from EXA_ALL_TABLES where TABLE_SCHEMA ="
        views = "union all select VIEW_NAME, 'view' as KIND from EXA_ALL_VIEWS where VIEW_SCHEMA ="
        cursor.execute(" ".join([tables, own, views, own]))
        return [(name, kind.strip()) for name, kind in cursor.fetchall()]
