"""Results that Spark's executors land as files, which the target loads by one statement: what dvt's own load leaves,
whole or not at all, no row twice. Targets are stand-ins over moto's S3, BigQuery's over Google's emulated storage."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from local_engines import stream
from servers import athena, databricks, firebolt, redshift, s3, trino
from servers.bigquery import BigQueryServer
from servers.firebolt_copy import ROLE
from servers.gate import gate
from servers.object_stores import gcs_store
from servers.postgres import PostgresServer
from servers.snowflake import SnowflakeServer
from servers.spark import missing
from servers.spark_cluster import cluster_home, cluster_options, executor_of, until
from spark_corpus import TYPES

from dvt.errors import DataError
from dvt.federation.engines import spark_sessions
from dvt.federation.engines.base import EngineLimits, Handle
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.registry import loader_class, open_connection
from dvt.federation.spread import SpreadRows
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

pytest.importorskip("databricks.sql")
pytest.importorskip("redshift_connector")
pytest.importorskip("firebolt.db")
pytestmark = [pytest.mark.spark, pytest.mark.postgres]
ROWS = 3000
TABLE_T = Handle("db", "main", "t")
THROUGH = {"load_through": f"s3://{s3.BUCKET}/in"}


@dataclass
class Result:
    """A result of Spark's, evaluated once and kept: it is landed on every target.

    Args:
        columns: Of it.
        spread: Its offer.
        rows: The same rows, by DuckDB.
    """

    columns: list[ColumnSchema]
    spread: SpreadRows
    rows: pa.Table

    def offered(self) -> RowStream:
        """For executors; the stream itself has no rows."""
        return RowStream(self.columns, iter(()), spread=self.spread)

    def read(self) -> RowStream:
        """For dvt itself."""
        return RowStream(self.columns, iter(self.rows.to_batches()))


_IN_MS = ", ".join(f"date_trunc('millisecond', {name}) as {name}" for name in ("ts", "tz"))
_QUERIES = {
    "types": TYPES,
    "types in ms": f"select * replace ({_IN_MS}) from ({TYPES})",
    "numbers": f"select i, 'row ' || i as t from range({ROWS}) r(i)",
    "beyond": "select i + 4000000000 as i from range(3) r(i)",
}


@pytest.fixture(scope="module")
def engine(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkEngine]:
    """Spark with two executors in processes of their own, whose machine has credentials: this one."""
    if why := missing():
        pytest.skip(why)
    limits = EngineLimits(1 << 30, 2, tmp_path_factory.mktemp("engines"))
    with SparkEngine(limits, cluster_options(cluster_home(tmp_path_factory.mktemp("home")))) as made:
        yield made
    spark_sessions.end_all()


@pytest.fixture(scope="module")
def results(engine: SparkEngine) -> Iterator[dict[str, Result]]:
    found: dict[str, Result] = {}
    with contextlib.ExitStack() as open_:
        for name, sql in _QUERIES.items():
            engine.register(TABLE_T, stream(sql))
            given = open_.enter_context(engine.execute("select * from db.t"))
            assert given.spread is not None
            rows = stream(sql)
            found[name] = Result(given.columns, given.spread, pa.Table.from_batches(rows.batches(), rows.schema))
        yield found


class Target:
    """An engine that is loaded by files.

    Args:
        output: Of a profile.
        schema: Where tables land.
        run: Runs a query, and gives its rows.
        method: The loader's own, by which dvt writes the files.
        types: The result with values of every type that the engine has.
        narrow: A type for numbers of few digits.
    """

    def __init__(
        self,
        output: dict[str, Any],
        schema: str,
        run: Callable[[str], Iterable[Sequence[Any]]],
        method: str,
        types: str = "types",
        narrow: str = "smallint",
    ) -> None:
        self.output, self.schema, self.run, self.method = output, schema, run, method
        self.types, self.narrow = types, narrow

    def load(self, rows: RowStream, table: str, **config: Any) -> LoadResult:
        connection = open_connection("dw", self.output)
        with loader_class(connection.type)(connection) as loader:
            return loader.load(rows, LoadConfig(Relation(table, self.schema), **config))

    def ask(self, columns: str, table: str, more: str = "") -> list[list[str]]:
        """Rows as texts: NaN is not NaN."""
        found = self.run(f"select {columns} from {self.schema}.{table} {more}")
        return [[str(value) for value in row] for row in found]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of an S3; nothing is left below the folder."""
    with s3.running() as url:
        yield url
        left = s3.keys()
        assert [key for key in left if key.startswith("in/") and not key.endswith("/")] == []


@pytest.fixture(scope="module")
def redshift_target(postgres_server: PostgresServer, bucket: str) -> Iterator[Target]:
    with redshift.running(postgres_server, "dvt_spark_redshift", bucket) as server:
        output = server.output(dvt={**THROUGH, "unload_role": "arn:aws:iam::1:role/x"})

        def run(sql: str) -> list[list[str]]:
            return [line.split("|") for line in postgres_server.psql("dvt_spark_redshift", sql).splitlines()]

        yield Target(output, "public", run, "copy_parquet")


