"""Reading Spark over Spark Connect (tag: real): types by value, batches, ends, filters, odd names, errors."""

from __future__ import annotations

import gc
import importlib.util
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timezone
from datetime import time as clock
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

if importlib.util.find_spec("pyspark") is None:
    pytest.skip("pyspark-client is not installed", allow_module_level=True)

from servers.spark import TOKEN, SparkServer
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.spark import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.extractors.spark import SparkExtractor
from dvt.federation.hashing.client import hashed_batch
from dvt.identifiers import Relation, quote

pytestmark = [pytest.mark.spark, pytest.mark.slow]

NASTY = ('a"b', "a`b", "it's", "dot.ted", " leading", "select", "per%s{x}", "semi;colon", "Ünïcode", "a -- b", "Mixed")
# A server holds the partition that it sends, so that there are many.
ENDLESS = "select id, cast(id as string) as word from range(0, 100000000, 1, 1000)"

# A literal of Spark, the carried type, the value, and Spark's own text of it.
KINDS: list[tuple[str, pa.DataType, Any]] = [
    ("true", pa.bool_(), True),
    ("cast(-128 as tinyint)", pa.int8(), -128),
    ("cast(32767 as smallint)", pa.int16(), 32767),
    ("-2147483648", pa.int32(), -(2**31)),
    ("9223372036854775807L", pa.int64(), 2**63 - 1),
    ("cast(1.1 as float)", pa.float32(), 1.100000023841858),
    ("0.1D", pa.float64(), 0.1),
    ("double('-infinity')", pa.float64(), float("-inf")),
    ("99999999999999999999999999999999999.999BD", pa.decimal128(38, 3), Decimal("9" * 35 + ".999")),
    ("-0.5BD", pa.decimal128(1, 1), Decimal("-0.5")),
    ("cast(5 as decimal(10, 0))", pa.decimal128(10, 0), Decimal(5)),
    ("''", pa.string(), ""),
    ("'ä🙂\\r\\n\\0'", pa.string(), "ä🙂\r\n\0"),
    ("cast('ab' as varchar(5))", pa.string(), "ab"),
    ("X'00ff80'", pa.binary(), b"\x00\xff\x80"),
    ("date'0001-01-01'", pa.date32(), date(1, 1, 1)),
    ("date'9999-12-31'", pa.date32(), date(9999, 12, 31)),
    ("timestamp'2024-03-31 01:30:00.123456+00:00'", pa.timestamp("us", "UTC"),
     datetime(2024, 3, 31, 1, 30, 0, 123456, timezone.utc)),
    ("timestamp_ntz'2024-03-31 02:30:00.000001'", pa.timestamp("us"), datetime(2024, 3, 31, 2, 30, 0, 1)),
    ("time'23:59:59.999999'", pa.time64("us"), clock(23, 59, 59, 999999)),
    ("interval '1-2' year to month", pa.string(), "INTERVAL '1-2' YEAR TO MONTH"),
    ("interval '1 02:03:04.000005' day to second", pa.string(), "INTERVAL '1 02:03:04.000005' DAY TO SECOND"),
    ("make_interval(1, 2, 0, 4, 5, 6, 7.000008)", pa.string(),
     "1 years 2 months 4 days 5 hours 6 minutes 7.000008 seconds"),
    ("parse_json('{\"a\":[1,null]}')", pa.json_(), '{"a":[1,null]}'),
    ("parse_json('null')", pa.json_(), "null"),
    ("array(1, null)", pa.list_(pa.int32()), [1, None]),
    ("map(1, 'a')", pa.map_(pa.string(), pa.string()), [("1", "a")]),
    ("named_struct('n', 1.50BD, 'o d', array('x', null))",
     pa.struct([("n", pa.decimal128(3, 2)), ("o d", pa.list_(pa.string()))]),
     {"n": Decimal("1.50"), "o d": ["x", None]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def shop(spark_server: SparkServer) -> SparkServer:
    own = spark_server.database("reading")
    spark_server.execute(
        f"create table {own}.numbers using parquet as select cast(id as int) as id, concat('w', id) as word,"
        " if(id > 90000, id / 8, null) as late, if(id % 2 = 0, 'a', 'B') as kind from range(1, 100001)",
        f"create table {own}.none (id bigint, word string, price decimal(10, 2)) using parquet",
        f"create table {own}.nulls using parquet as select cast(null as int) as n, cast(null as string) as t"
        " from range(10)",
        f"create view {own}.pairs as select id, word from {own}.numbers where id <= 2",
        f"create table {own}.moments using parquet as select timestamp'2024-01-01 00:00:00Z' + make_dt_interval(0, 0,"
        " 0, id) as t, date_add(date'2024-01-01', cast(id as int)) as d, id % 2 = 0 as b from range(10)",
        f"create table {own}.padded (c char(5), v varchar(5)) using parquet",
        f"insert into {own}.padded values ('ab', 'ab'), ('AB', 'AB')",
    )
    return spark_server


@pytest.fixture(scope="module")
def reader(shop: SparkServer) -> Iterator[SparkExtractor]:
    """One session for the tests that only read."""
    with SparkExtractor(connect(shop)) as extractor:
        yield extractor


def connect(server: SparkServer, dvt: dict[str, Any] | None = None, **more: Any) -> Connection:
    own = {"schema": server.own("reading"), "user": server.own("reading"), "dvt": dvt or {}}
    return Connection.from_output("shop", server.output(**{**own, **more}), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with SparkExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def moment(text: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(text), exp.DataType.build("timestamptz"))


def running(shop: SparkServer) -> int:
    return shop.running(f"User_{shop.own('reading')}_")


def assert_idle(shop: SparkServer) -> None:
    """The server runs nothing of this module any more."""
    assert shop.settled(f"User_{shop.own('reading')}_") == 0


def test_ping_count_and_schema(shop: SparkServer) -> None:
    with SparkExtractor(connect(shop)) as extractor:
        assert extractor.ping() == "Spark " + shop.query("select version()")[0][0].split()[0]
        assert extractor.get_row_count(Relation("numbers")) == 100_000
        assert extractor.get_row_count(Relation("numbers", shop.own("reading"))) == 100_000


@pytest.mark.parametrize(("literal", "carried", "value"), KINDS, ids=[kind[0] for kind in KINDS])
def test_each_type_by_value(reader: SparkExtractor, literal: str, carried: pa.DataType, value: Any) -> None:
    query = f"select {literal} as c union all select null"
    if literal.startswith("time'"):  # Spark has no union and no table of times yet
        query = f"select {literal} as c"
    described = reader.describe(ExtractionConfig(query=query))
    with reader.scan(ExtractionConfig(query=query)) as rows:
        assert rows.columns == described
        table = rows.to_table()
    assert table.schema.types == [carried]
    found = table["c"].to_pylist()
    assert found[:1] == [value] or found[1:] == [value]
    assert found.count(None) == ("union" in query)


def test_the_values_are_what_spark_says_they_are(shop: SparkServer) -> None:
    """Spark's own texts of a few that could be moved by a zone or narrowed on the way."""
    literals = [
        "cast(99999999999999999999999999999999999.999BD as string)",
        "date_format(timestamp'2024-03-31 01:30:00.123456Z', 'yyyy-MM-dd HH:mm:ss.SSSSSSxxx')",
        "hex(X'00ff80')",
    ]
    own = shop.query("select " + ", ".join(literals))[0]
    assert own == ("9" * 35 + ".999", "2024-03-31 07:00:00.123456+05:30", "00FF80")


def test_floats_keep_nan_and_the_sign_of_zero(shop: SparkServer) -> None:
    table = read(connect(shop), query="select double('nan') as n, -0.0D as z, float('nan') as f")
    assert [repr(v) for v in table.to_pylist()[0].values()] == ["nan", "-0.0", "nan"]


def test_void_is_all_null(shop: SparkServer) -> None:
    table = read(connect(shop), query="select null as v, 1 as a")
    assert table.schema.types == [pa.int32(), pa.int32()]
    assert table.to_pylist() == [{"v": None, "a": 1}]


@pytest.mark.parametrize(
    "literal",
    ["array(interval '1' month)", "array(parse_json('1'))", "map(1.5D, 'a')", "named_struct('t', time'10:00')"],
)
def test_what_nothing_carries_is_refused_by_name(shop: SparkServer, literal: str) -> None:
    with pytest.raises(errors.UnsupportedError) as caught:
        read(connect(shop), query=f"select 1 as id, {literal} as odd")
    assert caught.value.column == "odd"


def test_columns_predicates_order_and_limit(shop: SparkServer) -> None:
    request = ExtractionConfig(
        relation=Relation("numbers"),
        columns=("late", "id"),
        predicates=(column("id") > 90_000, column("word").eq("w90002").not_()),
        order=(Ordering("id"),),
        limit=2,
    )
    with SparkExtractor(connect(shop)) as extractor:
        assert extractor.source_sql(request) == (
            "SELECT `late`, `id` FROM `numbers` WHERE `id` > 90000 AND NOT `word` = 'w90002'"
            " ORDER BY `id` ASC NULLS LAST LIMIT 2"
        )
        with extractor.scan(request) as rows:
            assert rows.to_table().to_pylist() == [{"late": n / 8, "id": n} for n in (90_001, 90_003)]


@pytest.mark.parametrize(
    ("name", "condition", "expected"),
    [
        ("numbers", column("id").isin(1, 2, 100_000), 3),
        ("numbers", column("word").eq("w5"), 1),
        ("numbers", exp.Escape(this=exp.Like(this=column("word"), expression=exp.Literal.string("w!_%")),
                               expression=exp.Literal.string("!")), 0),
        ("numbers", exp.Escape(this=exp.Like(this=column("word"), expression=exp.Literal.string("w10000%")),
                               expression=exp.Literal.string("!")), 2),
        ("numbers", column("late").is_(exp.null()).not_(), 10_000),
        ("moments", column("t") >= moment("2024-01-01 00:00:07+00"), 3),
        ("moments", column("t").eq(moment("2024-01-01 00:00:07.000000+00")), 1),
        ("moments", column("d") < exp.cast(exp.Literal.string("2024-01-03"), exp.DataType.build("date")), 2),
        ("moments", column("b").eq(exp.true()), 5),
        ("padded", column("c").eq("ab"), 1),
    ],
)  # fmt: skip
def test_what_is_pushed_means_the_same_there(shop: SparkServer, name: str, condition: exp.Expr, expected: int) -> None:
    """The server's zone is not UTC; constants of moments carry theirs."""
    assert read(connect(shop), name, predicates=(condition,)).num_rows == expected


def test_batches_are_of_the_asked_size(shop: SparkServer) -> None:
    with SparkExtractor(connect(shop, {"batch_rows": 3_000})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
    assert max(batch.num_rows for batch in batches) <= 3_000
    assert sorted(pa.chunked_array([b.column("id") for b in batches]).to_pylist()) == list(range(1, 100_001))


def test_memory_stays_within_a_few_batches(shop: SparkServer) -> None:
    query = "select id, repeat('x', 500) as filler from range(0, 200000, 1, 20)"
    with SparkExtractor(connect(shop, {"batch_rows": 10_000})) as extractor:
        before, most, rows_read = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            for batch in rows.batches():
                rows_read += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert rows_read == 200_000
    assert most < 30 << 20  # the result has 100 MB


def test_no_rows_keep_the_schema_and_null_stays_null(shop: SparkServer) -> None:
    table = read(connect(shop), "none")
    assert table.schema.types == [pa.int64(), pa.string(), pa.decimal128(10, 2)]
    assert table.num_rows == 0
    assert read(connect(shop), "nulls").to_pylist() == [{"n": None, "t": None}] * 10


def test_describe_says_what_scan_gives(shop: SparkServer) -> None:
    with SparkExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("pairs")),
            ExtractionConfig(relation=Relation("pairs", shop.own("reading")), columns=("word",)),
            ExtractionConfig(query="select kind, count(*) as n from numbers group by kind -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, 2 as b from x order by 1;", columns=("b",)),
            ExtractionConfig(query="select time'10:00' as t, interval '1' month as m", limit=1),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert rows.to_table().schema.names == [c.name for c in described]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: SparkServer, name: str) -> None:
    view, odd = quote("v_" + name.strip(), "spark"), quote(name + "_c", "spark")
    if "." in name or '"' in name or "`" in name or " " in name or ";" in name or "'" in name or "%" in name:
        view = quote("v_plain", "spark")  # Spark's own catalogue takes letters, digits and _ for names of relations
    if not name.isascii():
        view = quote("v_plain", "spark")
    shop.execute(f"create or replace view {shop.own('reading')}.{view} as select * from (values (5), (6)) as t({odd})")
    found = read(connect(shop), view.strip("`").lower(), predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6}]


@pytest.mark.parametrize(
    "text", ["it's", "\\", "\\'", "a\nb", "${x}", "a${x}b${y", "' or 1 = 1 --", "%", "ä🙂", ":x", "?"]
)
def test_values_of_predicates_are_no_sql(shop: SparkServer, text: str) -> None:
    query = "select decode(unhex('" + text.encode().hex() + "'), 'utf-8') as t union all select 'other'"
    assert read(connect(shop), query=query, predicates=(column("t").eq(text),)).to_pylist() == [{"t": text}]


def test_only_queries_are_sent(shop: SparkServer) -> None:
    for query in ("drop table numbers", "insert into none values (1, 'a', 1)", "show tables", "set x = 1"):
        with pytest.raises(errors.QueryError):
            read(connect(shop), query=query)
    assert read(connect(shop), "none").num_rows == 0


def test_an_early_end_stops_the_statement(shop: SparkServer) -> None:
    with SparkExtractor(connect(shop)) as extractor:
        rows = extractor.scan(ExtractionConfig(query=ENDLESS))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        assert_idle(shop)
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert sorted(more.to_table()["id"].to_pylist()) == [1, 2]


@pytest.mark.parametrize("query", [ENDLESS, "slow"])
def test_cancel_ends_a_running_scan(shop: SparkServer, query: str) -> None:
    extractor = SparkExtractor(connect(shop))
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(_read_all, extractor, shop.slow_query() if query == "slow" else query)
        while not running(shop):
            assert not reading.done()
            time.sleep(0.05)
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            reading.result()
    assert_idle(shop)
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def _read_all(extractor: SparkExtractor, query: str) -> None:
    with extractor.scan(ExtractionConfig(query=query)) as rows:
        for _ in rows.batches():
            pass


# The output's own key, which is dbt-spark's, where the option is not given.
@pytest.mark.parametrize("limits", [{"dvt": {"statement_timeout_s": 1}, "query_timeout": 600}, {"query_timeout": 1}])
def test_a_statement_may_not_run_longer_than_allowed(shop: SparkServer, limits: dict[str, Any]) -> None:
    with SparkExtractor(connect(shop, **limits)) as extractor:
        with pytest.raises(errors.TimeoutExceededError):
            _read_all(extractor, shop.slow_query())
        assert_idle(shop)
        # The session goes on; describing has no limit, where reading might take a second too.
        assert len(extractor.describe(ExtractionConfig(relation=Relation("pairs")))) == 2


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError, "wrod"),
        (ExtractionConfig(query="select nope from numbers"), errors.RelationNotFoundError, "nope"),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
        (ExtractionConfig(query="select 1 div 0 as x from numbers"), errors.DataError, None),
        (ExtractionConfig(query="select cast(word as int) as n from numbers"), errors.DataError, None),
    ],
)
def test_errors_of_statements(
    shop: SparkServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with SparkExtractor(connect(shop)) as extractor:
        with pytest.raises(family) as caught, extractor.scan(request_) as rows:
            rows.to_table()
        assert type(caught.value) is family
        assert (caught.value.connection, caught.value.column) == ("shop", named)
        assert "JVM" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_error_on_the_way_is_no_end(shop: SparkServer) -> None:
    query = "select id, if(id = 900000, raise_error('too far'), 0) as t from range(0, 1000000, 1, 20)"
    with SparkExtractor(connect(shop)) as extractor:
        rows = extractor.scan(ExtractionConfig(query=query))
        assert rows.read_batch(10) is not None
        with pytest.raises(errors.QueryError, match="too far"):
            list(rows.batches())


@pytest.mark.parametrize("ansi", [True, False])
def test_hashes_made_there_are_those_of_the_rows(shop: SparkServer, ansi: bool) -> None:
    rows = (
        "(1, 0.0000000001BD, timestamp_ntz'2026-01-01 00:00:00', X'00ff', true, 'a|b~'),"
        " (2, 0.0000000000BD, timestamp_ntz'1900-01-01 00:00:00.000001', X'', false, ''),"
        " (3, 12345678901234567890123456.5000000000BD, null, null, null, null)"
    )
    request = ExtractionConfig(query=f"select * from values {rows} as t(id, d, n, b, t, x)", key_columns=("id",))
    with SparkExtractor(connect(shop, server_side_parameters={"spark.sql.ansi.enabled": ansi})) as extractor:
        found = extractor.extract_hashes(request)
        with extractor.scan(replace(request, key_columns=())) as stream:
            table = stream.to_table()
    batch = hashed_batch(table.combine_chunks().to_batches()[0], table.column_names, ["id"])
    assert found == dict(zip(*(c.to_pylist() for c in batch.columns), strict=True))
    assert len(set(found.values())) == 3


def test_hashes_where_a_name_or_a_constant_looks_like_a_variable(shop: SparkServer) -> None:
    own = shop.own("reading")
    shop.execute(
        "set spark.sql.variable.substitute=false",
        f"create table {own}.variable (id int, word string, `a${{x}}` int) using parquet",
        f"insert into {own}.variable values (1, 'a${{x}}', 2), (2, 'a', 2)",
        "set spark.sql.variable.substitute=true",
    )
    with SparkExtractor(connect(shop)) as extractor:
        request = ExtractionConfig(relation=Relation("variable"), columns=("id", "word"), key_columns=("id",))
        assert sorted(extractor.extract_hashes(request)) == ["1", "2"]
        only = replace(request, predicates=(column("word").eq("a${x}"),))
        assert sorted(extractor.extract_hashes(only)) == ["1"]
        with pytest.raises(errors.UnsupportedError) as caught:
            extractor.extract_hashes(replace(request, columns=None))
    assert caught.value.column == "a${x}"


def test_a_client_is_gone_with_its_extractor(shop: SparkServer) -> None:
    """Not kept to the end of the process, where each would ask its server once more."""

    def clients() -> int:
        gc.collect()
        return sum(type(thing).__name__ == "SparkConnectClient" for thing in gc.get_objects())

    before = clients()
    read(connect(shop), "pairs")
    with pytest.raises(errors.AuthenticationError):
        read(connect(shop, token="wr0ng"), "pairs")
    assert clients() == before


@pytest.mark.parametrize("token", ["wr0ng 5ecret", None])
def test_a_wrong_token_is_refused_and_not_shown(
    shop: SparkServer, token: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.AuthenticationError) as caught:
        read(connect(shop, token=token), "pairs")
    shown = str(caught.value) + caplog.text + repr(connect(shop, token=token))
    assert "wr0ng" not in shown
    assert TOKEN not in shown


def test_no_secret_is_shown_when_all_goes_well(shop: SparkServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read(connect(shop), "pairs")
    assert TOKEN not in caplog.text


def test_what_the_profile_has_wrong(shop: SparkServer) -> None:
    for more, said in (
        ({"method": "thrift"}, "type: hive"),
        ({"method": "http"}, "type: databricks"),
        ({"schema": "nowhere"}, "schema"),
        ({"connect": "sc://localhost:1/;token=abc"}, "token"),
        ({"server_side_parameters": ["x"]}, "mapping"),
    ):
        with pytest.raises(errors.ConfigurationError, match=said):
            read(connect(shop, **more), "pairs")


def test_a_closed_port_and_an_unknown_host_are_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for host in ("127.0.0.1", "no-such-host.invalid"):
        given = {"type": "spark", "host": host, "port": port}
        with pytest.raises(errors.ConnectionFailedError) as caught:
            read(Connection.from_output("shop", given, SPEC), "pairs")
        assert type(caught.value) is errors.ConnectionFailedError


def test_parameters_reach_the_session_and_the_zone_is_utc(shop: SparkServer) -> None:
    given = {"spark.sql.ansi.enabled": False, "spark.sql.session.timeZone": "Asia/Tokyo"}
    table = read(
        connect(shop, server_side_parameters=given), query="select cast('a' as int) as n, current_timezone() as z"
    )
    assert table.to_pylist() == [{"n": None, "z": "UTC"}]


def test_a_session_that_is_gone_is_told_and_another_one_works(shop: SparkServer) -> None:
    extractor = SparkExtractor(connect(shop))
    extractor.ping()
    assert extractor._session is not None
    extractor._session.release_session()
    with pytest.raises(errors.ConnectionLostError):
        extractor.extract_stream("select 1 as a").to_table()
    extractor.close()
    assert read(connect(shop), query="select 1 as a").to_pylist() == [{"a": 1}]
