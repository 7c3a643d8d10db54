"""A generic connection behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class GenericDialect(WritingDialect):
    """Any database of which there is a driver, in standard SQL. What is known of its catalogue, the loader knows."""

    types = dict.fromkeys(("text", "integer", "number", "boolean", "datetime", "date", "time"), "varchar")

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create schema " + quoted

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        # Not every database has OR REPLACE.
        drop = [" ".join(["drop", existing, quoted])] if existing else []
        return [*drop, "\n".join([" ".join(["create view", quoted, "as"]), query])]

    def list_schemas(self, cursor: Any) -> list[str]:
        found: list[str] = cursor.loader.schemas()
        return found

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = cursor.loader.listed(place.schema)
        return found
