"""Spark's `read.jdbc` before JPype: values by the server's own text, parts, errors, and what is missing for it."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from servers.mariadb import MariaDBServer
from servers.pooler import pooler
from servers.postgres import PostgresServer
from servers.spark import missing, spark_home

from dvt import errors
from dvt.federation.extractors import spark_jdbc_process
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.registry import new_extractor, open_connection
from dvt.identifiers import Relation

JARS = ["/usr/share/java/postgresql.jar", "/usr/share/java/mariadb-java-client.jar"]
spark = pytest.mark.spark
POSTGRES = """\
create table t (id bigint primary key, k int, n numeric(20, 4), free numeric, f real, d double precision, t text,
  c char(4), at timestamptz, wall timestamp, day date, clock time, is_on boolean, raw bytea, mark uuid, doc jsonb,
  small smallint, "a ""b" varchar(9));
insert into t select i, case when i % 3 > 0 then i % 50 end, i / 7.0, i / 3.0, i / 3.0::real, i / 3.0::float8,
  case i % 4 when 0 then null when 1 then '' else 'ä🙂''"\\,' || chr(10) || i end, 'c' || i % 10,
  timestamptz '1969-12-31 23:59:59.999999+05' + i * interval '1 day', timestamp '1500-02-28' + i * interval '1 year',
  date '1582-10-01' + i::int, time '23:59:59.5', i % 2 = 0, decode('00ff', 'hex'),
  ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, jsonb_build_object('a', i), i % 100, 'x' || i
  from generate_series(1, 500) i;
insert into t (id, f, d) values (1000, 'infinity', 'NaN'), (9223372036854775807, '-0', '-infinity');
"""
# Each column's text as the server writes it, and as Python writes the value that was read.
POSTGRES_TEXTS = {
    "id": ("id::text", str),
    "k": ("k::text", str),
    "n": ("n::text", lambda value: f"{value:f}"),
    "free": ("free::text", str),
    "f": ("f::float8::text", lambda value: repr(value)),
    "d": ("d::text", lambda value: repr(value)),
    "t": ("t", str),
    "c": ("c::text", lambda value: value.rstrip()),
    "at": ("to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", lambda v: f"{v:%Y-%m-%d %H:%M:%S.%f}"),
    "wall": ("to_char(wall, 'YYYY-MM-DD HH24:MI:SS.US')", lambda v: f"{v:%Y-%m-%d %H:%M:%S.%f}"),
    "day": ("day::text", str),
    "clock": ("to_char(clock, 'HH24:MI:SS.US')", lambda value: f"{value:%H:%M:%S.%f}"),
    "is_on": ("is_on::text", lambda value: str(value).lower()),
    "raw": ("encode(raw, 'hex')", lambda value: value.hex()),
    "mark": ("mark::text", str),
    "doc": ("doc::text", str),
    "small": ("small::text", str),
    'a "b': ('"a ""b"', str),
}
MARIADB = """\
create table t (id int unsigned primary key, n decimal(20, 4), f float, d double, t varchar(20), c char(4),
  at timestamp(6) null, wall datetime(6), day date, clock time, flag tinyint(1), big bigint unsigned, raw blob,
  bits bit(12), en enum('b', 'ä'), yr year);
