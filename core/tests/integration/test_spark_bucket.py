"""Staging in a bucket: dvt writes inputs there over HTTP, a real Spark reads them as `gs://`, and back.

What the connector is here says `servers/spark_bucket.py`. One Spark, in one process; with executors of its own it reads
a bucket in `test_spark_landing.py`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from integration.spark_bucket_kit import SOURCE, check_model, connection, session
from local_engines import stream
from servers.postgres import COPIED, PostgresServer
from servers.process import free_port
from servers.spark import missing
from servers.spark_bucket import TOKEN_ENV, SparkBucket, spark_bucket
from servers.spark_cluster import cluster_home, cluster_options
from spark_corpus import TYPES

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
from dvt.federation.executor_parts import SaidError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.loaders.postgres_executor import Task
from dvt.federation.plan.model import Input
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

pytestmark = [pytest.mark.spark, pytest.mark.postgres]
TABLE_T = Handle("db", "main", "t")


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
def alone(home: Path, bucket: SparkBucket) -> Iterator[dict[str, Any]]:
    """One process that is all of Spark."""
    given = cluster_options(home, master="local[2]", config=bucket.config())
    yield bucket.options(**given)
    spark_sessions.end_all()


def test_a_model_lands_as_by_duckdb(
    alone: dict[str, Any], bucket: SparkBucket, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    assert check_model(postgres_server, "spark_bucket", bucket, alone, tmp_path).method == COPIED


def test_rows_pass_sparks_driver_from_a_bucket(
    alone: dict[str, Any], limits: EngineLimits, postgres_server: PostgresServer
) -> None:
    place = connection(postgres_server, postgres_server.create_database("spark_bucket_driver"))
    with SparkEngine(limits, {**alone, "landing": "driver"}) as engine, PostgresLoader(place) as loader:
        engine.register(TABLE_T, stream(TYPES))
        with engine.execute("select i, t from db.t") as found:
            result = loader.load(found, LoadConfig(Relation("made", "public")))
    assert (result.method, result.passed_over) == ("spark_row_pipe", ())
    lengths = postgres_server.psql("spark_bucket_driver", "select i, length(t) from made order by i")
    assert lengths.splitlines() == ["1|0", "2|17", "3|2", "4|"]


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
    executor = Task(order, is_trial=True)
    (said,) = executor(iter([pa.record_batch({"id": [0]})]))
    text = said.column("said")[0].as_py()
    assert "their Python does not see the result" in text
    with pytest.raises(SaidError, match="it cannot read the result") as raised:
        list(Task(order)(iter([pa.record_batch({"id": [0]})])))
    for words in (text, str(raised.value)):
        assert "Invalid Credentials: Bearer ***" in words
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
    with session(tmp_path, {**alone, "staging_as": f"{scheme}://{bucket.name}/lake"}) as run:
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
    assert "Invalid Credentials: Bearer ***" in str(raised.value)
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

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"i": [1]})
        raise DataError("the source broke")

    with SparkEngine(limits, alone) as engine:
        with pytest.raises(DataError, match="the source broke"):
            engine.register(TABLE_T, RowStream([ColumnSchema("i", pa.int64())], broken()))
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
