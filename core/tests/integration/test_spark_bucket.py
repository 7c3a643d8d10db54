"""Staging in a bucket: dvt writes inputs there over HTTP, a real Spark reads them as `gs://`, and back.

What the connector is here says `servers/spark_bucket.py`. Two Sparks: one process, and one with executors.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from local_engines import stream
from servers.postgres import COPIED, PostgresServer
from servers.process import free_port
from servers.spark import missing
from servers.spark_bucket import TOKEN, TOKEN_ENV, SparkBucket, spark_bucket
from servers.spark_cluster import cluster_home, cluster_options
from spark_corpus import TYPES

from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC
from dvt.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DataError,
    InterruptedRunError,
    MissingDriverError,
)
from dvt.federation.engines import spark_sessions
from dvt.federation.engines.base import EngineLimits, Handle
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.loaders.postgres_executor import Executor, SaidError
from dvt.federation.plan.model import Input
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

pytestmark = [pytest.mark.spark, pytest.mark.postgres]
TABLE_T = Handle("db", "main", "t")
SOURCE = Handle("dw", "public", "source")
ROWS = 3000
# Every row with a type of each kind, and an aggregate that one machine and two executors add up alike.
MODEL = (
    "select s.*, k.n, k.total from dw.public.source s"
    " join (select i % 7 as k, count(*) as n, sum(amount) as total from dw.public.source group by 1) k on k.k = s.i % 7"
    " where s.i <> 13 order by s.i"
)
FILLED = f"""create table source as
 select i::bigint, 'row ' || i || e'\\t\\\\' as t, (i / 7.0)::numeric(12, 4) as amount, nullif(i % 5, 0)::int as rest,
 timestamptz '2024-03-31 00:30:00+00' + i * interval '1 hour' as moment, date '1999-12-31' + i as day,
 md5(i::text)::uuid as id, i / 3.0::float8 as f, i % 2 = 0 as even from generate_series(1, {ROWS}) s(i)"""


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> EngineLimits:
    return EngineLimits(1 << 30, 2, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := missing():
        pytest.skip(why)
    return cluster_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkBucket]:
    with spark_bucket(tmp_path_factory.mktemp("bucket")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(home: Path, bucket: SparkBucket) -> Iterator[dict[str, Any]]:
    """Two executors, and all that Spark's user interface shows written down."""
    (home / "events").mkdir()
    logged = {"spark.eventLog.enabled": True, "spark.eventLog.dir": (home / "events").as_uri()}
    config = {**bucket.config(), **logged, "spark.eventLog.compress": False}
    yield bucket.options(**cluster_options(home, config=config))
    spark_sessions.end_all()


@pytest.fixture(scope="module")
def alone(home: Path, bucket: SparkBucket) -> Iterator[dict[str, Any]]:
    """One process that is all of Spark."""
    given = cluster_options(home, master="local[2]", config=bucket.config())
    yield bucket.options(**given)
    spark_sessions.end_all()


def connection(server: PostgresServer, database: str) -> Connection:
    return Connection.from_output("dw", server.output(database), SPEC)


def session(folder: Path, **options: Any) -> RunSession:
    return RunSession(
        folder, memory_bytes=1 << 30, threads=2, parallel_queries=1, run_id="1", engine_options={"spark": options}
    )


def test_a_model_lands_as_by_duckdb(
    alone: dict[str, Any],
    cluster: dict[str, Any],
    bucket: SparkBucket,
    postgres_server: PostgresServer,
    tmp_path: Path,
) -> None:
    """From one Spark process, read back by dvt, and from executors, which read the bucket themselves."""
    place = connection(postgres_server, postgres_server.create_database("spark_bucket"))
    postgres_server.psql("spark_bucket", FILLED)
    inputs = [Input(SOURCE, place, Relation("source", "public"))]
    ways = {"duckdb": ("duckdb", {}), "alone": ("spark", alone), "cluster": ("spark", cluster)}
    methods = {}
    for name, (engine, options) in ways.items():
        with session(tmp_path / name, **options) as run, run.query(MODEL, inputs, engine=engine) as found:
            assert bool(bucket.objects()) is (engine == "spark")
            with PostgresLoader(place) as loader:
                result = loader.load(found.stream, LoadConfig(Relation(f"by_{name}", "public")))
            assert (result.rows, result.passed_over) == (ROWS - 1, ())
            methods[name] = result.method
        assert bucket.objects() == [], "nothing of a run is left in the bucket"
    assert methods == {"duckdb": COPIED, "alone": COPIED, "cluster": "spark_executors"}
    texts = [postgres_server.psql("spark_bucket", f"select r::text from by_{name} r order by i") for name in ways]
    assert texts[0].count("\n") >= ROWS - 2
    assert texts[1] == texts[0]
    assert texts[2] == texts[0]
    shape = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attnum > 0 and attrelid = "
    shapes = {postgres_server.psql("spark_bucket", f"{shape}'by_{name}'::regclass") for name in ways}
    assert len(shapes) == 1


