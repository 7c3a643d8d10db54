"""The conformance kit against every engine that runs here. `docs/engines.md` is made from its results."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer
from servers.snowflake import SCHEMA, SnowflakeServer

from dvt.testing import ExtractorContract, Place, Tag

_DATABASE = "dvt_contract"


class TestPostgres(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, postgres_server: PostgresServer) -> Place:
        server = postgres_server
        name = server.create_database(_DATABASE)
        own = f"datname = '{name}' and state = 'active' and pid <> pg_backend_pid() and query <> ''"
        return Place(
            "postgres",
            Tag.REAL,
            server.output(name),
            lambda sql: server.psql(name, sql),
            schema="public",
            refused=server.output(name, password="wr0ng-pass"),
            running=lambda: int(server.psql("postgres", f"select count(*) from pg_stat_activity where {own}")),
        )


class TestMariaDB(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, mariadb_server: MariaDBServer) -> Place:
        server = mariadb_server
        name = server.create_database(_DATABASE)
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
        )


class TestSQLite(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        path = tmp_path_factory.mktemp("contract") / "kit.sqlite"
        with sqlite3.connect(path, isolation_level=None) as db:
            yield Place("sqlite", Tag.REAL, {"type": "sqlite", "path": str(path)}, db.execute)
        db.close()


class TestDuckDB(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        path = tmp_path_factory.mktemp("contract") / "kit.duckdb"

        def execute(sql: str) -> None:
            with duckdb.connect(str(path)) as db:
                db.execute(sql)

        execute("select 1")
        return Place("duckdb", Tag.REAL, {"type": "duckdb", "path": str(path)}, execute, schema="main")


class TestClickHouse(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, clickhouse_server: ClickHouseServer) -> Place:
        server = clickhouse_server
        name = server.create_database(_DATABASE)
        return Place(
            "clickhouse",
            Tag.REAL,
            server.output(name),
            lambda sql: server.query(sql, name),
            schema=name,
            refused=server.output(name, password="wr0ng-pass"),
            name="clickhouse (chdb)",
        )


class TestSnowflake(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, snowflake_server: SnowflakeServer) -> Place:
        server = snowflake_server
        exact = {"names": "exact"}
        return Place(
            "snowflake",
            Tag.EMULATED,
            server.output(dvt=exact),
            server.execute,
            server.statements,
            schema=SCHEMA,
            refused=server.output(password="wr0ng-pass"),
            name="snowflake (fakesnow)",
        )


def test_the_folder_of_words_is_shipped() -> None:
    import dvt.testing

    assert list((Path(dvt.testing.__file__).parent / "engines").glob("*.yml"))
