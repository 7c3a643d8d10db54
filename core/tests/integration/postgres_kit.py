"""What the PostgreSQL tests share: connections, a copy from database to database, and the oracle's question."""

from __future__ import annotations

from typing import Any

from servers.postgres import PostgresServer

from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation, quote


def connection(server: PostgresServer, dbname: str, **dvt: Any) -> Connection:
    """A connection to one database, with options below `dvt:`."""
    return open_connection("warehouse", server.output(dbname, dvt=dvt))


def copy(
    source: Connection, target: Connection, query: str | None = None, relation: str = "source", to: str = "target"
) -> LoadResult:
    """Read a query or a relation of schema public, and land it as a table there."""
    request = ExtractionConfig(query=query) if query else ExtractionConfig(relation=Relation(relation, "public"))
    with PostgresExtractor(source) as extractor, PostgresLoader(target) as loader:
        with extractor.scan(request) as stream:
            return loader.load(stream, LoadConfig(Relation(to, "public")))


def texts(server: PostgresServer, dbname: str, relation: str, column: str) -> str:
    """psql's text of one column, value by value in the order of column `k`, NULL apart from the empty text.

    Instants are shown in UTC, whatever the database's zone is, so that two databases can be compared.
    """
    name = quote(column, "postgres")
    value = f"coalesce(quote_literal(({name})::text), 'NULL')"
    return server.psql(dbname, f"select {value} from public.{quote(relation, 'postgres')} order by k", PGTZ="UTC")
