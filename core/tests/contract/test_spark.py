"""The conformance kit against a real Spark: over Spark Connect, and as Hive over its HiveServer2.

What the second shows of Hive is the protocol and the client; what runs the statements is Spark's SQL.
"""

from __future__ import annotations

import pytest
from servers.spark import SparkServer

from dvt.testing import ExtractorContract, Place, Tag

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
