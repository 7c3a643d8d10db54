"""The conformance kit against the stand-ins of Databricks, SQL Server and Oracle, under their real clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers import databricks, databricks_words
from servers.sqlserver import SqlServerFake

from dvt.testing import ExtractorContract, Place, Tag


class TestDatabricks(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        pytest.importorskip("databricks.sql")
        with databricks.running() as warehouse:
            warehouse.execute("create schema lake.sales")
            yield Place(
                "databricks",
                Tag.FAKE,
                databricks.output(warehouse),
                lambda sql: warehouse.execute(databricks_words.translated(sql)),
                warehouse.taken,
                schema="sales",
                refused=databricks.output(warehouse, token="wr0ng-token"),
                running=lambda: len(warehouse.left_open),
            )


class TestSqlServer(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, sqlserver_fake: SqlServerFake) -> Place:
        server = sqlserver_fake
        return Place(
            "sqlserver",
            Tag.FAKE,
            server.output(login_timeout=3),  # the driver asks a closed port for all of it
            server.execute,
            server.statements,
            schema="dbo",
            refused=server.output(password="wr0ng-pass"),
            running=lambda: server.running,
        )