@pytest.fixture(scope="module")
def athena_target() -> Iterator[Target]:
    with athena.with_glue() as server:

        def run(sql: str) -> list[tuple[Any, ...]]:
            with server.hive.read(sql) as read:
                return server.sql.run(read).fetchmany(ROWS + 1)

        yield Target(server.output(dvt={"keep_files_s": 0}), "main", run, "parquet_files", "types in ms")


@pytest.fixture(scope="module")
def trino_target(bucket: str) -> Iterator[Target]:
    with trino.running() as server:
        more = {"load_catalog": "files", "load_schema": "landing"}
        output = server.output(dvt={**THROUGH, **more})
        yield Target(output, "main", lambda sql: server.engine.run(sql).fetchmany(ROWS + 1), "external_parquet")
        assert server.external.names() == []


@pytest.fixture(scope="module")
def snowflake_target(snowflake_server: SnowflakeServer, bucket: str) -> Iterator[Target]:
    snowflake_server.reads(
        access_key="testing", secret_key="x", region="us-east-1", endpoint_override=bucket, scheme="http"
    )
    output = snowflake_server.output(dvt={**THROUGH, "load_integration": "lake"})
    yield Target(
        output,
        "PUBLIC",
        lambda sql: [list(row.values()) for row in snowflake_server.query(sql)],
        "external_copy",
        narrow="number(4, 0)",
    )
    assert snowflake_server.stages() == []


@pytest.fixture(scope="module")
def bigquery_target(bigquery_server: BigQueryServer) -> Iterator[Target]:
    with gcs_store() as store, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", store.endpoint)
        bigquery_server.reads(store.endpoint)
        output = bigquery_server.output(dvt={"load_through": f"gs://{store.bucket}/in"})
        yield Target(output, "shop", bigquery_server.query, "load_uris", narrow="numeric(4, 0)")


@pytest.fixture(scope="module")
def databricks_target(bucket: str) -> Iterator[Target]:
    with databricks.running() as server:
        output = databricks.output(server, dvt=THROUGH)
        yield Target(
            output, "sales", lambda sql: server.engine.run(sql, "sales").fetchmany(ROWS + 1), "copy_into_external"
        )


@pytest.fixture(scope="module")
def firebolt_target(bucket: str) -> Iterator[Target]:
    with firebolt.running() as server:
        output = server.output(dvt={**THROUGH, "load_role": ROLE})
        yield Target(output, "main", lambda sql: server.sql.run(sql).fetchmany(ROWS + 1), "copy_parquet", narrow="int")


_TARGETS = ("redshift", "athena", "trino", "snowflake", "bigquery", "databricks", "firebolt")


@pytest.fixture(params=[f"{name}_target" for name in _TARGETS])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(request.param)
    return found


def test_every_type_lands_as_by_dvt_itself(results: dict[str, Result], target: Target) -> None:
    given = results[target.types]
    result = target.load(given.offered(), "by_executors")
    assert (result.method, result.passed_over) == ("spark_executors", ())
    assert target.load(given.read(), "by_dvt").method == target.method
    rows = [target.ask("*", name, "order by i") for name in ("by_executors", "by_dvt")]
    assert len(rows[0]) >= 4
    assert rows[0] == rows[1]


def test_many_parts_land_whole_and_replace_the_table(results: dict[str, Result], target: Target) -> None:
    target.load(stream("select 7 as i, 'old' as t"), "made")
    assert len(results["numbers"].spread.parts) > 2
    result = target.load(results["numbers"].offered(), "made")
    assert (result.rows, result.method) == (ROWS, "spark_executors")
    whole = [str(ROWS), str(ROWS), "0", str(ROWS - 1), "row 999"]
    assert target.ask("count(*), count(distinct i), min(i), max(i), max(t)", "made") == [whole]


def test_a_value_that_has_no_place_names_its_column_and_leaves_the_old_table(
    results: dict[str, Result], target: Target
) -> None:
    target.load(stream("select 7 as i"), "refused")
    with pytest.raises(DataError) as raised:
        target.load(results["beyond"].offered(), "refused", declared={"i": target.narrow})
    assert (raised.value.column, raised.value.connection) == ("i", "dw")
    assert target.ask("i", "refused") == [["7"]]


def test_an_executor_that_dies_while_it_writes_doubles_no_row(
    engine: SparkEngine, results: dict[str, Result], bucket: str, trino_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are written again under their names."""
    found: list[LoadResult] = []
    with gate(bucket, held=b"/00002-") as held:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", held.address)
        thread = threading.Thread(
            target=lambda: found.append(trino_target.load(results["numbers"].offered(), "retried"))
        )
        thread.start()
        port = until(held.waiting)[0]
        assert engine._process is not None
        os.kill(executor_of(engine._process._process.pid, port), signal.SIGKILL)
        until(lambda: len(held.waiting()) > 1)  # the other attempt has come so far
        held.release()
        thread.join(120)
    assert [(each.rows, each.method) for each in found] == [(ROWS, "spark_executors")]
    assert trino_target.ask("count(*), count(distinct i)", "retried") == [[str(ROWS), str(ROWS)]]
