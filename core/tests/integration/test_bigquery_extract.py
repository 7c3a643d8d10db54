"""Reading an emulated BigQuery through Google's clients: streams, queries, names, errors, logging in, ending."""

from __future__ import annotations

import threading
import time
from typing import Any

import pyarrow as pa
import pytest
from integration.bigquery_kit import connect, read
from servers.bigquery import STREAM_ROWS, TOKEN, BigQueryServer
from sqlglot import exp

from dvt import errors
from dvt.connections.bigquery import SPEC
from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.extractors.bigquery import BigQueryExtractor
from dvt.identifiers import Relation

pytestmark = pytest.mark.bigquery

ROWS = 1700
ID = {"name": "id", "type": "INTEGER", "mode": "NULLABLE"}


def batch(*ids: int) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64())})


@pytest.fixture(scope="module")
def shop(bigquery_server: BigQueryServer) -> BigQueryServer:
    bigquery_server.execute(
        "create or replace table shop.orders (id int64 not null, word string, amount numeric(10, 2), at datetime)",
        "insert into shop.orders select x, concat('w', cast(x as string)), cast(x / 4 as numeric),"
        f" datetime '2024-01-01 10:00:00.123456' from unnest(generate_array(1, {ROWS})) x",
        "create or replace table shop.none (id int64, word string)",
        "create or replace view shop.few as select id, word from shop.orders where id <= 2",
        "create schema if not exists other",
        "create or replace table other.things (n int64)",
        "insert into other.things values (5)",
    )
    return bigquery_server


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def wait_until_no_stream(server: BigQueryServer) -> None:
    deadline = time.monotonic() + 20
    while left := server.open_streams():
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_ping_count_and_statistics(shop: BigQueryServer) -> None:
    with BigQueryExtractor(connect(shop)) as extractor:
        assert extractor.ping().startswith("BigQuery (project dvt, ")
        assert extractor.get_row_count(Relation("orders")) == ROWS
        found = extractor.statistics(ExtractionConfig(relation=Relation("orders")))
        assert found is not None
        assert found.rows == ROWS
        assert extractor.statistics(ExtractionConfig(relation=Relation("few"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None


def test_a_table_is_read_without_a_query(shop: BigQueryServer) -> None:
    shop.statements()
    table = read(connect(shop), "orders", columns=("word", "id"), predicates=(column("id") > 1698,))
    assert sorted(table.to_pylist(), key=str) == [{"word": "w1699", "id": 1699}, {"word": "w1700", "id": 1700}]
    assert shop.statements() == ["read orders (word, id) where (`id` > 1698)"]


def test_a_limit_stops_the_streams(shop: BigQueryServer) -> None:
    shop.statements()
    assert read(connect(shop), "orders", limit=3).num_rows == 3
    assert [sql for sql in shop.statements() if not sql.startswith("read")] == []


def test_the_first_rows_of_an_order_are_queried(shop: BigQueryServer) -> None:
    shop.statements()
    table = read(connect(shop), "orders", columns=("id",), order=(Ordering("id", is_descending=True),), limit=2)
    assert sorted(table["id"].to_pylist()) == [1699, 1700]
    (query, _) = shop.statements()
    assert query == "SELECT `id` FROM `dvt`.`shop`.`orders` ORDER BY `id` DESC LIMIT 2"


def test_a_view_is_queried_and_its_result_streamed(shop: BigQueryServer) -> None:
    shop.statements()
    assert sorted(read(connect(shop), "few", columns=("word",))["word"].to_pylist()) == ["w1", "w2"]
    query, session = shop.statements()
    assert query == "SELECT `word` FROM `dvt`.`shop`.`few`"
    assert session.startswith("read ")


def test_a_long_table_comes_in_streams_and_batches(shop: BigQueryServer) -> None:
    with BigQueryExtractor(connect(shop, batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("orders"), columns=("id",))) as rows:
            batches = list(rows.batches())
    assert ROWS > 3 * STREAM_ROWS
    assert max(batch.num_rows for batch in batches) <= 300
    assert sorted(v for batch in batches for v in batch.column(0).to_pylist()) == list(range(1, ROWS + 1))


def test_describe_says_what_scan_gives(shop: BigQueryServer) -> None:
    with BigQueryExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("orders")),
            ExtractionConfig(relation=Relation("few")),
            ExtractionConfig(relation=Relation("things", "other")),
            ExtractionConfig(query="select word, count(*) as n from orders group by word -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, 'b' as b from x;", columns=("b",)),
            ExtractionConfig(query="select id from orders union all select 1", limit=3),
        ):
            shown = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == shown
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in shown]


def test_no_rows_keep_the_schema(shop: BigQueryServer) -> None:
    table = read(connect(shop), "none")
    assert (table.schema.types, table.num_rows) == ([pa.int64(), pa.string()], 0)


@pytest.mark.parametrize(
    ("predicate", "sent"),
    [
        (column("amount") <= exp.Literal.number("12.5"), "`amount` <= CAST('12.5' AS BIGNUMERIC)"),
        (column("id") < exp.Literal.number(2**63), "`id` < CAST('9223372036854775808' AS BIGNUMERIC)"),
        (column("word").eq("it's \\"), "`word` = 'it\\'s \\\\'"),
        (
            column("at") >= exp.cast(exp.Literal.string("2024-01-01 10:00:00"), exp.DType.TIMESTAMPTZ),
            "`at` >= CAST('2024-01-01 10:00:00' AS DATETIME)",
        ),
        (
            exp.Escape(
                this=exp.Like(this=column("word"), expression=exp.Literal.string("w1!%%")),
                expression=exp.Literal.string("!"),
            ),
            "STARTS_WITH(`word`, 'w1%')",
        ),
    ],
)
def test_conditions_are_in_its_words(shop: BigQueryServer, predicate: exp.Expr, sent: str) -> None:
    shop.statements()
    read(connect(shop), "orders", columns=("id",), predicates=(predicate,))
    assert shop.statements() == [f"read orders (id) where ({sent})"]


