"""Snowflake behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.snowflake import qualified
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class SnowflakeDialect(WritingDialect):
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

    def create_schema_sql(self, quoted: str) -> str | None:
        """A schema whose name needs no quotes gets none, as dbt writes it everywhere else."""
        name = quoted[1:-1]
        return super().create_schema_sql(name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name) else quoted)

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
