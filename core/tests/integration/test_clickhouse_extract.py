"""Reading ClickHouse: shapes, early ends, filters, odd names, and errors of the right family."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest
from integration.clickhouse_kit import connect, read
from servers.clickhouse import ClickHouseServer
from sqlglot import exp

from dvt import errors
from dvt.connections.clickhouse import SPEC
from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.clickhouse import ClickHouseExtractor
from dvt.identifiers import Relation, quote

pytestmark = pytest.mark.clickhouse

NASTY = (
    *('a"b', "a`b", "a\\b", "ends\\", "it's", "dot.ted", " leading", "select", "per%s{x}", "{x:Int8}", "semi;colon"),
    *("new\nline", "tab\t", "Ünïcode", "?", "a -- b", "/* c */", "x" * 150, "x'); drop table numbers; --"),
)
ENDLESS = "select number, toString(number) as word from system.numbers"


@pytest.fixture(scope="module")
def shop(clickhouse_server: ClickHouseServer) -> ClickHouseServer:
    clickhouse_server.create_database("reading")
    clickhouse_server.execute(
        "create table numbers (id Int32, word String, f Nullable(Float32), kind Enum8('z' = 1, 'a' = 2))"
        " engine = MergeTree order by id",
        "insert into numbers select number, concat('w', toString(number)), number / 8, 1 + number % 2"
        " from numbers(1, 1000)",
        "create table none (id UInt64, word Nullable(String)) engine = MergeTree order by tuple()",
        "create view pairs as select id, word from numbers where id <= 2",
        "create table shown (a Int8, b Int8 materialized a + 1, c Int8 alias a + 2, d Int8 ephemeral)"
        " engine = MergeTree order by tuple()",
        "insert into shown (a) values (1)",
        database="reading",
    )
    return clickhouse_server


def running(server: ClickHouseServer) -> str:
    return server.query(
        "select query from system.processes where query like '%system.numbers%' and query not like '%processes%'"
    )


def wait_until_idle(server: ClickHouseServer) -> None:
    deadline = time.monotonic() + 20
    while left := running(server):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def test_ping_count_and_statistics(shop: ClickHouseServer) -> None:
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        assert extractor.ping() == "ClickHouse " + shop.query("select version()")
        assert extractor.get_row_count(Relation("numbers")) == 1000
        size = int(shop.query("select total_bytes from system.tables where database = 'reading' and name = 'numbers'"))
        found = extractor.statistics(ExtractionConfig(relation=Relation("numbers")))
        assert found == TableStatistics(1000, size)
        assert extractor.statistics(ExtractionConfig(relation=Relation("pairs"))) == TableStatistics(None, None)
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None


def test_columns_predicates_and_limit(shop: ClickHouseServer) -> None:
    table = read(
        connect(shop, "reading"),
        "numbers",
        columns=("f", "id"),
        predicates=(column("id") > 990,),
        order=(Ordering("id"),),
        limit=3,
    )
    assert table.to_pylist() == [{"f": n / 8, "id": n} for n in (991, 992, 993)]


def test_a_cast_column_is_filtered_and_ordered_by_its_own_values(shop: ClickHouseServer) -> None:
    """A cast under the column's name would take its place in WHERE and ORDER BY: 'z' is 1, 'a' is 2."""
    table = read(
        connect(shop, "reading"),
        "numbers",
        columns=("kind", "id"),
        predicates=(column("kind").eq("a"),),
        order=(Ordering("kind"), Ordering("id")),
        limit=2,
    )
    assert table.to_pylist() == [{"kind": "a", "id": 1}, {"kind": "a", "id": 3}]
    both = read(connect(shop, "reading"), "numbers", columns=("kind",), order=(Ordering("kind"),), limit=1)
    assert both.to_pylist() == [{"kind": "z"}]


def test_batches_are_of_the_asked_size(shop: ClickHouseServer) -> None:
    with ClickHouseExtractor(connect(shop, "reading", batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            sizes = [batch.num_rows for batch in rows.batches()]
    assert sum(sizes) == 1000
    assert max(sizes) <= 300


def test_memory_stays_within_a_few_batches(shop: ClickHouseServer) -> None:
    query = "select number, repeat('x', 500) as filler from numbers(1000000)"
    with ClickHouseExtractor(connect(shop, "reading", batch_rows=10_000)) as extractor:
        before, most, rows_read = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            for batch in rows.batches():
                rows_read += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert rows_read == 1_000_000
    assert most < 100 << 20  # the result has 500 MB


def test_no_rows_keep_the_schema(shop: ClickHouseServer) -> None:
    table = read(connect(shop, "reading"), "none")
    assert table.schema.types == [pa.uint64(), pa.string()]
    assert [field.nullable for field in table.schema] == [False, True]
    assert table.num_rows == 0


def test_describe_says_what_scan_gives(shop: ClickHouseServer) -> None:
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("pairs", "reading")),
            ExtractionConfig(query="select kind, count(*) as n from numbers group by kind -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, now() as b from x;", columns=("b",)),
            ExtractionConfig(query="select id from numbers union all select 1", limit=3),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in described]


