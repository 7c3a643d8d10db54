"""A generic connection behind the shim adapter: tests and freshness run there; nothing lands, and nothing is listed."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.reading import ReadingDialect
from dvt.identifiers import Relation


class GenericDialect(ReadingDialect):
    """Any database that a driver reads. How it lists its schemas and tables is its own affair."""

    types = dict.fromkeys(("text", "integer", "number", "boolean", "datetime", "date", "time"), "varchar")

    def list_schemas(self, cursor: Any) -> list[str]:
        return []

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        return []
