"""The conformance kit against every loader whose engine runs here. `docs/engines.md` is made from its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from servers.bigquery import BigQueryServer
from servers.clickhouse import ClickHouseServer
from servers.generic import missing
from servers.mariadb import MariaDBServer
from servers.places import (
    bigquery_place,
    clickhouse_place,
    duckdb_place,
    folder_place,
    mariadb_place,
    postgres_place,
    sqlite_place,
)
from servers.postgres import PostgresServer
from servers.snowflake import SCHEMA, SnowflakeServer
from servers.sqlserver import sqlserver_landing_place

from dvt.testing import LoaderContract, Place, Tag

_DATABASE = "dvt_contract_loads"


def forced(place: Place, by: str) -> Place:
    """A place whose method of loading is said; the kit's words of it are the short ones."""
    output = {**place.output, "dvt": {**place.output.get("dvt", {}), "load_by": by}}
    return replace(place, output=output, words=f"postgres-{by}", name=f"{place.type} ({by})")


class TestPostgres(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, postgres_server: PostgresServer) -> Place:
        return postgres_place(postgres_server, _DATABASE)


class TestPostgresOtherwise(LoaderContract):
    """By COPY of CSV, where the native codec is not there; where COPY is not let through; and over JDBC."""

    @pytest.fixture(scope="class", params=("csv", "buffered", "jdbc"))
    @classmethod
    def place(cls, postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Place:
        if request.param == "csv":
            place = postgres_place(postgres_server, _DATABASE)
            return replace(place, output={**place.output, "dvt": {"native": False}}, name=f"{place.type} (csv)")
        if request.param == "jdbc" and (why := missing("jdbc-postgres")):
            pytest.skip(why)
        return forced(postgres_place(postgres_server, _DATABASE), str(request.param))


class TestMariaDB(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, mariadb_server: MariaDBServer) -> Place:
        return mariadb_place(mariadb_server, _DATABASE)


class TestSQLite(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with sqlite_place(tmp_path_factory.mktemp("contract") / "kit.sqlite") as place:
            yield place


class TestDuckDB(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with duckdb_place(tmp_path_factory.mktemp("contract") / "kit.duckdb") as place:
            yield place


class TestClickHouse(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, clickhouse_server: ClickHouseServer) -> Place:
        return clickhouse_place(clickhouse_server, _DATABASE)


class TestSqlServer(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with sqlserver_landing_place() as place:
            yield place


class TestSnowflake(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, snowflake_server: SnowflakeServer) -> Place:
        server = snowflake_server

        def ask(sql: str) -> list[str]:
            return [str(next(iter(row.values()))) for row in server.query(sql)]

        return Place(
            "snowflake",
            Tag.EMULATED,
            server.output(dvt={"names": "exact"}),
            server.execute,
            server.statements,
            schema=SCHEMA,
            refused=server.output(password="wr0ng-pass"),
            # The drivers try a closed port for all of the time that they have.
            closed=server.output(port=1, dvt={"names": "exact", "connect_timeout_s": 1}),
            name="snowflake (fakesnow)",
            ask=ask,
            tables=lambda: [*ask("select table_name from information_schema.tables"), *server.stages()],
        )


class TestBigQuery(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, bigquery_server: BigQueryServer) -> Place:
        return bigquery_place(bigquery_server)


class TestBigQueryWritten(LoaderContract):
    """By the Storage Write API: streams are the emulator's, types and limits our own."""

    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, bigquery_server: BigQueryServer) -> Place:
        place = bigquery_place(bigquery_server)
        output = bigquery_server.output({"load_with": "storage_write"})
        return replace(place, tag=Tag.FAKE, output=output, words="bigquery-written", name="bigquery (Storage Write)")


class TestFiles(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Place:
        return folder_place(tmp_path_factory.mktemp("contract"), "parquet")
