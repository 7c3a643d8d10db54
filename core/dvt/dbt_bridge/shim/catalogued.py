"""Engines behind the shim adapter whose catalogues two queries list; most of them are only read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.dbt_bridge.shim.reading import ReadingDialect, ReadingSession
from dvt.dbt_bridge.shim.writing import WritingDialect
from dvt.errors import UnsupportedError
from dvt.identifiers import Relation, quote

_ABOVE = "{above}."


class CataloguedDialect(ReadingDialect):
    """One such engine, as data.

    Args:
        type_: The connection type.
        types: The engine's names of dbt's kinds of types.
        schemas: The query for the names of schemas.
        relations: The query for names and kinds of relations; the schema's name follows it, and the catalogue's name
            takes the place of `{above}.`.
        without: Options of the connection that small results go without.
    """

    def __init__(
        self,
        type_: str,
        *,
        types: dict[str, str],
        schemas: str,
        relations: str,
        without: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(type_)
        self.types = types
        self._schemas = schemas
        self._relations = relations
        self._without = without or {}

    def open(self, connection: Connection) -> ReadingSession:
        """A session over the engine's extractor, logged in."""
        options = {**connection.options, **self._without}
        return super().open(dataclasses.replace(connection, options=options))

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute(self._schemas)
        return [str(row[0]) for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[tuple[str, str]]:
        own = exp.Literal.string(place.schema or connection.first("schema", default="")).sql(dialect=connection.dialect)
        above = quote(place.database, connection.dialect) + "." if place.database else ""
        cursor.execute(" ".join([self._relations.replace(_ABOVE, above), own]))
        rows = [row[-2:] for row in cursor.fetchall()]
        return [(str(name), "view" if "VIEW" in str(kind).upper() else "table") for name, kind in rows]


class WritingCataloguedDialect(CataloguedDialect, WritingDialect):
    """One on which models land."""


class RedshiftDialect(WritingCataloguedDialect):
    """Redshift. A query that dbt runs ends its transaction, whose locks would keep a landing waiting."""

    def open(self, connection: Connection) -> ReadingSession:
        """A session over the extractor and the loader."""
        session = super().open(connection)
        session.extractor.keeps_snapshot = False  # type: ignore[attr-defined]
        return session


class AthenaDialect(WritingCataloguedDialect):
    """Athena."""

    def truncate_sql(self, quoted: str) -> str:
        raise UnsupportedError("Athena takes no rows out of a table of files", remedy="Drop the table")

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table if exists " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["create or replace view " + quoted + " as", query])]


_ISO = {"boolean": "boolean", "date": "date", "integer": "bigint", "number": "decimal(38, 10)"}

REDSHIFT = RedshiftDialect(
    "redshift",
    types={**_ISO, "text": "varchar(65535)", "datetime": "timestamptz", "time": "time"},
    schemas="select nspname::varchar from pg_namespace",
    relations=(
        "select table_name::varchar, table_type::varchar from information_schema.tables"
        " where table_schema::varchar ="
    ),
    without={"unload_to": ""},  # the catalogue is the leader node's, which unloads nothing
)  # fmt: skip

VERTICA = WritingCataloguedDialect(
    "vertica",
    types={**_ISO, "text": "varchar(65000)", "datetime": "timestamptz", "time": "time"},
    schemas="select schema_name from v_catalog.schemata",
    relations=(
        "select * from (select table_schema as s, table_name as name, 'TABLE' as kind from v_catalog.tables"
        " union all select table_schema, table_name, 'VIEW' from v_catalog.views) found where s ="
    ),
)

FIREBOLT = WritingCataloguedDialect(
    "firebolt",
    types={**_ISO, "text": "text", "datetime": "timestamptz", "time": "text"},
    schemas="select schema_name from information_schema.schemata",
    relations="select table_name, table_type from information_schema.tables where table_schema =",
)

ATHENA = AthenaDialect(
    "athena",
    types={**_ISO, "text": "varchar", "datetime": "timestamp(6) with time zone", "time": "varchar"},
    schemas="select schema_name from information_schema.schemata",
    relations="select table_name, table_type from {above}.information_schema.tables where table_schema =",
    without={"fetch": "pages"},  # small results need no files
)
