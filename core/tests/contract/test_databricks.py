"""The conformance kit against Databricks' stand-in: the connector's own Thrift service, over `fake_sql`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dvt.testing import ExtractorContract, LoaderContract, Place, Tag
from dvt.testing.loading import LoadingContract

pytest.importorskip("databricks.sql")

from servers.databricks import PATH, VOLUME, output, running
from servers.databricks_service import Warehouse


def _place(warehouse: Warehouse, **more: Any) -> Place:
    warehouse.execute("create schema lake.sales")
    warehouse.rows_of_an_answer = 5_000  # so that what is not read to its end is open there
    closed = {"_connection_uri": f"http://127.0.0.1:1{PATH}"}

    def ask(sql: str) -> list[str]:
        return [str(row[0]) for row in warehouse.engine.run(sql).fetchmany(1000)]

    return Place(
        "databricks",
        Tag.FAKE,
        output(warehouse, **more),
        warehouse.execute,
        warehouse.taken,
        schema="sales",
        refused=output(warehouse, token="wr0ng-token"),
        closed=output(warehouse, host="127.0.0.1:1", connection_parameters=closed),
        running=lambda: len(warehouse.left_open),
        ask=ask,
        tables=lambda: [*ask("select table_name from information_schema.tables"), *warehouse.volumes.files],
        **({"words": "databricks-bound", "name": "databricks without a volume"} if not more else {}),
    )


class TestDatabricks(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with running() as warehouse:
            yield _place(warehouse, dvt={"volume": VOLUME})


class TestLoadingDatabricks(LoaderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with running() as warehouse:
            yield _place(warehouse, dvt={"volume": VOLUME})
            assert warehouse.volumes.put, "nothing went through the volume"
            assert not warehouse.volumes.files, "files were left in the volume"


class TestLoadingDatabricksWithoutAVolume(LoadingContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls) -> Iterator[Place]:
        with running() as warehouse:
            yield _place(warehouse)
            assert not warehouse.volumes.put
