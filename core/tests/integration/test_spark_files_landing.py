"""Results that Spark's executors land as files, which the target loads by one statement: what dvt's own load leaves,
whole or not at all, no row twice. Targets are Redshift's, Athena's and Trino's stand-ins over moto's S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_engines import stream
from servers import athena, redshift, s3, trino
from servers.postgres import PostgresServer
from servers.spark import missing
from servers.spark_cluster import cluster_home, cluster_options
from spark_corpus import TYPES

from dvt.errors import DataError
from dvt.federation.engines import spark_sessions
from dvt.federation.engines.base import EngineLimits, Handle
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.registry import loader_class, open_connection
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation

pytestmark = [pytest.mark.spark, pytest.mark.postgres]
ROWS = 3000
NUMBERS = f"select i, 'row ' || i as t from range({ROWS}) r(i)"
TABLE_T = Handle("db", "main", "t")
THROUGH = {"load_through": f"s3://{s3.BUCKET}/in"}


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> EngineLimits:
    return EngineLimits(1 << 30, 2, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    if why := missing():
        pytest.skip(why)
    yield cluster_options(cluster_home(tmp_path_factory.mktemp("home")))
    spark_sessions.end_all()


@pytest.fixture
def engine(limits: EngineLimits, options: dict[str, Any]) -> Iterator[SparkEngine]:
    with SparkEngine(limits, options) as made:
        yield made


class Target:
    """An engine that is loaded by files.

    Args:
        output: Of a profile.
        schema: Where tables land.
        ask: Runs a query, and gives its rows.
        method: The loader's own, by which dvt writes the files.
        types: A query for values of every type that the engine has.
    """

    def __init__(
        self,
        output: dict[str, Any],
        schema: str,
        ask: Callable[[str], list[tuple[Any, ...]]],
        method: str,
        types: str = TYPES,
    ) -> None:
        self.output, self.schema, self.ask, self.method, self.types = output, schema, ask, method, types

    def load(self, rows: RowStream, table: str, **config: Any) -> LoadResult:
        connection = open_connection("dw", self.output)
        with loader_class(connection.type)(connection) as loader:
            return loader.load(rows, LoadConfig(Relation(table, self.schema), **config))


@pytest.fixture(scope="module")
def redshift_target(postgres_server: PostgresServer) -> Iterator[Target]:
    with s3.running() as url, redshift.running(postgres_server, "dvt_spark_redshift", url) as server:
        output = server.output(dvt={**THROUGH, "unload_role": "arn:aws:iam::1:role/x"})

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return [(line,) for line in postgres_server.psql("dvt_spark_redshift", sql).splitlines()]

        yield Target(output, "public", ask, "copy_parquet")
        assert s3.keys() == []


@pytest.fixture(scope="module")
def athena_target() -> Iterator[Target]:
    with athena.with_glue() as server:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            with server.hive.read(sql) as read:
                return server.sql.run(read).fetchmany(ROWS + 1)

        in_ms = ", ".join(f"date_trunc('millisecond', {name}) as {name}" for name in ("ts", "tz"))
        types = f"select * replace ({in_ms}) from ({TYPES})"
        yield Target(server.output(dvt={"keep_files_s": 0}), "main", ask, "parquet_files", types)


@pytest.fixture(scope="module")
def trino_target() -> Iterator[Target]:
    with s3.running(), trino.running() as server:
        more = {"load_catalog": "files", "load_schema": "landing"}
        output = server.output(dvt={**THROUGH, **more})
        yield Target(output, "main", lambda sql: server.engine.run(sql).fetchmany(ROWS + 1), "external_parquet")
        assert server.external.names() == []


@pytest.fixture(params=["redshift_target", "athena_target", "trino_target"])
def target(request: pytest.FixtureRequest) -> Target:
    found: Target = request.getfixturevalue(request.param)
    return found


def test_every_type_lands_as_by_dvt_itself(engine: SparkEngine, target: Target) -> None:
    engine.register(TABLE_T, stream(target.types))
    with engine.execute("select * from db.t") as found:
        result = target.load(found, "by_executors")
        assert (result.method, result.passed_over) == ("spark_executors", ())
    with engine.execute("select * from db.t") as found:
        assert target.load(RowStream(found.columns, found.batches()), "by_dvt").method == target.method
    rows = [target.ask(f"select * from {name} order by i") for name in ("by_executors", "by_dvt")]
    assert len(rows[0]) >= 4
    assert list(map(str, rows[0])) == list(map(str, rows[1])), "as texts, for NaN is not NaN"


def test_many_parts_land_whole_and_replace_the_table(engine: SparkEngine, target: Target) -> None:
    target.load(stream("select 7 as i, 'old' as t"), "made")
    engine.register(TABLE_T, stream(NUMBERS))
    with engine.execute("select i, t from db.t") as found:
        result = target.load(found, "made")
        assert found.spread is not None
        assert len(found.spread.parts) > 2
    assert (result.rows, result.method) == (ROWS, "spark_executors")
    whole = target.ask("select count(*) || '|' || count(distinct i) || '|' || sum(i) || '|' || max(t) from made")
    assert whole == [(f"{ROWS}|{ROWS}|{ROWS * (ROWS - 1) // 2}|row {min(999, ROWS - 1)}",)]


def test_a_value_that_has_no_place_names_its_column_and_leaves_the_old_table(
    engine: SparkEngine, target: Target
) -> None:
    target.load(stream("select 7 as i"), "refused")
    engine.register(TABLE_T, stream("select i + 40000 as i from range(3) r(i)"))
    with engine.execute("select i from db.t") as found, pytest.raises(DataError) as raised:
        target.load(found, "refused", declared={"i": "smallint"})
    assert (raised.value.column, raised.value.connection) == ("i", "dw")
    assert [str(i) for (i,) in target.ask("select i from refused")] == ["7"]
