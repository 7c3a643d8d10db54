"""Snowflake behind the shim adapter: what reads it (tests, freshness, the catalogue) runs there; nothing lands."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.snowflake import qualified
from dvt.dbt_bridge.shim.reading import ReadingDialect
from dvt.identifiers import Relation


class SnowflakeDialect(ReadingDialect):
    """Snowflake. Names have no quotes, as dbt-snowflake writes them, unless a source says `quoting`."""

    quotes_names = False
    types = {
        "text": "varchar",
        "integer": "bigint",
        "number": "number(38, 10)",
        "boolean": "boolean",
        "datetime": "timestamp_ntz",
        "date": "date",
        "time": "time",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select schema_name from information_schema.schemata")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        """Names and types of a schema's relations."""
        own = qualified(Relation("x", place.schema or None, place.database or None), connection)
        tables = Relation("TABLES", "INFORMATION_SCHEMA", own.database).ast()
        same = exp.column("table_schema").eq(exp.Literal.string(own.schema or "PUBLIC"))
        query = exp.select("table_name", "table_type").from_(tables).where(same)
        cursor.execute(query.sql(dialect="snowflake"))
        return [(name, "view" if "VIEW" in kind else "table") for name, kind in cursor.fetchall()]
