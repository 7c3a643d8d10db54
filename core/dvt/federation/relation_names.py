"""The tables that a connection has, for messages about one that it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from dvt.errors import DvtError

if TYPE_CHECKING:
    from dvt.federation.extractors.base import BaseExtractor
    from dvt.identifiers import Relation

_MOST = 10_000
# Engines whose connection sees its tables in `information_schema.tables`, by sqlglot's names.
_STANDARD = (
    "postgres",
    "redshift",
    "mysql",
    "duckdb",
    "snowflake",
    "trino",
    "athena",
    "databricks",
    "tsql",
    "clickhouse",
)


def names_beside(extractor: BaseExtractor, relation: Relation) -> list[str] | None:
    """The names of the tables in a relation's schema; None where that cannot be asked, or is not answered.

    Args:
        extractor: A session that does not read.
        relation: Its name is not among them.
    """
    if not extractor.connection.spec.runs_sql:
        return _files_beside(extractor, relation)
    query = _query(extractor.connection.dialect, relation)
    if query is None:
        return None
    try:
        with extractor.extract_stream(query.sql(dialect=extractor.connection.dialect)) as stream:
            return [str(name) for batch in stream.batches() for name in batch.column(0).to_pylist()]
    except DvtError:
        return None  # a hint is not worth a second message: the first one is raised


def _query(dialect: str, relation: Relation) -> exp.Select | None:
    if dialect == "sqlite":
        return exp.select("name").from_("sqlite_master").where("type in ('table', 'view')").limit(_MOST)
    if dialect not in _STANDARD or not relation.schema:
        return None
    tables = exp.to_table("information_schema.tables")
    matches = exp.EQ(this=exp.column("table_schema"), expression=exp.Literal.string(relation.schema))
    return exp.select("table_name").from_(tables).where(matches).limit(_MOST)


def _files_beside(extractor: BaseExtractor, relation: Relation) -> list[str] | None:
    from dvt.connections.files import root_path
    from dvt.connections.object_paths import FilePath

    try:
        root = root_path(extractor.connection)
        folder = (root / relation.name).parent
        found: list[FilePath] = sorted(folder.glob("*"), key=lambda path: path.parts)
        names = ["/".join(path.parts[len(root.parts) :]) for path in found if not path.name.startswith((".", "_"))]
    except (DvtError, OSError):
        return None
    return names[:_MOST]
