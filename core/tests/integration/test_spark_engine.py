"""Spark as the engine: the answers of DuckDB, by value and type, or an error that names what is not carried.

One Spark for the tests of a run, that of `servers/spark.py`, asked over Spark Connect; a session of its own is started
once, to see that it is found, asked and ended. `DVT_SPARK_FUZZ` asks more random queries, `DVT_SPARK_TPCH=all` all 22.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fuzz.bench import Bench
from fuzz.compare import difference, outcome, texts
from fuzz.schema import random_tables
from fuzz.shapes import random_query
from fuzz.worlds import local_place
from local_engines import from_table, stream
from servers.mariadb import MariaDBServer
from servers.postgres import COPIED, PostgresServer
from servers.spark import TOKEN, SparkServer, spark_home
from spark_corpus import EXPRESSIONS, FAILING, QUERIES, RANDOM, STOPPED, TABLE, TYPES, random_rows

from benchmarks.tpch import generator
from benchmarks.tpch_queries import QUERIES as TPCH
from benchmarks.tpch_split import SPLITS, inputs, load, oracle, query
from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC as POSTGRES
from dvt.errors import (
    DataError,
    DvtError,
    InterruptedRunError,
    MissingDriverError,
    UnsupportedError,
)
from dvt.federation.engines import spark_sessions
from dvt.federation.engines.base import BaseEngine, EngineLimits, Handle
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.engines.spark import SparkEngine
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.postgres import PostgresLoader, _SparkRowPipe
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

pytestmark = pytest.mark.spark
TABLE_T = Handle("db", "main", "t")
FUZZ_COUNT = int(os.environ.get("DVT_SPARK_FUZZ", "8"))
FUZZ_SEED = 20
ROWS = 1000
# What Spark itself does not compute, and says so: correlated subqueries of several kinds.
SPARKS_OWN = ("[UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY", "[INTERNAL_ERROR] Cannot evaluate expression: outer")
# One with a subquery that is correlated, with an outer join, with sums of products, with a share of a whole.
TPCH_NUMBERS = list(TPCH) if os.environ.get("DVT_SPARK_TPCH") == "all" else [1, 2, 13, 14]


@pytest.fixture(scope="module")
def options(spark_server: SparkServer) -> Iterator[dict[str, Any]]:
    """What dvt.yml would say of the run's server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVT_TEST_SPARK_TOKEN", TOKEN)
        address = f"sc://localhost:{spark_server.connect_port}/;user_id={spark_server.own('engine')}"
        config = {"spark.sql.shuffle.partitions": 2}
        yield {"remote": address, "token_env": "DVT_TEST_SPARK_TOKEN", "config": config}
    spark_sessions.end_all()


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> EngineLimits:
    return EngineLimits(1 << 30, 2, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def engines(options: dict[str, Any], limits: EngineLimits) -> Iterator[tuple[BaseEngine, BaseEngine]]:
    """DuckDB and Spark, each with the table."""
    with DuckDBEngine(limits) as duckdb, SparkEngine(limits, options) as spark:
        for engine in (duckdb, spark):
            engine.register(TABLE_T, stream(TABLE))
        yield duckdb, spark


def answer(engine: BaseEngine, sql: str) -> tuple[list[str], list[list[Any]]]:
    """Names and types of the columns, and their values as texts; of floats the values."""
    with engine.execute(sql) as found:
        table = found.to_table()
    shown = [f"{field.name} {field.type}" for field in table.schema]
    return shown, [c.to_pylist() if pa.types.is_floating(c.type) else texts(c) for c in table.columns]


def same(one: list[Any], other: list[Any]) -> bool:
    """Whether two columns are: floats to their last two digits, which depend on the order of additions."""
    return len(one) == len(other) and all(
        a == b or (isinstance(a, float) and (math.isclose(a, b, rel_tol=4e-16) or (a != a and b != b)))
        for a, b in zip(one, other, strict=True)
    )


def check_same(engines: tuple[BaseEngine, BaseEngine], sql: str, names: list[str] | None = None) -> None:
    (shown, expected), (other, found) = (answer(engine, sql) for engine in engines)
    assert other == shown
    for column, one, two in zip(names or shown, expected, found, strict=True):
        assert same(one, two), f"{column}: DuckDB {one}, Spark {two}"


def test_expressions_over_each_row(engines: tuple[BaseEngine, BaseEngine]) -> None:
    each = [expression for group in EXPRESSIONS.values() for expression in group]
    named = ", ".join(f"{expression} as c{number}" for number, expression in enumerate(each))
    check_same(engines, f"select {named} from db.t where i < 3 or t is null or t = 'abc' order by i", each)


def test_expressions_over_random_rows(engines: tuple[BaseEngine, BaseEngine]) -> None:
    for engine in engines:
        engine.register(Handle("db", "main", "n"), from_table(random_rows(ROWS, seed=5)))
    named = ", ".join(f"{expression} as c{number}" for number, expression in enumerate(RANDOM))
    check_same(engines, f"select {named} from db.n order by i", RANDOM)


@pytest.mark.parametrize("name", QUERIES)
def test_both_engines_give_one_answer(engines: tuple[BaseEngine, BaseEngine], name: str) -> None:
    check_same(engines, QUERIES[name])


@pytest.mark.parametrize("name", FAILING)
def test_what_has_no_answer_has_none_on_both(engines: tuple[BaseEngine, BaseEngine], name: str) -> None:
    for engine in engines:
        with pytest.raises(DvtError) as raised:
            answer(engine, FAILING[name])
        assert raised.value.phase == "compute"
        assert not isinstance(raised.value, UnsupportedError)


@pytest.mark.parametrize("sql", STOPPED)
def test_a_value_that_spark_would_change_stops_the_query(engines: tuple[BaseEngine, BaseEngine], sql: str) -> None:
    with pytest.raises(DataError, match=STOPPED[sql]):
        answer(engines[1], sql)


def test_random_queries_over_random_tables(options: dict[str, Any], limits: EngineLimits, tmp_path: Path) -> None:
    """The fuzzer's queries: what is carried gives DuckDB's answer, and enough of them is."""
    places = (local_place("duckdb", tmp_path / "a"), local_place("sqlite", tmp_path / "b"))
    asked = refused = 0
    seed = FUZZ_SEED
    while asked < FUZZ_COUNT:
        tables = random_tables(seed, ("duckdb", "sqlite"), places[0].powers | places[1].powers)
        with Bench(places, tables, tmp_path / "w") as bench, SparkEngine(limits, options) as spark:
            for each in bench.inputs:
                request = ExtractionConfig(relation=each.relation, file_options=each.file_options)
                with bench._kept(each.connection) as extractor, extractor.scan(request) as rows:
                    spark.register(each.handle, rows)
            for number in range(20):
                found = random_query(seed, number, tables, bench.inputs)
                expected = bench.expected(found.sql)
                if asked == FUZZ_COUNT or expected.error:
                    continue
                given = outcome(lambda sql=found.sql: spark.execute(sql))
                if given.error.startswith("UnsupportedError") or any(what in given.error for what in SPARKS_OWN):
                    refused += 1
                    continue
                asked += 1
                what = difference(expected, given, found.is_ordered)
                assert not what, f"{what}, seed {seed}.{number}\n{found.sql}\nDuckDB:\n{expected}\nSpark:\n{given}"
        seed += 1
    assert refused < 3 * asked


@pytest.mark.postgres
@pytest.mark.mysql
def test_tpch_over_two_servers_lands_in_postgres_as_duckdb_answers(
    options: dict[str, Any], postgres_server: PostgresServer, mariadb_server: MariaDBServer, tmp_path: Path
) -> None:
    """What is landed is read by psql, and compared with the text of DuckDB's answer over the generated files."""
    if generator() is None:
        pytest.skip("tpchgen-cli is not installed")
    connections = load(postgres_server, mariadb_server, tmp_path, "0.01")
    split = {table: place if place != "dk" else "pg" for table, place in SPLITS["crosswise"].items()}
    landing = LoadConfig(Relation("answer", "public"))
    session = RunSession(
        tmp_path / "w",
        memory_bytes=1 << 30,
        threads=2,
        parallel_queries=1,
        run_id="1",
        engine="spark",
        engine_options={"spark": options},
    )
    with session, oracle(tmp_path) as database, PostgresLoader(connections["pg"]) as loader:
        for number in TPCH_NUMBERS:
            expected = database.sql(query(number, None)).to_arrow_table()
            with session.query(query(number, split), inputs(split, connections)) as run:
                assert run.stream.schema.types == expected.schema.types
                result = loader.load(run.stream, landing)
            assert result.rows == expected.num_rows > 0
            landed = postgres_server.psql("tpch8", "select to_jsonb(a) from answer a")
            assert_same_texts(landed, expected, number)


@pytest.mark.postgres
def test_rows_land_through_sparks_driver_as_by_dvt(
    options: dict[str, Any], limits: EngineLimits, postgres_server: PostgresServer
) -> None:
    """The texts of every type; a column whose text may differ goes by dvt, and so does what executors cannot land."""
    database = postgres_server.create_database("spark_driver")
    target = Connection.from_output("dw", postgres_server.output(database), POSTGRES)

    def landed(landing: str, columns: str, table: str) -> LoadResult:
        with SparkEngine(limits, {**options, "landing": landing}) as engine, PostgresLoader(target) as loader:
            engine.register(TABLE_T, stream(TYPES))
            with engine.execute(f"select {columns} from db.t") as found:
                return loader.load(found, LoadConfig(Relation(table, "public")))

    plain = "* exclude (u)"
    assert landed("dvt", plain, "by_dvt").method == COPIED
    result = landed("driver", plain, "by_driver")
    assert (result.method, result.rows, result.passed_over) == ("spark_row_pipe", 4, ())
    rows = [postgres_server.psql(database, f"select r::text from {t} r order by i") for t in ("by_driver", "by_dvt")]
    assert rows[0] == rows[1]
    for landing, columns, method, why in (
        ("driver", "i, u", "spark_row_pipe", "the text of column u may be another"),
        ("auto", "i", "spark_executors", "Spark's executors run no Python task"),  # the run's server has no Python
    ):
        result = landed(landing, columns, "by_dvt")
        assert (result.method, [each.method for each in result.passed_over]) == (COPIED, [method])
        assert why in result.passed_over[0].why
        assert "\n" not in result.passed_over[0].why
    assert postgres_server.psql(database, "select relname from pg_class where relname like '%dvt_0%'") == ""


def assert_same_texts(landed: str, expected: pa.Table, number: int) -> None:
    """Rows of JSON, as PostgreSQL writes them, in the order in which they were landed."""
    rows = [json.loads(line, parse_float=str) for line in landed.strip().splitlines()]
    for name in expected.schema.names:
        column = expected.column(name)
        if pa.types.is_floating(column.type):
            found = [None if row[name] is None else float(row[name]) for row in rows]
            assert same(found, column.to_pylist()), f"query {number}, {name}"
        else:
            assert [str(row[name]) for row in rows] == [str(v) for v in column.to_pylist()], f"query {number}, {name}"


@pytest.mark.postgres
def test_rows_of_a_data_frame_pass_the_pipe_into_postgres(
    spark_server: SparkServer, postgres_server: PostgresServer
) -> None:
    """Two partitions, one after the other; what is there is PostgreSQL's own text, and Spark's values."""
    import psycopg

    from dvt.connections.spark import _as_a_script

    with _as_a_script():  # the client's modules are read at the first session
        from pyspark.sql import SparkSession

        session = SparkSession.builder.remote(
            f"sc://localhost:{spark_server.connect_port}/;token=sp4rk%205ecret%2F%26t0ken"
        )
        spark = session.create()
    try:
        frame = spark.range(0, 4, 1, 2).selectExpr(
            *("id", r"if(id = 0, '', concat('a\t\n\r\\N\\.é', id)) as t", "cast(concat('x', id) as binary) as raw"),
            *("cast(id / 3 as decimal(20, 4)) as n", "if(id = 1, double('NaN'), id / double(3)) as d", "id > 1 as b"),
            *("date '2024-02-29' as day", "timestamp_ntz '2024-01-01 10:00:00.5' as wall", "array(id, null) as l"),
            *("timestamp '2024-01-01 10:00:00+01' as moment", "map('k', id) as m", "cast(null as int) as nothing"),
        )
        pipe = _SparkRowPipe(frame)
        postgres_server.create_database("row_pipe")
        postgres_server.psql(
            "row_pipe",
            "create table t (id bigint, t text, raw bytea, n numeric, d float8, b bool, day date, wall timestamp, "
            "l json, moment timestamptz, m jsonb, nothing int)",
        )
        place = {key: getattr(postgres_server, key) for key in ("host", "port", "user", "password")}
        with psycopg.connect(dbname="row_pipe", **place) as connection, connection.cursor() as cursor:
            with cursor.copy("copy t from stdin") as copy:
                while block := pipe.read(7):
                    copy.write(block)
            assert (pipe.rows_read, cursor.rowcount) == (4, 4)
        asked = "select concat_ws('|', id, encode(convert_to(t, 'UTF8'), 'hex'), encode(raw, 'escape'), n, d, b, day, "
        asked += "wall, l, moment at time zone 'UTC', m, nothing is null) from t where id < 2 order by id"
        found = postgres_server.psql("row_pipe", asked).splitlines()
    finally:
        spark.stop()
    text = "a\t\n\r\\N\\.é1".encode().hex()
    moments = "2024-02-29|2024-01-01 10:00:00.5"
    assert found == [
        f'0||x0|0.0000|0|f|{moments}|[0,null]|2024-01-01 09:00:00|{{"k": 0}}|t',
        f'1|{text}|x1|0.3333|NaN|f|{moments}|[1,null]|2024-01-01 09:00:00|{{"k": 1}}|t',
    ]


@pytest.mark.parametrize("later_s", [0, 0.2, 1])
def test_an_interrupt_ends_the_job_on_the_server(
    options: dict[str, Any], limits: EngineLimits, spark_server: SparkServer, later_s: float
) -> None:
    """Whenever it comes: the first job is a count of what the executors see, and between two jobs none runs."""
    mark = f"User_{spark_server.own('engine')}_"
    raised: list[BaseException] = []
    # Spark's join looks at no interrupt: a task that has begun goes on in its JVM until it has counted 4**14 rows.
    many = ", ".join(f"db.t t{number}" for number in range(14))
    with SparkEngine(limits, options) as engine:
        engine.register(TABLE_T, stream(TABLE))

        def work() -> None:
            try:
                answer(engine, f"select count(*) from {many}")
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while not spark_server.running(mark) and thread.is_alive():
            time.sleep(0.05)
        time.sleep(later_s)
        engine.interrupt()
        thread.join(120)
        assert not thread.is_alive()
    assert [type(error) for error in raised] == [InterruptedRunError]
    assert spark_server.settled(mark) == 0


def test_a_session_that_the_server_may_have_ended_is_not_asked_again(
    options: dict[str, Any], limits: EngineLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While inputs are read nothing is asked of it, and that may take long."""
    with SparkEngine(limits, options) as engine:
        engine.prepare()
        assert engine._process is None
        assert answer(engine, "select 1 as i")[1] == [["1"]]
        assert engine._process is not None
        first = engine._process.folder
    monkeypatch.setattr(spark_sessions, "_FRESH_S", 0)
    with SparkEngine(limits, options) as engine:
        assert answer(engine, "select 2 as i")[1] == [["2"]]
        assert engine._process is not None
        assert engine._process.folder != first
    assert not first.exists(), "the older one is ended"


def test_a_wrong_token_and_a_folder_that_nobody_sees_are_one_line(
    options: dict[str, Any], limits: EngineLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVT_OTHER", "wrong")
    with SparkEngine(limits, {**options, "token_env": "DVT_OTHER"}) as engine:
        with pytest.raises(MissingDriverError, match="does not start") as raised:
            answer(engine, "select 1")
    assert "wrong" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_missing_is_one_line(limits: EngineLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDriverError, match="PySpark with its jars is not installed"):
        SparkEngine(limits, {"home": str(tmp_path)})
    for says, words in (
        ("", "there is no Java"),
        ('openjdk version "11.0.2"', "Spark wants Java 17, and this is Java 11"),
    ):
        home = tmp_path / f"java{len(says)}"
        (home / "bin").mkdir(parents=True)
        if says:
            (home / "bin" / "java").write_text(f"#!/bin/sh\necho '{says}' >&2\n")
            (home / "bin" / "java").chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(home))
        with pytest.raises(MissingDriverError, match=words) as raised:
            SparkEngine(limits, {"home": str(spark_home())})
        assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_session_of_its_own_is_started_kept_and_ended(limits: EngineLimits) -> None:
    java = "-Duser.timezone=UTC -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
    config = {"spark.driver.extraJavaOptions": java, "spark.sql.codegen.wholeStage": "false"}
    options = {"home": str(spark_home()), "memory": "600m", "master": "local[2]", "config": config}
    folders = []
    for _ in range(2):
        with SparkEngine(limits, options) as engine:
            engine.register(TABLE_T, stream(TABLE))
            assert answer(engine, "select sum(i) as s, max(u) as u from db.t")[1] == [
                ["Decimal('6')"],
                ["18446744073709551615"],
            ]
            assert engine._process is not None
            folders.append(engine._process.folder)
            staged = Path(engine._staging.file(""))
        assert not staged.exists(), "what was staged is gone with the engine"
    assert folders[0] == folders[1], "the second engine is given the first one's Spark"
    spark_sessions.end_all()
    assert not folders[0].exists()
