"""A model over PostgreSQL that Spark computes in a bucket, and DuckDB by itself: both have to land the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from servers.postgres import PostgresServer
from servers.spark_bucket import SparkBucket

from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC
from dvt.federation.engines.base import Handle
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.plan.model import Input
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

SOURCE = Handle("dw", "public", "source")
_ROWS = 3000
# Sums of decimals only: floats depend on the order of additions.
_MODEL = (
    "select s.*, k.n, k.total from dw.public.source s"
    " join (select i % 7 as k, count(*) as n, sum(amount) as total from dw.public.source group by 1) k on k.k = s.i % 7"
    " where s.i <> 13 order by s.i"
)
_FILLED = f"""create table source as
 select i::bigint, 'row ' || i || e'\\t\\\\' as t, (i / 7.0)::numeric(12, 4) as amount, nullif(i % 5, 0)::int as rest,
 timestamptz '2024-03-31 00:30:00+00' + i * interval '1 hour' as moment, date '1999-12-31' + i as day,
 md5(i::text)::uuid as id, i / 3.0::float8 as f, i % 2 = 0 as even from generate_series(1, {_ROWS}) s(i)"""


def connection(server: PostgresServer, database: str) -> Connection:
    """One of its databases."""
    return Connection.from_output("dw", server.output(database), SPEC)


def session(folder: Path, options: dict[str, Any]) -> RunSession:
    """A run that has Spark by these options."""
    return RunSession(
        folder, memory_bytes=1 << 30, threads=2, parallel_queries=1, run_id="1", engine_options={"spark": options}
    )


def check_model(
    server: PostgresServer, database: str, bucket: SparkBucket, options: dict[str, Any], folder: Path
) -> LoadResult:
    """Land the model by both engines; texts and types are the same, and nothing stays in the bucket."""
    place = connection(server, server.create_database(database))
    server.psql(database, _FILLED)
    inputs = [Input(SOURCE, place, Relation("source", "public"))]
    for engine in ("duckdb", "spark"):
        with session(folder / engine, options) as run, run.query(_MODEL, inputs, engine=engine) as found:
            assert bool(bucket.objects()) is (engine == "spark")
            with PostgresLoader(place) as loader:
                result = loader.load(found.stream, LoadConfig(Relation(f"by_{engine}", "public")))
        assert bucket.objects() == [], "nothing of a run is left in the bucket"
        assert (result.rows, result.passed_over) == (_ROWS - 1, ())
    texts = [server.psql(database, f"select r::text from by_{engine} r order by i") for engine in ("duckdb", "spark")]
    assert texts[0].count("\n") >= _ROWS - 2
    assert texts[1] == texts[0]
    shape = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attnum > 0 and attrelid = "
    shapes = [server.psql(database, f"{shape}'by_{engine}'::regclass") for engine in ("duckdb", "spark")]
    assert shapes[1] == shapes[0]
    return result
