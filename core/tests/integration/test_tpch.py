"""TPC-H: the 22 queries over three splits of the eight tables give DuckDB's answers over the same data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fuzz.compare import texts
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from benchmarks.tpch import generator
from benchmarks.tpch_queries import QUERIES
from benchmarks.tpch_split import SPLITS, inputs, load, oracle, query
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.session import RunSession

SCALE = "0.01"
# At this scale nothing has what the query looks for.
_EMPTY: set[int] = set()


@dataclass(frozen=True)
class Tpch:
    """The data in all places, and what answers without dvt."""

    session: RunSession
    connections: dict[str, Any]
    oracle: Any


@pytest.fixture(scope="module")
def world(
    postgres_server: PostgresServer, mariadb_server: MariaDBServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tpch]:
    if generator() is None:
        pytest.skip("tpchgen-cli is not installed")
    folder: Path = tmp_path_factory.mktemp("tpch")
    connections = load(postgres_server, mariadb_server, folder, SCALE)
    with RunSession(folder / "w", memory_bytes=1 << 30, threads=2, parallel_queries=1, run_id="1") as session:
        with oracle(folder) as database:
            yield Tpch(session, connections, database)


def rows(table: pa.Table) -> list[str]:
    """Each row as one text."""
    return [" | ".join(row) for row in zip(*(texts(column) for column in table.columns), strict=True)]


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.mysql
@pytest.mark.parametrize("number", QUERIES)
def test_every_split_gives_the_answer_of_duckdb(world: Tpch, number: int) -> None:
    expected = world.oracle.sql(query(number, None)).to_arrow_table()
    wanted = rows(expected)
    assert bool(wanted) == (number not in _EMPTY)
    for name, split in SPLITS.items():
        for level in Pushdown:
            with world.session.query(query(number, split), inputs(split, world.connections), pushdown=level) as run:
                found = run.stream.to_table()
                sent = [scan.sql for scan in run.plan.scans]
            where = f"split {name}, pushdown {level.value}: {sent}"
            assert found.schema.types == expected.schema.types, where
            # All 22 have an order, which ties leave open nowhere at this scale.
            assert rows(found) == wanted, where
