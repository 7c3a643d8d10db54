"""The conformance kit against every engine that runs here. `docs/engines.md` is made from its results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.bigquery import BigQueryServer
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.places import bigquery_place, clickhouse_place, duckdb_place, mariadb_place, postgres_place, sqlite_place
from servers.postgres import PostgresServer
from servers.snowflake import SCHEMA, SnowflakeServer

from dvt.testing import ExtractorContract, Place, Tag

_DATABASE = "dvt_contract"


class TestPostgres(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, postgres_server: PostgresServer) -> Place:
        return postgres_place(postgres_server, _DATABASE)


class TestMariaDB(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, mariadb_server: MariaDBServer) -> Place:
        return mariadb_place(mariadb_server, _DATABASE)


class TestSQLite(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with sqlite_place(tmp_path_factory.mktemp("contract") / "kit.sqlite") as place:
            yield place


class TestDuckDB(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        with duckdb_place(tmp_path_factory.mktemp("contract") / "kit.duckdb") as place:
            yield place


class TestClickHouse(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, clickhouse_server: ClickHouseServer) -> Place:
        return clickhouse_place(clickhouse_server, _DATABASE)


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
            # The driver tries a closed port for all of the time that it has.
            closed=server.output(port=1, dvt={**exact, "connect_timeout_s": 1}),
            name="snowflake (fakesnow)",
        )


class TestBigQuery(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, bigquery_server: BigQueryServer) -> Place:
        return bigquery_place(bigquery_server)


def test_the_folder_of_words_is_shipped() -> None:
    import dvt.testing

    assert list((Path(dvt.testing.__file__).parent / "engines").glob("*.yml"))
