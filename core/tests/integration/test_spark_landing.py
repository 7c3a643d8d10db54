"""Results that Spark's executors land in PostgreSQL themselves: whole or not at all, no row twice, dvt's own texts.

One session for most of the file: two executors in processes of their own, started by dvt as by a user.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.spark_bucket_kit import check_model, connection
from local_engines import stream
from servers.postgres import COPIED, PostgresServer
from servers.process import free_port
from servers.spark import missing
from servers.spark_bucket import TOKEN, SparkBucket, spark_bucket
from servers.spark_cluster import HeldLoad, cluster_home, cluster_options, executor_of, standalone, until
from spark_corpus import TYPES

from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC
from dvt.errors import ConfigurationError, DataError, DvtError, InterruptedRunError
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
def options(home: Path, bucket: SparkBucket) -> Iterator[dict[str, Any]]:
    """The cluster, which is a server of Spark Connect too, writes down all that it shows, and knows the bucket."""
    (home / "events").mkdir()
    served = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": free_port(),
    }
    logged = {"spark.eventLog.enabled": True, "spark.eventLog.dir": (home / "events").as_uri()}
    yield cluster_options(home, config={**bucket.config(), **served, **logged, "spark.eventLog.compress": False})
    spark_sessions.end_all()


@pytest.fixture
def engine(limits: EngineLimits, options: dict[str, Any]) -> Iterator[SparkEngine]:
    with SparkEngine(limits, options) as made:
        yield made


def landed(engine: SparkEngine, target: Connection, sql: str = EVERY, table: str = "made", **config: Any) -> LoadResult:
    with engine.execute(sql) as found, PostgresLoader(target) as loader:
        return loader.load(found, LoadConfig(Relation(table, "public"), **config))


def test_every_type_lands_as_by_the_loader_itself(engine: SparkEngine, postgres_server: PostgresServer) -> None:
    target = connection(postgres_server, postgres_server.create_database("spark_types"))
    engine.register(TABLE_T, stream(TYPES))
    assert landed(engine, target, "select * from db.t", "by_executors").method == "spark_executors"
    with engine.execute("select * from db.t") as found, PostgresLoader(target) as loader:
        plain = RowStream(found.columns, found.batches())
        assert loader.load(plain, LoadConfig(Relation("by_dvt", "public"))).method == COPIED
    texts = {
        name: postgres_server.psql("spark_types", f"select r::text from {name} r order by i").splitlines()
        for name in ("by_executors", "by_dvt")
    }
    assert texts["by_executors"] == texts["by_dvt"]
    assert len(texts["by_dvt"]) == 5, "four rows, one with a line break"
    shape = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attnum > 0 and attrelid = "
    shapes = [postgres_server.psql("spark_types", f"{shape}'{name}'::regclass") for name in texts]
    assert shapes[0] == shapes[1]


def test_a_model_in_a_bucket_lands_as_by_duckdb(
    options: dict[str, Any], bucket: SparkBucket, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Executors read the result from the bucket themselves."""
    found = check_model(postgres_server, "spark_landing_bucket", bucket, {**options, **bucket.options()}, tmp_path)
    assert found.method == "spark_executors"


def test_an_executor_that_dies_after_a_commit_doubles_no_row(
    limits: EngineLimits, options: dict[str, Any], postgres_server: PostgresServer
) -> None:
    """One task has all parts: the second attempt comes to parts that the first has committed."""
    with HeldLoad(postgres_server, "spark_retry", part=3) as held:
        results: list[LoadResult] = []
        with SparkEngine(limits, {**options, "landing_sessions": 1}) as engine:
            engine.register(TABLE_T, stream(NUMBERS))
            target = connection(postgres_server, "spark_retry")
            thread = threading.Thread(target=lambda: results.append(landed(engine, target)))
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


def test_a_value_that_does_not_fit_names_its_column_and_leaves_the_old_table(
    engine: SparkEngine, postgres_server: PostgresServer
) -> None:
    target = connection(postgres_server, postgres_server.create_database("spark_refused"))
    postgres_server.psql("spark_refused", "create table made as select 7 as i")
    engine.register(TABLE_T, stream("select i, if(i = 2, 'a' || chr(0), 'a') as t from range(3) r(i)"))
    with pytest.raises(DataError, match="NUL character") as raised:
        landed(engine, target)
    assert (raised.value.column, raised.value.connection) == ("t", "dw")
    with pytest.raises(DataError, match="out of range") as raised:
        landed(engine, target, "select i + 40000 as i from db.t", declared={"i": "smallint"})
    assert raised.value.column == "i"
    assert postgres_server.psql("spark_refused", "select i from made") == "7"
    assert postgres_server.psql("spark_refused", "select relname from pg_class where relname like '%dvt%'") == ""


def test_a_server_of_spark_connect_lands_by_its_executors(
    limits: EngineLimits, options: dict[str, Any], engine: SparkEngine, postgres_server: PostgresServer
) -> None:
    engine.register(TABLE_T, stream("select 1 as i"))
    engine.execute(EVERY.replace(", t", "")).close()  # so that it runs
    port = options["config"]["spark.connect.grpc.binding.port"]
    target = connection(postgres_server, postgres_server.create_database("spark_connect"))
    with SparkEngine(limits, {"remote": f"sc://127.0.0.1:{port}"}) as client:
        client.register(TABLE_T, stream(NUMBERS))
        assert landed(client, target).method == "spark_executors"
    assert postgres_server.psql("spark_connect", COUNTED) == WHOLE