def test_the_store_s_token_is_in_nothing_that_spark_writes(
    home: Path,
    limits: EngineLimits,
    cluster: dict[str, Any],
    bucket: SparkBucket,
    postgres_server: PostgresServer,
) -> None:
    """Executors that have it and are refused their rows, so that there is something to tell."""
    place = connection(postgres_server, postgres_server.create_database("spark_bucket_secret"))
    with SparkEngine(limits, cluster) as engine:
        engine.register(TABLE_T, stream("select i, if(i = 2, 'a' || chr(0), 'a') as t from range(3) r(i)"))
        with pytest.raises(DataError, match="NUL character"):
            landed(engine, place)
        assert engine._process is not None
        written = [*home.glob("work/*/*/std*"), *home.glob("events/**/*"), engine._process.folder / "log"]
        texts = [path.read_bytes() for path in written if path.is_file()]
    assert sum(b"apInArrow" in text for text in texts) > 0, "the loads are written down"
    assert not any(TOKEN.encode() in text for text in texts)
    assert bucket.objects() == []


def landed(engine: SparkEngine, target: Connection) -> LoadResult:
    with engine.execute("select i, t from db.t") as found, PostgresLoader(target) as loader:
        return loader.load(found, LoadConfig(Relation("made", "public")))


def test_what_executors_lack_is_told_without_the_token(bucket: SparkBucket, postgres_server: PostgresServer) -> None:
    """The very function of a task, with a token that is refused."""
    login = {key: getattr(postgres_server, key) for key in ("host", "port", "user", "password")}
    database = postgres_server.create_database("spark_bucket_lacks")
    postgres_server.psql(database, "create table ledger (part int primary key, rows bigint)")
    options = {"scheme": "http", "endpoint_override": bucket.endpoint.partition("://")[2]}
    options |= {"access_token": "wr0ng-t0ken", "credential_token_expiration": 4e9}
    schema = pa.schema([("i", pa.int64())]).serialize().to_pybytes()
    order = {
        "login": {"parameters": {**login, "dbname": database}, "settings": {}, "role": None},
        "claim": "insert into ledger (part, rows) values (%s, %s)",
        "schema": base64.b64encode(schema).decode(),
        "parts": [[f"gs://{bucket.name}/lake/nothing.parquet", [0], 1]],
        "store": {"kind": "gs", "options": options},
    }
    executor = Executor(order, is_trial=True)
    (said,) = executor(iter([pa.record_batch({"id": [0]})]))
    text = said.column("said")[0].as_py()
    assert "their Python does not see the result" in text
    with pytest.raises(SaidError, match="it cannot read the result") as raised:
        list(Executor(order)(iter([pa.record_batch({"id": [0]})])))
    for words in (text, str(raised.value)):
        assert "401" in words
        assert "wr0ng-t0ken" not in words + repr(executor)
    assert postgres_server.psql(database, "select * from ledger") == "", "nothing is claimed"


