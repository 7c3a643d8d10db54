"""The places of the conformance kit that both directions run on: real engines, and a folder of files."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from dvt.testing import Place, Tag
from servers.bigquery import DATASET, BigQueryServer
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

_DROPPED = re.compile(r'drop table if exists "(.*)"', re.DOTALL)


def postgres_place(server: PostgresServer, database: str) -> Place:
    """A database of its own on PostgreSQL."""
    name = server.create_database(database)
    own = f"datname = '{name}' and state = 'active' and pid <> pg_backend_pid() and query <> ''"
    return Place(
        "postgres",
        Tag.REAL,
        server.output(name),
        lambda sql: server.psql(name, sql),
        schema="public",
        refused=server.output(name, password="wr0ng-pass"),
        running=lambda: int(server.psql("postgres", f"select count(*) from pg_stat_activity where {own}")),
        ask=lambda sql: server.psql(name, sql).split("\n"),
        tables=lambda: server.psql(name, "select relname from pg_class where relkind = 'r'").split("\n"),
    )


def mariadb_place(server: MariaDBServer, database: str) -> Place:
    """A database of its own on MariaDB."""
    name = server.create_database(database)
    own = f"db = '{name}' and command = 'Query'"
    return Place(
        "mysql",
        Tag.REAL,
        server.output(name),
        lambda sql: server.execute(sql, name),
        schema=name,
        refused=server.output(name, password="wr0ng-pass"),
        running=lambda: int(server.query(f"select count(*) from information_schema.processlist where {own}")),
        name="mysql (MariaDB)",
        ask=lambda sql: server.query(sql, name).split("\n"),
        tables=lambda: server.query("show tables", name).split("\n"),
    )


def bigquery_place(server: BigQueryServer) -> Place:
    """The emulated BigQuery."""

    def ask(sql: str) -> list[str]:
        return [str(row[0]) for row in server.query(sql)]

    return Place(
        "bigquery",
        Tag.EMULATED,
        server.output(),
        server.execute,
        server.statements,
        schema=DATASET,
        refused=server.output(token="wr0ng-token"),
        name="bigquery (local-bigquery)",
        ask=ask,
        tables=lambda: ask(f"select table_name from {DATASET}.INFORMATION_SCHEMA.TABLES"),
    )


@contextmanager
def sqlite_place(path: Path) -> Iterator[Place]:
    """A SQLite file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:

        def ask(sql: str) -> list[str]:
            return [str(row[0]) for row in db.execute(sql).fetchall()]

        yield Place(
            "sqlite",
            Tag.REAL,
            {"type": "sqlite", "path": str(path)},
            db.execute,
            ask=ask,
            tables=lambda: ask("select name from sqlite_master"),
        )


@contextmanager
def duckdb_place(path: Path) -> Iterator[Place]:
    """A DuckDB file, open all the time, as dbt-duckdb has it: sessions then join one instance."""
    with duckdb.connect(str(path)) as held:

        def ask(sql: str) -> list[str]:
            with held.cursor() as db:
                return [str(row[0]) for row in db.execute(sql).fetchall()]

        yield Place(
            "duckdb",
            Tag.REAL,
            {"type": "duckdb", "path": str(path)},
            ask,
            schema="main",
            ask=ask,
            tables=lambda: ask("select table_name from duckdb_tables()"),
        )


def clickhouse_place(server: ClickHouseServer, database: str) -> Place:
    """A database of its own on ClickHouse."""
    name = server.create_database(database)
    return Place(
        "clickhouse",
        Tag.REAL,
        server.output(name),
        lambda sql: server.query(sql, name),
        schema=name,
        refused=server.output(name, password="wr0ng-pass"),
        name="clickhouse (chdb)",
        ask=lambda sql: server.query(sql, name).split("\n"),
        tables=lambda: server.query("show tables", name).split("\n"),
    )


def folder_place(folder: Path, format_: str) -> Place:
    """A folder in which models land as files."""

    def execute(sql: str) -> None:
        found = _DROPPED.fullmatch(sql)
        assert found is not None, f"files take no {sql}"
        name = found.group(1).replace('""', '"')
        (folder / f"{name}.{format_}").unlink(missing_ok=True)

    output = {"type": "files", "path": str(folder), "format": format_}
    listed = lambda: [path.name for path in folder.iterdir()]  # noqa: E731
    return Place("files", Tag.REAL, output, execute, name=f"files ({format_})", tables=listed, words=f"files-{format_}")