def test_no_secret_is_in_what_spark_writes(
    home: Path,
    limits: EngineLimits,
    options: dict[str, Any],
    engine: SparkEngine,
    bucket: SparkBucket,
    postgres_server: PostgresServer,
) -> None:
    """A load from a bucket that is refused, one that succeeds, and one whose log-in the executors alone are refused."""
    target = connection(postgres_server, postgres_server.create_database("spark_secret"))
    with SparkEngine(limits, {**options, **bucket.options()}) as other:
        other.register(TABLE_T, stream("select i, if(i = 2, 'a' || chr(0), 'a') as t from range(3) r(i)"))
        with pytest.raises(DataError, match="NUL character"):
            landed(other, target)
    assert bucket.objects() == []
    engine.register(TABLE_T, stream(NUMBERS))
    assert landed(engine, target).method == "spark_executors"
    refused = Connection.from_output(
        "dw", postgres_server.output("spark_secret", application_name="x", password="wr0ng-pa55"), SPEC
    )
    with engine.execute(EVERY) as found, PostgresLoader(target) as loader:
        loader.session()
        loader.connection = refused
        result = loader.load(found, LoadConfig(Relation("made", "public")))
    assert result.method == COPIED
    assert "password authentication failed" in result.passed_over[0].why
    assert engine._process is not None
    written = [*home.glob("work/*/*/std*"), *home.glob("events/**/*"), engine._process.folder / "log"]
    texts = [path.read_bytes() for path in written if path.is_file()]
    assert sum(b"mapInArrow" in text or b"MapInArrow" in text for text in texts) > 0, "the loads are written down"
    for secret in (postgres_server.password, "wr0ng-pa55", TOKEN):
        assert not any(secret.encode() in text or repr(secret)[1:-1].encode() in text for text in texts)


def test_a_folder_that_executors_do_not_see_is_one_line(
    limits: EngineLimits, options: dict[str, Any], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """The same folder is another path there: wrong, then right."""
    shared, elsewhere = tmp_path / "shared", tmp_path / "mounted"
    shared.mkdir()
    elsewhere.symlink_to(shared)
    target = connection(postgres_server, postgres_server.create_database("spark_staging"))
    for name, there in (("nowhere", tmp_path / "nowhere"), ("mounted", elsewhere)):
        place = {"staging": str(shared), "staging_as": there.as_uri()}
        with SparkEngine(limits, {**options, **place}) as engine:
            engine.register(TABLE_T, stream(NUMBERS))
            if name == "mounted":
                assert landed(engine, target).method == "spark_executors"
                continue
            with pytest.raises(ConfigurationError, match="executors do not see the folder") as raised:
                landed(engine, target)
            assert raised.value.remedy is not None
            assert "engines.spark.staging" in raised.value.remedy
    assert postgres_server.psql("spark_staging", COUNTED) == WHOLE
    assert not list(shared.iterdir()), "what was staged is gone"


def test_a_load_that_is_cancelled_leaves_the_old_table(engine: SparkEngine, postgres_server: PostgresServer) -> None:
    """The last of the file: Spark ends with it, driver and executors."""
    with HeldLoad(postgres_server, "spark_cancel", part=1) as held:
        postgres_server.psql("spark_cancel", "create table made as select 7 as i")
        engine.register(TABLE_T, stream(NUMBERS))
        raised: list[DvtError] = []

        def load() -> None:
            with pytest.raises(DvtError) as caught:
                loader.load(found, LoadConfig(Relation("made", "public")))
            raised.append(caught.value)

        with engine.execute(EVERY) as found, PostgresLoader(connection(postgres_server, "spark_cancel")) as loader:
            thread = threading.Thread(target=load)
            thread.start()
            until(held.waiting)
            loader.cancel()
            thread.join(120)
        assert [type(error) for error in raised] == [InterruptedRunError]
        held.release()
        assert postgres_server.psql("spark_cancel", "select i from made") == "7"
        assert until(lambda: held.tables() == ["made"])


def test_a_second_attempt_beside_the_first_doubles_no_row(
    home: Path, limits: EngineLimits, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """On a cluster with workers of their own, which starts second attempts of what takes long."""
    eager = {"quantile": 0.1, "multiplier": 1.1, "minTaskRuntime": "1s", "interval": "100ms"}
    config = {"spark.speculation": True, **{f"spark.speculation.{key}": value for key, value in eager.items()}}
    with HeldLoad(postgres_server, "spark_speculation", part=5) as held:
        target = connection(postgres_server, "spark_speculation")
        results: list[LoadResult] = []
        with standalone(home, tmp_path) as address:
            with SparkEngine(limits, cluster_options(home, master=address, config=config)) as engine:
                engine.register(TABLE_T, stream(NUMBERS))
                thread = threading.Thread(target=lambda: results.append(landed(engine, target)))
                thread.start()
                until(lambda: len(held.waiting()) == 2)  # the last part is wanted by two tasks
                assert held.ledger() == [0, 1, 2, 3, 4]
                held.release()
                thread.join(120)
            spark_sessions.end_all()
        assert [(each.rows, each.method) for each in results] == [(ROWS, "spark_executors")]
        assert postgres_server.psql("spark_speculation", COUNTED) == WHOLE
