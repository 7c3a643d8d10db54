"""The conformance kit against a real Spark: over Spark Connect, and as Hive over its HiveServer2.

What the second shows of Hive is the protocol and the client; what runs the statements is Spark's SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from servers.spark import SparkServer

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag

pytestmark = [pytest.mark.spark, pytest.mark.slow]


class TestSpark(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, spark_server: SparkServer) -> Place:
        pytest.importorskip("pyspark")
        server = spark_server
        user = f"kit_{server.user}"
        return Place(
            "spark",
            Tag.REAL,
            server.output(user=user),
            server.in_utc().execute,
            schema=server.database("dvt_contract_spark"),
            refused=server.output(user=user, token="wr0ng-token"),
            running=lambda: server.settled(f"User_{user}_"),
            name="spark (Spark Connect)",
        )


class TestHive(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, spark_server: SparkServer) -> Place:
        pytest.importorskip("impala.hiveserver2")
        server = spark_server
        schema = server.database("dvt_contract_hive")
        return Place(
            "hive",
            Tag.REAL,
            server.hive_output(),
            server.in_utc().execute,
            schema=schema,
            running=lambda: server.settled(schema),
            name="hive (Spark's HiveServer2)",
        )


def _asking(server: SparkServer, table: str) -> Callable[[str], list[str]]:
    """What asks: a session that has read a table holds on to the list of its files, until it is told not to."""
    own = server.in_utc()

    def ask(sql: str) -> list[str]:
        own.execute(f"refresh table {table}")
        return [str(row[0]) for row in own.query(sql)]

    return ask


class TestLoadingSpark(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, spark_server: SparkServer) -> Place:
        pytest.importorskip("pyspark")
        server = spark_server
        user, schema = f"kit_loads_{server.user}", server.database("dvt_contract_spark_loads")
        return Place(
            "spark",
            Tag.REAL,
            server.output(user=user),
            server.in_utc().execute,
            schema=schema,
            refused=server.output(user=user, token="wr0ng-token"),
            running=lambda: server.settled(f"User_{user}_"),
            name="spark (Spark Connect)",
            ask=_asking(server, f"{schema}.dvt_kit"),
            tables=lambda: [str(row[1]) for row in server.query(f"show tables in {schema}")],
        )


class TestLoadingHive(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, spark_server: SparkServer) -> Place:
        pytest.importorskip("impala.hiveserver2")
        server = spark_server
        schema = server.database("dvt_contract_hive_loads")
        return Place(
            "hive",
            Tag.REAL,
            server.hive_output(),
            server.in_utc().execute,
            schema=schema,
            running=lambda: server.settled(schema),
            name="hive (Spark's HiveServer2)",
            ask=_asking(server, f"{schema}.dvt_kit"),
            tables=lambda: [str(row[1]) for row in server.query(f"show tables in {schema}")],
        )


class TestLoadingHiveByFiles(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, spark_server: SparkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
        pytest.importorskip("impala.hiveserver2")
        server, folder = spark_server, tmp_path_factory.mktemp("through")
        schema = server.database("dvt_contract_hive_files")
        yield Place(
            "hive",
            Tag.REAL,
            server.hive_output(dvt={"load_through": folder.as_uri()}),
            server.in_utc().execute,
            schema=schema,
            words="hive-files",
            running=lambda: server.settled(schema),
            name="hive (Spark's HiveServer2, files)",
            ask=_asking(server, f"{schema}.dvt_kit"),
            tables=lambda: [str(row[1]) for row in server.query(f"show tables in {schema}")],
        )
        assert list(folder.iterdir()) == []