def test_what_a_star_leaves_out_can_be_asked_for(shop: ClickHouseServer) -> None:
    assert read(connect(shop, "reading"), "shown").to_pylist() == [{"a": 1}]
    asked = read(connect(shop, "reading"), "shown", columns=("c", "b", "a"))
    assert asked.to_pylist() == [{"c": 3, "b": 2, "a": 1}]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: ClickHouseServer, name: str) -> None:
    table, odd = quote(name, "clickhouse"), quote(name + "_c", "clickhouse")
    shop.execute(f"drop table if exists {table}", database="reading")
    shop.execute(
        f"create table {table} ({odd} Int8, e Enum8('x' = 1)) engine = MergeTree order by tuple()",
        f"insert into {table} values (5, 1), (6, 1)",
        database="reading",
    )
    found = read(connect(shop, "reading"), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6, "e": "x"}]
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        statistics = extractor.statistics(ExtractionConfig(relation=Relation(name)))
        assert statistics is not None
        assert statistics.rows == 2
    assert shop.query("select count() from numbers", "reading") == "1000"


@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\nb", "{x:Int8}", "' or 1 = 1 --", "%", "ä🙂"])
def test_values_of_predicates_are_no_sql(shop: ClickHouseServer, text: str) -> None:
    query = "select unhex('" + text.encode().hex() + "') as t union all select 'other'"
    table = read(connect(shop, "reading"), query=query, predicates=(column("t").eq(text),))
    assert table.to_pylist() == [{"t": text}]


def test_nothing_can_be_written(shop: ClickHouseServer) -> None:
    for query in ("insert into numbers select * from numbers", "drop table numbers", "select 1; drop table numbers"):
        with pytest.raises(errors.QueryError):
            read(connect(shop, "reading"), query=query)
    assert shop.query("select count() from numbers", "reading") == "1000"


def test_an_early_end_stops_the_query(shop: ClickHouseServer) -> None:
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        rows = extractor.scan(ExtractionConfig(query=ENDLESS))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        wait_until_idle(shop)
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert sorted(more.to_table()["id"].to_pylist()) == [1, 2]


def test_closing_the_extractor_stops_the_query(shop: ClickHouseServer) -> None:
    extractor = ClickHouseExtractor(connect(shop, "reading"))
    extractor.scan(ExtractionConfig(query=ENDLESS)).read_batch(1)
    extractor.close()
    wait_until_idle(shop)


@pytest.mark.parametrize("query", [ENDLESS, "select sum(cityHash64(number)) as n from system.numbers"])
def test_cancel_ends_a_running_scan(shop: ClickHouseServer, query: str) -> None:
    extractor = ClickHouseExtractor(connect(shop, "reading"))
    timer = threading.Timer(0.5, extractor.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        _read_all(extractor, query)
    timer.join()
    wait_until_idle(shop)
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def _read_all(extractor: ClickHouseExtractor, query: str) -> None:
    with extractor.scan(ExtractionConfig(query=query)) as rows:
        for _ in rows.batches():
            pass


def test_an_error_on_the_way_is_no_end(shop: ClickHouseServer) -> None:
    query = "select number, throwIf(number = 3000000, 'too far') as t from numbers(5000000)"
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        rows = extractor.scan(ExtractionConfig(query=query))
        assert rows.read_batch(10) is not None
        with pytest.raises(errors.QueryError, match="too far"):
            for _ in rows.batches():
                pass
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert more.to_table().num_rows == 2


def test_a_statement_may_not_run_longer_than_allowed(shop: ClickHouseServer) -> None:
    with pytest.raises(errors.TimeoutExceededError):
        read(connect(shop, "reading", statement_timeout_s=1), query=f"select count() as n from ({ENDLESS})")
    wait_until_idle(shop)


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError, "wrod"),
        (ExtractionConfig(query="select nope from numbers"), errors.RelationNotFoundError, "nope"),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
    ],
)
def test_what_does_not_exist(
    shop: ClickHouseServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with ClickHouseExtractor(connect(shop, "reading")) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert (caught.value.connection, caught.value.column) == ("shop", named)
        assert extractor.get_row_count(Relation("numbers")) == 1000


@pytest.mark.parametrize("change", [{"password": "wrong-geheim"}, {"user": "nobody"}])
def test_bad_credentials_tell_no_secret(shop: ClickHouseServer, change: dict[str, str]) -> None:
    output = {**shop.output("reading"), **change}
    with pytest.raises(errors.AuthenticationError) as caught:
        ClickHouseExtractor(Connection.from_output("shop", output, SPEC)).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "wrong-geheim" not in shown
    assert shop.password not in shown


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"schema": "nowhere"}, errors.ConfigurationError),
        ({"port": 1}, errors.ConnectionFailedError),
        ({"secure": True}, errors.ConnectionFailedError),
        ({"driver": "native"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(
    shop: ClickHouseServer, change: dict[str, object], family: type[errors.DvtError]
) -> None:
    output = {**shop.output("reading"), **change}
    with pytest.raises(family):
        ClickHouseExtractor(Connection.from_output("shop", output, SPEC)).ping()


def test_a_value_longer_than_a_piece(shop: ClickHouseServer) -> None:
    table = read(connect(shop, "reading"), query="select 1 as a, repeat(repeat('ab', 1000), 10000) as t, 2 as b")
    assert [len(table["t"][0].as_py()), table["a"][0].as_py(), table["b"][0].as_py()] == [20_000_000, 1, 2]
