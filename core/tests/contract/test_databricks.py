"""The conformance kit against Databricks' stand-in: the connector's own Thrift service, over `fake_sql`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dvt.testing import ExtractorContract, Place, Tag

pytest.importorskip("databricks.sql")


class TestDatabricks(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        from servers.databricks import PATH, output, running

        with running() as warehouse:
            warehouse.execute("create schema lake.sales")
            warehouse.rows_of_an_answer = 5_000  # so that what is not read to its end is open there
            closed = {"_connection_uri": f"http://127.0.0.1:1{PATH}"}
            yield Place(
                "databricks",
                Tag.FAKE,
                output(warehouse),
                warehouse.execute,
                warehouse.taken,
                schema="sales",
                refused=output(warehouse, token="wr0ng-token"),
                closed=output(warehouse, host="127.0.0.1:1", connection_parameters=closed),
                running=lambda: len(warehouse.left_open),
            )
