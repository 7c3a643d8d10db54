"""Results that Spark's executors land in PostgreSQL themselves: whole or not at all, no row twice, the loader's own texts.

One session for the file: two executors in processes of their own, with speculation, started by dvt as by a user.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_engines import stream
from servers.postgres import PostgresServer
from servers.spark import missing
from servers.spark_cluster import HeldLoad, cluster_options, executor_of, until

from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC
from dvt.errors import DataError, DvtError, InterruptedRunError
from dvt.federation.engines import spark_sessions
from dvt.federation.engines.base import EngineLimits, Handle
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.config import LoadResult
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation

pytestmark = [pytest.mark.spark, pytest.mark.postgres]
ROWS = 3000
NUMBERS = f"select i, 'row ' || i as t from range({ROWS}) r(i)"
EVERY = "select i, t from db.t"
WHOLE = f"{ROWS}|{ROWS}|{ROWS * (ROWS - 1) // 2}"
COUNTED = "select count(*), count(distinct i), sum(i) from made"
TABLE_T = Handle("db", "main", "t")
# Every type that Spark gives, with what is easily changed on the way.
TYPES = """select * from (values
  (1::bigint, ''::varchar, true, 1::tinyint, -2::smallint, 3::int, 1.10::decimal(10,2), 0.1::double, 1.1::float,
   date '2024-02-29', timestamp '2024-02-29 23:59:59.000001', timestamptz '2024-03-31 02:30:00+02',
   uuid '6f2c1f9e-1111-4222-8333-444455556666', '{"a": 1.0}'::json, 18446744073709551615::ubigint, '\\x00\\xFF'::blob),
  (2, e'a\\tb\\n"c", \\\\N \\\\. é ', false, -128, 32767, -2147483648, -99999999.99, 'nan', 'inf',
   date '0001-01-01', timestamp '0001-01-01 00:00:00', timestamptz '9999-12-31 23:59:59.999999+00',
   'ffffffff-1111-4222-8333-444455556666', '[]', 0, ''),
  (3, '\\N', null, null, null, null, null, '-inf', '-0.0', null, null, null, null, null, null, null),
  (4, null, null, null, null, null, 0, 1e300, 3.4028235e38, '9999-12-31', '1969-12-31 23:59:59.999999',
   '1582-10-04 00:00:00+00', null, 'null', 1, '\\x5C'))
  v(i, t, b, i1, i2, i4, n, f8, f4, day, ts, tz, id, j, u, raw)"""


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> EngineLimits:
    return EngineLimits(1 << 30, 2, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Spark writes down all that its user interface shows."""
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def options(events: Path) -> Iterator[dict[str, Any]]:
    if why := missing():
        pytest.skip(why)
    logged = {"spark.eventLog.enabled": True, "spark.eventLog.dir": events.as_uri(), "spark.eventLog.compress": False}
    yield cluster_options(config=logged)
    spark_sessions.end_all()


@pytest.fixture
def engine(limits: EngineLimits, options: dict[str, Any]) -> Iterator[SparkEngine]:
    with SparkEngine(limits, options) as made:
        yield made


def connection(server: PostgresServer, database: str) -> Connection:
    return Connection.from_output("dw", server.output(database), SPEC)


def landed(engine: SparkEngine, target: Connection, sql: str, table: str = "made") -> LoadResult:
    with engine.execute(sql) as found, PostgresLoader(target) as loader:
        return loader.load(found, LoadConfig(Relation(table, "public")))


def test_every_type_lands_as_by_the_loader_itself(
    engine: SparkEngine, limits: EngineLimits, options: dict[str, Any], postgres_server: PostgresServer
) -> None:
    target = connection(postgres_server, postgres_server.create_database("spark_types"))
    engine.register(TABLE_T, stream(TYPES))
    assert landed(engine, target, "select * from db.t", "by_executors").method == "spark_executors"
    with engine.execute("select * from db.t") as found, PostgresLoader(target) as loader:
        plain = RowStream(found.columns, found.batches())
        assert loader.load(plain, LoadConfig(Relation("by_dvt", "public"))).method == "copy_csv"
    texts = {
        name: postgres_server.psql("spark_types", f"select t::text from {name} t order by i").splitlines()
        for name in ("by_executors", "by_dvt")
    }
    assert texts["by_executors"] == texts["by_dvt"]
    assert len(texts["by_dvt"]) == 5, "four rows, one with a line break"
    shape = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attnum > 0 and attrelid = '%s'::regclass"
    assert postgres_server.psql("spark_types", shape % "by_executors") == postgres_server.psql(
        "spark_types", shape % "by_dvt"
    )


def test_an_executor_that_dies_after_a_commit_doubles_no_row(
    limits: EngineLimits, options: dict[str, Any], postgres_server: PostgresServer
) -> None:
    """One task has all parts: the second attempt comes to parts that the first has committed."""
    held = HeldLoad(postgres_server, "spark_retry", part=3)
    results: list[LoadResult] = []
    with SparkEngine(limits, {**options, "landing_sessions": 1}) as engine:
        engine.register(TABLE_T, stream(NUMBERS))
        target = connection(postgres_server, "spark_retry")
        thread = threading.Thread(target=lambda: results.append(landed(engine, target, EVERY)))
        thread.start()
        (port,) = until(held.waiting)
        assert held.ledger() == [0, 1, 2]
        assert engine._process is not None
        os.kill(executor_of(engine._process._process.pid, port), signal.SIGKILL)
        until(lambda: held.waiting() not in ([], [port]))  # the other attempt has come so far
        held.release()
        thread.join(120)
    assert [(each.rows, each.method) for each in results] == [(ROWS, "spark_executors")]
    assert postgres_server.psql("spark_retry", COUNTED) == WHOLE
    assert held.tables() == ["made"]
    held.close()