@pytest.mark.parametrize("scheme", ["s3a", "oss"])
def test_a_missing_connector_is_one_line_before_anything_is_read(
    scheme: str, alone: dict[str, Any], bucket: SparkBucket, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """The source says so if it is read."""
    database = postgres_server.create_database(f"spark_connector_{scheme}")
    postgres_server.psql(database, "create view source as select 1 / (random() * 0)::int as i, 0 as j")
    inputs = [Input(SOURCE, connection(postgres_server, database), Relation("source", "public"))]
    with session(tmp_path, **alone, staging_as=f"{scheme}://{bucket.name}/lake") as run:
        with pytest.raises(MissingDriverError, match=f"no connector for {scheme}://") as raised:
            with run.query("select sum(i) as s from dw.public.source", inputs, engine="spark", direct=None):
                pass
    assert "\n" not in str(raised.value)
    assert raised.value.remedy is not None
    assert "engines.spark.packages" in raised.value.remedy
    assert bucket.objects() == []


def test_a_bucket_that_is_another_one_for_spark_is_one_line(
    alone: dict[str, Any], limits: EngineLimits, bucket: SparkBucket
) -> None:
    with SparkEngine(limits, {**alone, "staging_as": f"gs://{bucket.name}/elsewhere"}) as engine:
        with pytest.raises(
            ConfigurationError, match=f"Spark does not read gs://{bucket.name}/elsewhere/dvt-"
        ) as raised:
            engine.prepare()
    assert "\n" not in str(raised.value)
    assert bucket.objects() == []


def test_a_bucket_that_dvt_does_not_reach_is_told_before_spark_starts(
    alone: dict[str, Any], limits: EngineLimits, bucket: SparkBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {**alone, "store": {**bucket.store(), "endpoint_url": f"http://127.0.0.1:{free_port()}"}}
    with SparkEngine(limits, closed) as engine, pytest.raises(ConnectionFailedError, match="does not answer"):
        engine.prepare()
    monkeypatch.setenv(TOKEN_ENV, "wr0ng-t0ken")
    with SparkEngine(limits, alone) as engine:
        with pytest.raises(AuthenticationError) as raised:
            engine.prepare()
        assert engine._process is None
    assert "wr0ng-t0ken" not in str(raised.value)
    monkeypatch.delenv(TOKEN_ENV)
    with pytest.raises(ConfigurationError, match=f"{TOKEN_ENV} is not set"):
        SparkEngine(limits, alone)


def test_types_and_look_ups_are_those_of_a_folder(
    alone: dict[str, Any], limits: EngineLimits, bucket: SparkBucket, tmp_path: Path
) -> None:
    """Every type there and back; keys are looked up in what is staged; shared scans are staged once more."""
    found = {}
    for name, options in (("folder", {**alone, "staging": str(tmp_path), "store": {}}), ("bucket", alone)):
        with SparkEngine(limits, options) as engine:
            engine.register(TABLE_T, stream(TYPES))
            with engine.look_up("select distinct cast(I as varchar) as k from db.main.t where I > 1") as keys:
                assert sorted(row["k"] for row in keys) == ["2", "3", "4"]
            with engine.execute("select * from db.t order by i", batch_rows=2) as rows:
                found[name] = rows.to_table()
            staged = tmp_path / "shared.parquet"
            pa.parquet.write_table(pa.table({"x": [1, 2]}), staged)
            engine.register_parquet(Handle("db", "main", "u"), [staged])
            with engine.execute("select sum(x) as s from db.u") as rows:
                assert rows.to_table().column("s").to_pylist() == [3]
        assert bucket.objects() == []
    assert found["bucket"].schema == found["folder"].schema
    assert found["bucket"].num_rows == 4
    assert str(found["bucket"].to_pylist()) == str(found["folder"].to_pylist())


def test_nothing_is_left_after_a_failure_and_an_interrupt(
    alone: dict[str, Any], limits: EngineLimits, bucket: SparkBucket
) -> None:
    """The last with this Spark, which ends."""
    with SparkEngine(limits, alone) as engine:
        engine.register(TABLE_T, stream("select i from range(100) r(i)"))
        with pytest.raises(DataError):
            engine.execute("select cast('x' || i as int) as n from db.t").close()
        assert bucket.objects() != []
    assert bucket.objects() == []
    raised: list[BaseException] = []
    many = ", ".join(f"db.t t{number}" for number in range(9))
    with SparkEngine(limits, alone) as engine:
        engine.register(TABLE_T, stream("select i from range(100) r(i)"))

        def work() -> None:
            with pytest.raises(InterruptedRunError) as caught:
                engine.execute(f"select count(*) as n from {many}").close()
            raised.append(caught.value)

        thread = threading.Thread(target=work)
        timer = threading.Timer(2, engine.interrupt)
        thread.start()
        timer.start()
        thread.join(120)
        assert len(raised) == 1
    assert bucket.objects() == []