set time_zone = '+00:00';
insert into t select seq, seq / 7, seq / 3, seq / 3, if(seq % 4 = 0, null, concat('ä🙂"\\'', seq)), 'c',
  timestamp '2024-03-31 00:30:00.123456' + interval seq minute, timestamp '1500-02-28 00:00:00' + interval seq year,
  date '1582-10-01' + interval seq day, '23:59:59', seq % 2, 18446744073709551615 - seq, x'00ff', seq, 'ä', 2024
  from seq_1_to_500;
"""
MARIADB_TEXTS = {
    "id": ("id", str),
    "n": ("n", str),
    "f": ("f * 1e0", None),
    "d": ("d", None),
    "t": ("t", str),
    "c": ("c", str),
    "at": ("at", lambda v: f"{v:%Y-%m-%d %H:%M:%S.%f}"),
    "wall": ("wall", lambda v: f"{v:%Y-%m-%d %H:%M:%S.%f}"),
    "day": ("day", str),
    "clock": ("clock", str),
    "flag": ("flag", str),
    "big": ("big", str),
    "raw": ("lower(hex(raw))", lambda value: value.hex()),
    "bits": ("bits + 0", lambda value: str(int.from_bytes(value, "big"))),
    "en": ("en", str),
    "yr": ("yr", str),
}


@pytest.fixture(autouse=True)
def _jars() -> None:
    if gone := [jar for jar in JARS if not Path(jar).is_file()]:
        pytest.skip(f"there is no {gone[0]} (Debian: libpostgresql-jdbc-java, libmariadb-java)")


@pytest.fixture(autouse=True)
def _spark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("spark") is None:
        return
    if why := missing():
        pytest.skip(why)
    monkeypatch.setenv("SPARK_HOME", str(spark_home()))


@pytest.fixture(scope="module")
def crm(postgres_server: PostgresServer) -> dict[str, Any]:
    name = postgres_server.create_database("spark_jdbc", timezone="Asia/Kolkata")
    postgres_server.psql(name, POSTGRES)
    return postgres_server.output(name)


@pytest.fixture(scope="module")
def erp(mariadb_server: MariaDBServer) -> dict[str, Any]:
    name = mariadb_server.create_database("spark_jdbc")
    mariadb_server.execute(MARIADB, name)
    return mariadb_server.output(name)


@contextlib.contextmanager
def reading(output: dict[str, Any], **jdbc: Any) -> Iterator[BaseExtractor]:
    # One process for all: both jars, three cores.
    dvt = {"read_by": "jdbc", "batch_rows": 200, "jdbc": {"jars": JARS, "parts": 3, **jdbc}}
    with new_extractor(open_connection("crm", {**output, "dvt": dvt})) as extractor:
        yield extractor


def read(
    output: dict[str, Any], schema: str, name: str = "t", *, jdbc: dict[str, Any] | None = None, **more: Any
) -> Any:
    with reading(output, **(jdbc or {})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(name, schema), **more)) as stream:
            return stream.method, stream.to_table()


def texts(table: pa.Table, name: str, show: Any, key: str = "id") -> list[str]:
    rows = sorted(zip(table[key].to_pylist(), table[name].to_pylist(), strict=True), key=lambda row: row[0])
    return ["NULL" if value is None else show(value) for _, value in rows]


@spark
def test_postgres_by_its_own_text(postgres_server: PostgresServer, crm: dict[str, Any]) -> None:
    with pooler(postgres_server.port) as before:
        method, table = read({**crm, "port": before.port}, "public")
        # A session for each part, each with a condition of its own; NULL keys are with the first.
        parts = {text for text in before.statements if 'as "dvt_key"' in text and "where" in text and "1=0" not in text}
    assert method == "jdbc_spark, 3 parts"
    assert len(parts) == 3
    assert sum('"dvt_key" is null' in text for text in parts) == 1
    for name, (sql, show) in POSTGRES_TEXTS.items():
        asked = f"select string_agg(coalesce({sql}, 'NULL'), '|' order by id) from t"
        expected = postgres_server.psql("spark_jdbc", asked).split("|")
        found = texts(table, name, show)
        if name in ("f", "d"):
            expected = [text if text == "NULL" else repr(float(text)) for text in expected]
        assert found == expected, name
    assert table.schema.field("n").type == pa.decimal128(20, 4)
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")


@spark
def test_mariadb_by_its_own_text(mariadb_server: MariaDBServer, erp: dict[str, Any]) -> None:
    # As on a server of another zone.
    method, table = read(erp, "spark_jdbc", jdbc={"properties": {"sessionVariables": "time_zone='+05:30'"}})
    assert method == "jdbc_spark, 3 parts"
    for name, (sql, show) in MARIADB_TEXTS.items():
        asked = f"select group_concat(coalesce({sql}, 'NULL') order by id separator '|') from t"
        begin = "set time_zone = '+00:00'; set session group_concat_max_len = 1000000; "
        expected = mariadb_server.query(begin + asked, "spark_jdbc").split("|")
        if show is None:
            expected = [repr(float(text)) for text in expected]
            show = repr
        assert texts(table, name, show) == expected, name
    assert table.schema.field("f").type == pa.float32()
    assert table.schema.field("big").type == pa.uint64()


@spark
def test_a_key_with_nulls_and_few_values(crm: dict[str, Any], postgres_server: PostgresServer) -> None:
    method, table = read(crm, "public", jdbc={"split_by": "k"}, columns=("id", "t"))
    assert method == "jdbc_spark, 3 parts"
    assert table.column_names == ["id", "t"]
    ids = postgres_server.psql("spark_jdbc", "select string_agg(id::text, ',' order by id) from t")
    assert ",".join(map(str, sorted(table["id"].to_pylist()))) == ids


@spark
def test_conditions_limits_and_queries(crm: dict[str, Any]) -> None:
    from sqlglot import parse_one

    condition = parse_one('"id" between 100 and 199', dialect="postgres")
    method, table = read(crm, "public", columns=("t", "id"), predicates=(condition,))
    assert (method, sorted(table["id"].to_pylist())) == ("jdbc_spark, 3 parts", list(range(100, 200)))
    method, table = read(crm, "public", columns=("id",), predicates=(condition,), limit=7)
    assert (method, table.num_rows) == ("jdbc_spark", 7)  # a limit is one part
    with reading(crm) as extractor:
        query = ExtractionConfig(query="select 1 as one, null::int as nothing -- a remark", batch_size=10)
        assert [column.name for column in extractor.describe(query)] == ["one", "nothing"]
        with extractor.scan(query) as stream:
            assert stream.to_table().to_pylist() == [{"one": 1, "nothing": None}]
        with extractor.scan(ExtractionConfig(query="select id, n from t where false")) as stream:
            assert stream.to_table().num_rows == 0
            assert stream.schema.names == ["id", "n"]


@spark
def test_errors_are_the_databases_own(crm: dict[str, Any], postgres_server: PostgresServer) -> None:
    with reading({**crm, "password": "wr0ng-pass"}) as extractor, pytest.raises(errors.AuthenticationError) as raised:
        extractor.ping()
    assert raised.value.connection == "crm"
    assert "wr0ng-pass" not in f"{raised.value} {raised.value!r} {raised.value.__cause__}"
    with pytest.raises(errors.RelationNotFoundError, match="nonesuch"):
        read(crm, "public", "nonesuch")
    with reading(crm) as extractor:
        with pytest.raises(errors.DataError, match="division by zero"):
            extractor.scan(ExtractionConfig(query="select 1 / (id - 5) as x from t")).to_table()
    with reading(crm) as extractor, pytest.raises(errors.QueryError, match="syntax"):
        extractor.scan(ExtractionConfig(query="selec 1"))
    postgres_server.psql("spark_jdbc", "drop table if exists odd; create table odd (id int, tags int[])")
    with pytest.raises(errors.UnsupportedError, match="array") as refused:
        read(crm, "public", "odd")
    assert refused.value.column == "tags"


@spark
def test_an_early_end_leaves_no_files(crm: dict[str, Any]) -> None:
    with reading(crm) as extractor:
        stream = extractor.scan(ExtractionConfig(relation=Relation("t", "public")))
        assert stream.read_batch(10).num_rows == 10
        process = extractor._method._process  # type: ignore[attr-defined]
        assert list(process.folder.glob("rows_*"))
        stream.close()
        assert not list(process.folder.glob("rows_*"))
        with extractor.scan(ExtractionConfig(relation=Relation("t", "public"), columns=("id",))) as again:
            assert again.to_table().num_rows == 502


@spark
def test_a_spark_that_does_not_start(crm: dict[str, Any]) -> None:
    with reading(crm, spark_settings={"spark.driver.memory": "some"}) as extractor:
        with pytest.raises(errors.MissingDriverError, match="Spark does not start") as raised:
            extractor.ping()
    assert "spark_settings" in str(raised.value.remedy)


@spark
def test_no_room_for_the_rows(crm: dict[str, Any]) -> None:
    """No file of Java's becomes larger than a hundred bytes: the same error path as a full disk, without one."""
    with reading(crm) as extractor:
        extractor.ping()
        python = extractor._method._process._process.pid  # type: ignore[attr-defined]
        java = int(Path(f"/proc/{python}/task/{python}/children").read_text().split()[0])
        old = resource.prlimit(java, resource.RLIMIT_FSIZE)
        stream = extractor.scan(ExtractionConfig(relation=Relation("t", "public")))
        resource.prlimit(java, resource.RLIMIT_FSIZE, (100, old[1]))
        try:
            with pytest.raises(errors.ResourceError, match="disk"):
                stream.to_table()
        finally:
            resource.prlimit(java, resource.RLIMIT_FSIZE, old)


@spark
def test_what_cuts_no_parts_is_refused(crm: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="split_by names t"):
        read(crm, "public", jdbc={"split_by": "t"})


@spark
def test_cancelled_from_another_thread(crm: dict[str, Any], postgres_server: PostgresServer) -> None:
    with reading(crm) as extractor:
        extractor.ping()
        process = extractor._method._process  # type: ignore[attr-defined]
        slow = "select count(*) as n from generate_series(1, 100000) a, generate_series(1, 1000000) b"
        caught: list[BaseException] = []

        def run() -> None:
            try:
                extractor.scan(ExtractionConfig(query=slow)).to_table()
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        busy = (
            "select count(*) from pg_stat_activity where query like '%generate_series(1, 100000)%' and state = 'active'"
        )
        while postgres_server.psql("postgres", busy) == "1":  # this question is one
            time.sleep(0.05)
        extractor.cancel()
        thread.join(60)
    assert [type(error) for error in caught] == [errors.InterruptedRunError]
    assert not process.folder.exists()
    postgres_server.psql(
        "postgres", f"select pg_terminate_backend(pid) from pg_stat_activity where query like '%{slow[9:40]}%'"
        " and pid <> pg_backend_pid()"
    )  # fmt: skip


def test_without_spark_jpype_reads(crm: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with reading(crm) as extractor:
        chosen = extractor.chosen()
        with extractor.scan(ExtractionConfig(relation=Relation("t", "public"))) as stream:
            assert (stream.method, stream.to_table().num_rows) == ("jdbc", 502)
            assert stream.how.passed_over == chosen.passed_over
    assert {each.method: each.why for each in chosen.passed_over} == {
        "streaming": "dvt.read_by is jdbc",
        "buffered": "dvt.read_by is jdbc",
        "jdbc_spark": "PySpark with its jars is not installed",
    }


def test_an_old_java_is_passed_over(crm: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("java/bin/java", "spark/jars/spark-sql_2.13-4.2.0.jar", "spark/python/lib/py4j-0.10-src.zip"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    with reading(crm, by="spark", spark_home=str(tmp_path / "spark")) as extractor:
        with pytest.raises(
            errors.UnsupportedError, match=r"Spark wants Java 17.*Java 11.*jdbc: dvt\.jdbc\.by is spark"
        ):
            extractor.ping()


def test_mariadb_without_spark(mariadb_server: MariaDBServer, erp: dict[str, Any]) -> None:
    """Floats come whole, which the server's text of them is not, and moments in UTC."""
    with reading(erp, by="jpype") as extractor:
        with extractor.scan(ExtractionConfig(query="select @@session.time_zone as zone")) as stream:
            assert stream.to_table().to_pylist() == [{"zone": "+00:00"}]
    method, table = read(erp, "spark_jdbc", jdbc={"by": "jpype"}, columns=("id", "f"))
    assert method == "jdbc"
    asked = "set session group_concat_max_len = 1000000; select group_concat(f * 1e0 order by id separator '|') from t"
    expected = [repr(float(text)) for text in mariadb_server.query(asked, "spark_jdbc").split("|")]
    assert texts(table, "f", repr) == expected


def test_wrong_keys_are_refused(crm: dict[str, Any]) -> None:
    for jdbc, what in (({"by": "magic"}, r"dvt\.jdbc\.by is 'magic'"), ({"parts": 0}, r"dvt\.jdbc\.parts is 0")):
        with pytest.raises(errors.ConfigurationError, match=what), reading(crm, **jdbc):
            pass


@pytest.fixture(scope="module", autouse=True)
def _end_of_spark() -> Iterator[None]:
    yield
    spark_jdbc_process.end_all()
