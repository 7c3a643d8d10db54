"""Spark's family behind the shim adapter: what dbt runs there by itself."""

from __future__ import annotations

from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.read_only import bracket
from dvt.dbt_bridge.shim.reading import ReadingDialect
from dvt.dbt_bridge.shim.writing import WritingDialect, WritingSession
from dvt.identifiers import Relation


class SparkDialect(ReadingDialect):
    """Spark's family, whose catalogues are asked by SHOW: not all have an information schema."""

    quote_character = "`"
    types = {
        "text": "string",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "boolean",
        "datetime": "timestamp",
        "date": "date",
        "time": "string",
    }

    def list_schemas(self, cursor: Any) -> list[str]:
        return [str(row[0]) for row in cursor.extractor.shown("show databases")]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        schema = place.schema or str(connection.first("schema", default="default"))
        within = Relation(schema, place.database).sql(connection.dialect)
        views = {_name(row) for row in cursor.extractor.shown("show views in " + within)}
        tables = {_name(row) for row in cursor.extractor.shown("show tables in " + within)}
        return [(name, "view" if name in views else "table") for name in sorted(tables | views)]


class SparkWritingSession(WritingSession):
    """Queries have a session of their own, and Spark's sessions keep lists of the files of what they have read."""

    def run(self, sql: str) -> None:
        """Run one statement; what is asked for afterwards is asked in a new session."""
        super().run(sql)
        if bracket(sql) is None:
            self.extractor.close()


class SparkWritingDialect(SparkDialect, WritingDialect):
    """Those on which models land."""

    def open(self, connection: Any) -> WritingSession:
        """A session, logged in."""
        opened: Any = super().open(connection)
        return SparkWritingSession(opened.extractor, opened.loader)

    def truncate_sql(self, quoted: str) -> str:
        # Tables of plain files take no DELETE.
        return " ".join(["truncate table", quoted])


def _name(row: Any) -> str:
    """The relation's name: Hive gives nothing else, the others give the schema before it."""
    return str(row[0] if len(row) == 1 else row[1])
