"""Reading Hive over HiveServer2 (tag: real protocol, Spark SQL behind it): types, batches, ends, filters, errors."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("impala.hiveserver2")

from servers.cut_off import cut_off
from servers.spark import SparkServer
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.hive import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.hive import HiveExtractor
from dvt.identifiers import Relation, quote

pytestmark = [pytest.mark.spark, pytest.mark.slow]

NASTY = ('a"b', "a`b", "it's", "dot.ted", " leading", "select", "per%s{x}", "semi;colon", "Ünïcode", "a -- b", "Mixed")

KINDS: list[tuple[str, pa.DataType, Any]] = [
    ("true", pa.bool_(), True),
    ("cast(-128 as tinyint)", pa.int8(), -128),
    ("cast(32767 as smallint)", pa.int16(), 32767),
    ("-2147483648", pa.int32(), -(2**31)),
    ("9223372036854775807L", pa.int64(), 2**63 - 1),
    ("cast(1.1 as float)", pa.float32(), 1.100000023841858),
    ("cast(16777217 as float)", pa.float32(), 16777216.0),
    ("0.1D", pa.float64(), 0.1),
    ("double('-infinity')", pa.float64(), float("-inf")),
    ("99999999999999999999999999999999999.999BD", pa.decimal128(38, 3), Decimal("9" * 35 + ".999")),
    ("cast(-0.0000001 as decimal(38, 10))", pa.decimal128(38, 10), Decimal("-0.0000001")),
    ("cast(5 as decimal(10, 0))", pa.decimal128(10, 0), Decimal(5)),
    ("''", pa.string(), ""),
    ("'ä🙂\\r\\n\\0'", pa.string(), "ä🙂\r\n\0"),
    ("cast('ab' as varchar(5))", pa.string(), "ab"),
    ("X'00ff80'", pa.binary(), b"\x00\xff\x80"),
    ("date'0001-01-01'", pa.date32(), date(1, 1, 1)),
    ("date'9999-12-31'", pa.date32(), date(9999, 12, 31)),
    ("timestamp'2024-03-31 01:30:00.123456+00:00'", pa.timestamp("us"), datetime(2024, 3, 31, 1, 30, 0, 123456)),
    ("timestamp_ntz'2024-03-31 02:30:00.1'", pa.timestamp("us"), datetime(2024, 3, 31, 2, 30, 0, 100000)),
    ("interval '1-2' year to month", pa.string(), "1-2"),
    ("interval '1 02:03:04.000005' day to second", pa.string(), "1 02:03:04.000005000"),
    ("array(1, null)", pa.string(), "[1,null]"),
    ("map('k', 1.5BD)", pa.string(), '{"k":1.5}'),
    ("named_struct('n', 1, 't', 'x')", pa.string(), '{"n":1,"t":"x"}'),
]


@pytest.fixture(scope="module")
def shop(spark_server: SparkServer) -> SparkServer:
    own = spark_server.database("hiving")
    spark_server.execute(
        f"create table {own}.numbers using parquet as select cast(id as int) as id, concat('w', id) as word,"
        " if(id > 90000, id / 8, null) as late, id % 2 = 0 as even from range(1, 100001)",
        f"create table {own}.none (id bigint, word string, price decimal(10, 2)) using parquet",
        f"create table {own}.nulls using parquet as select cast(null as int) as n, cast(null as string) as t,"
        " cast(null as decimal(5, 1)) as d, cast(null as timestamp) as m from range(10)",
        f"create view {own}.pairs as select id, word from {own}.numbers where id <= 2",
    )
    return spark_server


@pytest.fixture(scope="module")
def reader(shop: SparkServer) -> Iterator[HiveExtractor]:
    """One session for the tests that only read."""
    with HiveExtractor(connect(shop)) as extractor:
        yield extractor


def connect(server: SparkServer, dvt: dict[str, Any] | None = None, **more: Any) -> Connection:
    own = {"schema": server.own("hiving"), "dvt": dvt or {}}
    return Connection.from_output("old", server.hive_output(**{**own, **more}), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with HiveExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def test_ping_count_and_schema(shop: SparkServer) -> None:
    with HiveExtractor(connect(shop)) as extractor:
        assert extractor.ping() == "Spark SQL " + shop.query("select version()")[0][0].split()[0]
        assert extractor.get_row_count(Relation("numbers")) == 100_000
        assert extractor.get_row_count(Relation("numbers", shop.own("hiving"))) == 100_000


@pytest.mark.parametrize(("literal", "carried", "value"), KINDS, ids=[kind[0] for kind in KINDS])
def test_each_type_by_value(reader: HiveExtractor, literal: str, carried: pa.DataType, value: Any) -> None:
    query = f"select {literal} as c union all select null"
    described = reader.describe(ExtractionConfig(query=query))
    with reader.scan(ExtractionConfig(query=query)) as rows:
        assert rows.columns == described
        table = rows.to_table()
    assert table.schema.types == [carried]
    found = table["c"].to_pylist()
    assert found in ([value, None], [None, value])


def test_floats_keep_nan_and_the_sign_of_zero(shop: SparkServer) -> None:
    table = read(connect(shop), query="select double('nan') as n, -0.0D as z, float('nan') as f")
    assert [repr(v) for v in table.to_pylist()[0].values()] == ["nan", "-0.0", "nan"]


def test_void_and_null_columns(shop: SparkServer) -> None:
    table = read(connect(shop), query="select null as v, 1 as a")
    assert table.schema.types == [pa.int32(), pa.int32()]
    assert table.to_pylist() == [{"v": None, "a": 1}]
    assert read(connect(shop), "nulls").to_pylist() == [{"n": None, "t": None, "d": None, "m": None}] * 10


def test_columns_predicates_and_limit(shop: SparkServer) -> None:
    request = ExtractionConfig(
        relation=Relation("numbers"),
        columns=("late", "id"),
        predicates=(column("id").between(90_001, 90_002),),
        limit=5,
    )
    with HiveExtractor(connect(shop)) as extractor:
        assert extractor.source_sql(request) == (
            "SELECT `late`, `id` FROM `numbers` WHERE `id` BETWEEN 90001 AND 90002 LIMIT 5"
        )
        with extractor.scan(request) as rows:
            found = sorted(rows.to_table().to_pylist(), key=lambda row: row["id"])
    assert found == [{"late": n / 8, "id": n} for n in (90_001, 90_002)]
    assert read(connect(shop), "numbers", predicates=(column("late").is_(exp.null()).not_(),)).num_rows == 10_000
    assert read(connect(shop), "numbers", predicates=(column("even").eq(exp.true()),)).num_rows == 50_000


def test_batches_are_of_the_asked_size_and_nulls_stand_where_they_stood(shop: SparkServer) -> None:
    with HiveExtractor(connect(shop, {"batch_rows": 3_001})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
    assert max(batch.num_rows for batch in batches) <= 3_001
    table = pa.Table.from_batches(batches).sort_by("id")
    assert table["id"].to_pylist() == list(range(1, 100_001))
    assert table["late"].to_pylist() == [None] * 90_000 + [n / 8 for n in range(90_001, 100_001)]


def test_memory_stays_within_a_few_batches(shop: SparkServer) -> None:
    query = "select id, repeat('x', 500) as filler from range(100000)"
    with HiveExtractor(connect(shop, {"batch_rows": 5_000})) as extractor:
        before, most = pa.total_allocated_bytes(), 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            for _ in rows.batches():
                most = max(most, pa.total_allocated_bytes() - before)
    assert most < 15 << 20  # the result has 50 MB


def test_no_rows_keep_the_schema(shop: SparkServer) -> None:
    table = read(connect(shop), "none")
    assert table.schema.types == [pa.int64(), pa.string(), pa.decimal128(10, 2)]
    assert table.num_rows == 0


def test_describe_says_what_scan_gives(shop: SparkServer) -> None:
    with HiveExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("pairs")),
            ExtractionConfig(relation=Relation("pairs", shop.own("hiving")), columns=("word",)),
            ExtractionConfig(query="select even, count(*) as n from numbers group by even -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, 2 as b from x;", columns=("b",)),
            ExtractionConfig(query="WITH x as (select 1 as a), y as (select a + 1 as b from x) select * from y"),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert rows.to_table().schema.names == [c.name for c in described]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: SparkServer, name: str) -> None:
    odd = quote(name + "_c", "hive")
    shop.execute(f"create or replace view {shop.own('hiving')}.odd as select * from (values (5), (6)) as t({odd})")
    assert read(connect(shop), "odd", predicates=(column(name + "_c") > 5,)).to_pylist() == [{name + "_c": 6}]


@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\nb", "${x}", "' or 1 = 1 --", "%", "ä🙂", ":x", "?"])
def test_values_of_predicates_are_no_sql(shop: SparkServer, text: str) -> None:
    query = "select decode(unhex('" + text.encode().hex() + "'), 'utf-8') as t union all select 'other'"
    assert read(connect(shop), query=query, predicates=(column("t").eq(text),)).to_pylist() == [{"t": text}]


def test_only_queries_are_sent(shop: SparkServer) -> None:
    for query in ("drop table numbers", "insert into none values (1, 'a', 1)", "with x as (select 1) insert into none"):
        with pytest.raises(errors.DvtError):
            read(connect(shop), query=query)
    assert read(connect(shop), "none").num_rows == 0


def test_an_early_end_leaves_a_usable_session(shop: SparkServer) -> None:
    with HiveExtractor(connect(shop, {"batch_rows": 100})) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("numbers")))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert sorted(more.to_table()["id"].to_pylist()) == [1, 2]


def test_cancel_ends_a_running_statement(shop: SparkServer) -> None:
    extractor = HiveExtractor(connect(shop))
    with ThreadPoolExecutor(1) as threads:
        started = threads.submit(extractor.scan, ExtractionConfig(query=shop.slow_query()))
        while not shop.running(shop.own("slow")):
            assert not started.done()
            time.sleep(0.05)
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            started.result()
    assert shop.settled(shop.own("slow")) == 0
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def test_cancel_while_rows_are_read(shop: SparkServer) -> None:
    extractor = HiveExtractor(connect(shop, {"batch_rows": 100}))
    with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
        assert rows.read_batch(10) is not None
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            list(rows.batches())
    extractor.close()


def test_a_statement_may_not_run_longer_than_allowed(shop: SparkServer) -> None:
    with HiveExtractor(connect(shop, {"statement_timeout_s": 1})) as extractor:
        with pytest.raises(errors.TimeoutExceededError):
            extractor.scan(ExtractionConfig(query=shop.slow_query()))
        assert shop.settled(shop.own("slow")) == 0
        assert extractor.ping()  # no statement, which might take a second too


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError, "wrod"),
        (ExtractionConfig(query="select nope from numbers"), errors.RelationNotFoundError, "nope"),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
        (ExtractionConfig(query="select cast(word as int) as n from numbers"), errors.DataError, None),
    ],
)
def test_errors_of_statements(
    shop: SparkServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with HiveExtractor(connect(shop)) as extractor:
        with pytest.raises(family) as caught:
            extractor.scan(request_)
        assert type(caught.value) is family
        assert (caught.value.connection, caught.value.column, caught.value.phase) == ("old", named, "extract")
        assert "\tat " not in str(caught.value)


def test_what_the_profile_has_wrong(shop: SparkServer) -> None:
    for more, family in (
        ({"auth_type": "jwt"}, errors.ConfigurationError),
        ({"schema": "nowhere"}, errors.ConfigurationError),
    ):
        with pytest.raises(family) as caught:
            read(connect(shop, **more), "pairs")
        assert caught.value.connection == "old"


def test_a_closed_port_and_an_unknown_host_are_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for host in ("127.0.0.1", "no-such-host.invalid"):
        with pytest.raises(errors.ConnectionFailedError) as caught:
            read(Connection.from_output("old", {"type": "hive", "host": host, "port": port}, SPEC), "pairs")
        assert type(caught.value) is errors.ConnectionFailedError


def test_no_secret_is_shown(shop: SparkServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given = connect(shop, user="me", password="hunter-2 5ecret")
    read(given, "pairs")
    assert "5ecret" not in caplog.text + repr(given)


def test_a_connection_that_breaks_is_told_and_another_one_works(shop: SparkServer) -> None:
    with cut_off(shop.hive_port, 200_000, of_the_client=False) as port:
        given = Connection.from_output("old", {**shop.hive_output(schema=shop.own("hiving")), "port": port}, SPEC)
        with HiveExtractor(given) as extractor:
            rows = extractor.scan(ExtractionConfig(relation=Relation("numbers"), batch_size=1_000))
            assert rows.read_batch(10) is not None
            with pytest.raises(errors.ConnectionLostError):
                list(rows.batches())
    assert read(connect(shop), "pairs").num_rows == 2