@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\nb", "' or 1 = 1 --", "%", "ä🙂"])
def test_values_of_predicates_are_no_sql(shop: BigQueryServer, text: str) -> None:
    assert read(connect(shop), "orders", predicates=(column("word").eq(text),)).num_rows == 0


def test_nothing_can_be_written(shop: BigQueryServer) -> None:
    for query in ("drop table orders", "delete from orders where true", "create table x as select 1 as a"):
        with pytest.raises(errors.DvtError):
            read(connect(shop), query=query)
    assert shop.query("select count(*) from orders") == [[str(ROWS)]]


def test_an_early_end_closes_the_streams(shop: BigQueryServer) -> None:
    shop.can("CANNED_ENDLESS", [ID], [[batch(1, 2)], [batch(3)]], fault="endless")
    with BigQueryExtractor(connect(shop)) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("CANNED_ENDLESS")))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        wait_until_no_stream(shop)
        with extractor.scan(ExtractionConfig(relation=Relation("few"))) as more:
            assert more.to_table().num_rows == 2


def test_cancel_ends_a_running_scan(shop: BigQueryServer) -> None:
    shop.can("CANNED_ENDLESS", [ID], [[batch(1, 2)], [batch(3)]], fault="endless")
    extractor = BigQueryExtractor(connect(shop))
    timer = threading.Timer(1, extractor.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        _read_all(extractor, "CANNED_ENDLESS")
    timer.join()
    wait_until_no_stream(shop)
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("few")))
    extractor.close()


def _read_all(extractor: BigQueryExtractor, name: str) -> None:
    with extractor.scan(ExtractionConfig(relation=Relation(name))) as rows:
        for _ in rows.batches():
            pass


def test_a_stream_that_breaks_is_read_on_from_the_row_after(shop: BigQueryServer) -> None:
    streams = [[batch(1, 2), batch(3)], [batch(4), batch(5, 6)]]
    shop.can("CANNED_BREAKS", [ID], streams, fault="breaks once")
    assert sorted(read(connect(shop), "CANNED_BREAKS")["id"].to_pylist()) == [1, 2, 3, 4, 5, 6]


def test_a_stream_that_fails_is_no_end(shop: BigQueryServer) -> None:
    shop.can("CANNED_FAILS", [ID], [[batch(1)], [batch(2)]], fault="fails")
    with pytest.raises(errors.DvtError, match="made by the test"):
        read(connect(shop), "CANNED_FAILS")


@pytest.mark.parametrize(
    ("status", "family"),
    [
        ("PERMISSION_DENIED", errors.PrivilegeError),
        ("UNAUTHENTICATED", errors.AuthenticationError),
        ("RESOURCE_EXHAUSTED", errors.ResourceError),
        ("INVALID_ARGUMENT", errors.QueryError),
        ("NOT_FOUND", errors.RelationNotFoundError),
    ],
)
def test_refused_sessions_have_families(shop: BigQueryServer, status: str, family: type[errors.DvtError]) -> None:
    shop.can("CANNED_REFUSED", [ID], [[batch(1)]], refused=status)
    with pytest.raises(family) as caught:
        read(connect(shop), "CANNED_REFUSED")
    assert (caught.value.connection, caught.value.relation) == ("shop", "dvt.shop.CANNED_REFUSED")


@pytest.mark.parametrize(
    ("request_", "family", "named"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("orders", "nowhere")), errors.RelationNotFoundError, None),
        (ExtractionConfig(relation=Relation("orders"), columns=("wrod",)), errors.RelationNotFoundError, "wrod"),
        (ExtractionConfig(query="select nope from orders"), errors.RelationNotFoundError, "nope"),
        (ExtractionConfig(query="select * from missing"), errors.RelationNotFoundError, None),
        (ExtractionConfig(query="selec 1"), errors.QueryError, None),
    ],
)
def test_what_does_not_exist(
    shop: BigQueryServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with BigQueryExtractor(connect(shop)) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert (caught.value.connection, caught.value.column) == ("shop", named)


def test_a_value_that_cannot_be_computed_is_a_matter_of_data(shop: BigQueryServer) -> None:
    with pytest.raises(errors.DataError, match="division by zero"):
        read(connect(shop), query="select 1 / (id - 1) as x from orders")


def test_bad_tokens_tell_no_secret(shop: BigQueryServer) -> None:
    connection = Connection.from_output("shop", shop.output(token="ya29-wrong-geheim"), SPEC)
    with pytest.raises(errors.AuthenticationError) as caught:
        BigQueryExtractor(connection).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {connection!r}"
    assert "geheim" not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"api_endpoint": "http://127.0.0.1:1"}, errors.ConnectionFailedError),
        ({"method": "browser"}, errors.ConfigurationError),
        ({"method": "oauth-secrets", "token": ""}, errors.ConfigurationError),
        ({"method": "service-account", "keyfile": "missing.json"}, errors.ConfigurationError),
        ({"method": "service-account-json", "keyfile_json": "no key"}, errors.ConfigurationError),
        ({"priority": "yesterday", "maximum_bytes_billed": "lots"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(
    shop: BigQueryServer, change: dict[str, Any], family: type[errors.DvtError]
) -> None:
    output = shop.output({"connect_timeout_s": 1}, **change)
    with pytest.raises(family):
        BigQueryExtractor(Connection.from_output("shop", output, SPEC)).ping()
