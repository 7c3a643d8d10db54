"""BigQuery behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from dvt.connections.bigquery import qualified
from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.identifiers import Relation


class BigQueryDialect(WritingDialect):
    """BigQuery."""

    quote_character = "`"
    types = {
        "text": "string",
        "integer": "int64",
        "number": "numeric",
        "boolean": "bool",
        "datetime": "datetime",
        "date": "date",
        "time": "time",
    }

    def truncate_sql(self, quoted: str) -> str:
        """All rows in one statement; BigQuery takes no DELETE without a condition."""
        return " ".join(["delete from", quoted, "where true"])

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select schema_name from INFORMATION_SCHEMA.SCHEMATA")
        return [row[0] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        """Names and types of a dataset's relations."""
        own = qualified(Relation("x", place.schema or None, place.database or None), connection)
        names = (str(own.database), str(own.schema), "INFORMATION_SCHEMA", "TABLES")
        tables = exp.Table(this=exp.Dot.build([exp.to_identifier(name, quoted=True) for name in names]))
        cursor.execute(exp.select("table_name", "table_type").from_(tables).sql(dialect="bigquery"))
        return [(name, "view" if "VIEW" in kind else "table") for name, kind in cursor.fetchall()]
