"""Reading Databricks through its connector, against a stand-in (tag: fake): batches, links, ends, filters, errors."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("databricks.sql")

from integration.databricks_kit import connect, read
from servers.databricks import CLIENT, TOKEN, databricks_place, output, running
from servers.databricks_service import Warehouse
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.databricks import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.extractors.databricks import DatabricksExtractor
from dvt.identifiers import Relation, quote

NASTY = (
    'a"b',
    "a`b",
    "it's",
    "dot.ted",
    " leading",
    "select",
    "per%s{x}",
    "semi;colon",
    "Ünïcode",
    "a -- b",
    "x'); --",
)
ENDLESS = "select sum(a.id * b.id) as n from range(10000000) a, range(10000000) b"


@pytest.fixture(scope="module")
def server() -> Iterator[Warehouse]:
    with running() as warehouse:
        warehouse.execute(
            "create schema lake.sales",
            "create schema lake.other",
            "create table lake.sales.numbers as select cast(id as int) as id, 'w' || id as word,"
            " case when id > 90000 then id / 8 end as late from range(100000)",
            "create table lake.sales.none (id bigint, word string, price decimal(10, 2))",
            "create table lake.sales.nulls as select cast(null as int) as n, cast(null as string) as t from range(10)",
            "create table lake.other.numbers as select 7 as id",
        )
        yield warehouse


@pytest.fixture
def shop(server: Warehouse) -> Iterator[Warehouse]:
    server.taken()
    server.downloads.clear()
    server.cancelled.clear()
    yield server
    server.link_faults.clear()
    server.refusals.clear()
    server.link_seconds = 3600
    assert server.left_open == []
    assert server.sessions == {}


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def wait_until_closed(shop: Warehouse) -> None:
    deadline = time.monotonic() + 20
    while shop.left_open:
        assert time.monotonic() < deadline, shop.left_open
        time.sleep(0.02)


def test_ping_count_and_no_telemetry(shop: Warehouse) -> None:
    with DatabricksExtractor(connect(shop)) as extractor:
        assert extractor.ping().startswith("Databricks (Spark v")
        assert extractor.get_row_count(Relation("numbers")) == 100_000
    assert shop.taken()[0] == "SET TIME ZONE 'UTC'"
    assert all("(dvt)" in agent for agent in shop.agents)


def test_a_place_as_all_engines_know_it(tmp_path: Path) -> None:
    with databricks_place(tmp_path) as place:
        place.execute("create table lake.sales.t as select 1 as a")
        connection = Connection.from_output("any", place.output, SPEC)
        assert read(connection, "t").to_pylist() == [{"a": 1}]
        assert place.statements()[-1] == "SELECT * FROM `t`"


def test_columns_predicates_order_and_limit_are_asked_of_the_server(shop: Warehouse) -> None:
    table = read(
        connect(shop),
        "numbers",
        columns=("late", "id"),
        predicates=(column("id") > 90_000, column("word").neq("w90002")),
        order=(Ordering("id"),),
        limit=2,
    )
    assert table.to_pylist() == [{"late": n / 8, "id": n} for n in (90_001, 90_003)]
    sent = shop.taken()[-1]
    assert sent == (
        "SELECT `late`, `id` FROM `numbers` WHERE `id` > 90000 AND `word` <> 'w90002'"
        " ORDER BY `id` ASC NULLS LAST LIMIT 2"
    )


def test_a_big_result_comes_by_links_in_batches_of_the_asked_size(shop: Warehouse) -> None:
    with DatabricksExtractor(connect(shop, {"batch_rows": 15_000})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
    assert max(batch.num_rows for batch in batches) <= 15_000
    ids = pa.chunked_array([batch.column("id") for batch in batches]).to_pylist()
    assert ids == list(range(100_000))
    assert batches[0].column("late").null_count == batches[0].num_rows
    assert len(shop.downloads) == 5


def test_the_tokens_do_not_go_to_the_storage(shop: Warehouse) -> None:
    read(connect(shop), "numbers")
    assert shop.downloads
    assert not [headers for headers in shop.downloads if "Authorization" in headers]


def test_a_result_without_links_is_fetched_as_it_is_read(shop: Warehouse) -> None:
    parameters = {"use_cloud_fetch": False, "enable_query_result_lz4_compression": False}
    with DatabricksExtractor(connect(shop, {"batch_rows": 1000}, connection_parameters=parameters)) as extractor:
        query = "select id as n from range(400000)"
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            first = rows.read_batch(1000)
            assert first is not None
            operation = next(o for o in shop.operations.values() if not o.is_closed)
            assert operation.offset == 100_000
            assert sum(batch.num_rows for batch in rows.batches()) == 399_000
    assert not shop.downloads


def test_memory_stays_within_a_few_files(shop: Warehouse) -> None:
    query = "select id as n, repeat('x', 500) as filler from range(400000)"
    with DatabricksExtractor(connect(shop, {"batch_rows": 10_000})) as extractor:
        extractor.ping()
        before, most = pa.total_allocated_bytes(), 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            held = pa.total_allocated_bytes() - before  # the stand-in's own copy of the result
            for _ in rows.batches():
                most = max(most, pa.total_allocated_bytes() - before - held)
    assert most < 60 << 20  # the result has 200 MB


def test_no_rows_keep_the_schema(shop: Warehouse) -> None:
    table = read(connect(shop), "none")
    assert table.schema.types == [pa.int64(), pa.string(), pa.decimal128(10, 2)]
    assert table.num_rows == 0
    assert read(connect(shop), "nulls").to_pylist() == [{"n": None, "t": None}] * 10


def test_describe_says_what_scan_gives(shop: Warehouse) -> None:
    with DatabricksExtractor(connect(shop)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("numbers", "other")),
            ExtractionConfig(relation=Relation("numbers", "other", "lake")),
            ExtractionConfig(relation=Relation("numbers"), columns=("word",)),
            ExtractionConfig(query="select word, count(*) as n from numbers group by word -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, 2.5 as b from x;", columns=("b",)),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert rows.to_table().schema.names == [c.name for c in described]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: Warehouse, name: str) -> None:
    table, odd = quote(name, "databricks"), quote(name + "_c", "databricks")
    shop.execute(f"create or replace table lake.sales.{table} as select explode(array(5, 6)) as {odd}")
    found = read(connect(shop), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6}]


@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\nb", "' or 1 = 1 --", "%", "ä🙂", ":x", "${x}${y}"])
def test_values_of_predicates_are_no_sql(shop: Warehouse, text: str) -> None:
    value = exp.Literal.string(text).sql("databricks")
    shop.execute(f"create or replace table lake.sales.texts as select explode(array({value}, 'other')) as t")
    assert read(connect(shop), "texts", predicates=(column("t").eq(text),)).to_pylist() == [{"t": text}]


def test_what_the_server_would_replace_is_not_sent(shop: Warehouse) -> None:
    read(connect(shop), "numbers", predicates=(column("word").eq("a${x}b"),))
    assert shop.taken()[-1] == "SELECT * FROM `numbers` WHERE `word` = CONCAT('a$', '{x}b')"
    with pytest.raises(errors.UnsupportedError) as caught:
        read(connect(shop), "numbers", columns=("id", "a${x}"))
    assert caught.value.column == "a${x}"


def test_only_queries_are_sent(shop: Warehouse) -> None:
    for query in ("drop table numbers", "set x = 1", "use schema other"):
        with pytest.raises(errors.QueryError):
            read(connect(shop), query=query)
    assert all(sql.startswith(("SET TIME ZONE", "WITH `dvt_query` AS (")) for sql in shop.taken())


def test_an_early_end_closes_the_statement(shop: Warehouse) -> None:
    with DatabricksExtractor(connect(shop)) as extractor:
        rows = extractor.scan(ExtractionConfig(query="select id as n from range(1000000)"))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        assert shop.left_open
        rows.close()
        assert shop.left_open == []
        with extractor.scan(ExtractionConfig(query="select 1 as a")) as more:
            assert more.to_table().to_pylist() == [{"a": 1}]


def test_cancel_ends_a_running_scan(shop: Warehouse) -> None:
    extractor = DatabricksExtractor(connect(shop))
    timer = threading.Timer(0.5, extractor.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query=ENDLESS))
    timer.join()
    assert [sql for sql in shop.cancelled if "10000000" in sql]
    wait_until_closed(shop)
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("none")))
    extractor.close()


def test_cancel_while_rows_are_read(shop: Warehouse) -> None:
    extractor = DatabricksExtractor(connect(shop, {"batch_rows": 1000}))
    with extractor.scan(ExtractionConfig(query="select id as n from range(1000000)")) as rows:
        assert rows.read_batch(10) is not None
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            list(rows.batches())
    wait_until_closed(shop)
    extractor.close()


def test_a_link_that_fails_for_a_while_is_tried_again(shop: Warehouse) -> None:
    shop.link_faults = [503, 200, 500]
    assert read(connect(shop), "numbers")["id"].to_pylist() == list(range(100_000))
    assert len(shop.downloads) == 7


@pytest.mark.parametrize(("fault", "words"), [(403, "AccessDenied"), (404, "AccessDenied"), ("short", "result")])
def test_a_link_that_gives_no_whole_file_is_an_error(shop: Warehouse, fault: int | str, words: str) -> None:
    shop.link_faults = [200, 200, fault]
    with DatabricksExtractor(connect(shop)) as extractor:
        with pytest.raises(errors.ConnectionLostError, match=words) as caught:
            with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
                list(rows.batches())
        assert "use_cloud_fetch" in str(caught.value)
        assert caught.value.relation == "numbers"


def test_a_link_that_ended_is_an_error(shop: Warehouse) -> None:
    shop.link_seconds = -1
    with pytest.raises(errors.ConnectionLostError, match="expired"):
        read(connect(shop), "numbers")


def test_a_warehouse_that_is_starting_is_waited_for(shop: Warehouse) -> None:
    shop.refusals = [503]
    assert read(connect(shop), query="select 1 as a").to_pylist() == [{"a": 1}]


@pytest.mark.parametrize(
    ("words", "more", "attempts"),
    [
        ("The cluster is in unexpected state PENDING", {}, 2),
        ("The cluster is in unexpected state PENDING", {"connect_retries": 0}, 1),
        ("[INTERNAL_ERROR] it has just begun", {"connect_retries": 5}, 1),
        ("[INTERNAL_ERROR] it has just begun", {"connect_retries": 1, "retry_all": True}, 2),
        ("[INTERNAL_ERROR] it has just begun", {"connect_retries": 2, "retry_all": True}, 3),
    ],
)
def test_a_log_in_is_tried_again_as_the_output_says(
    shop: Warehouse, caplog: pytest.LogCaptureFixture, words: str, more: dict[str, Any], attempts: int
) -> None:
    given = output(shop, connect_timeout=0, **more)
    for faults, is_well in ((attempts - 1, True), (attempts, False)):
        shop.login_faults = [words] * faults
        caplog.clear()
        with DatabricksExtractor(Connection.from_output("lakehouse", given, SPEC)) as extractor:
            if is_well:
                assert extractor.ping()
            else:
                with pytest.raises(errors.DvtError, match=re.escape(words)):
                    extractor.ping()
        told = [record.getMessage() for record in caplog.records if record.name == "dvt.connections.retrying"]
        assert told == [
            f"connection lakehouse: attempt {number} of {attempts} to connect failed, again in 0 s: {words}"
            for number in range(1, attempts)
        ]
        assert shop.login_faults == []


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
    shop: Warehouse, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with DatabricksExtractor(connect(shop)) as extractor:
        with pytest.raises(family) as caught:
            extractor.scan(request_)
        assert type(caught.value) is family
        assert (caught.value.connection, caught.value.column, caught.value.phase) == ("lakehouse", named, "extract")


def test_a_wrong_token_is_refused_at_once_and_not_shown(shop: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(errors.AuthenticationError) as caught:
        read(connect(shop, token="dapi-wr0ng&secret"), "numbers")
    shown = str(caught.value) + repr(caught.value) + caplog.text + repr(connect(shop, token="dapi-wr0ng&secret"))
    assert "wr0ng" not in shown
    assert "Invalid access token" in str(caught.value)


def test_no_secret_is_shown_when_all_goes_well(shop: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read(connect(shop), "numbers")
    assert "5ecret" not in caplog.text


@pytest.mark.parametrize(
    ("more", "family"),
    [
        ({"catalog": "nowhere"}, errors.ConfigurationError),
        ({"connection_parameters": {"_connection_uri": "http://127.0.0.1:{port}/nope"}}, errors.ConnectionFailedError),
    ],
)
def test_what_the_profile_has_wrong(shop: Warehouse, more: dict, family: type[errors.DvtError]) -> None:
    if "connection_parameters" in more:
        address = more["connection_parameters"]["_connection_uri"].format(port=shop.port)
        more = {"connection_parameters": {"_connection_uri": address}}
    with pytest.raises(family) as caught:
        read(connect(shop, **more), "numbers")
    assert caught.value.phase == "connect"


def test_a_closed_port_and_an_unknown_host_are_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "no-such-host.invalid"):
        given = {"type": "databricks", "host": host, "http_path": "/sql/1.0/warehouses/x", "token": TOKEN}
        with pytest.raises(errors.ConnectionFailedError) as caught:
            read(Connection.from_output("lakehouse", given, SPEC), "numbers")
        assert type(caught.value) is errors.ConnectionFailedError


def test_a_service_principal_logs_in_and_its_token_is_renewed(shop: Warehouse) -> None:
    name, secret = CLIENT
    login = {"auth_type": "oauth", "token": None, "client_id": name, "client_secret": secret}
    shop.token_s = 1  # always about to end
    known = len(shop.tokens)
    assert read(connect(shop, **login), query="select 1 as a").to_pylist() == [{"a": 1}]
    assert len(shop.tokens) > known + 1
    with pytest.raises(errors.AuthenticationError) as caught:
        read(connect(shop, **{**login, "client_secret": "dose-wr0ng"}), "numbers")
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        {"token": None, "auth_type": "oauth"},
        {"token": None, "auth_type": "oauth", "client_id": "my-app"},
        {"token": None},
        {"auth_type": "external-browser"},
    ],
)
def test_a_login_by_browser_is_refused_with_the_alternatives(shop: Warehouse, more: dict) -> None:
    with pytest.raises(errors.ConfigurationError, match="client_secret"):
        read(connect(shop, **more), "numbers")


def test_what_the_output_may_not_say_twice(shop: Warehouse) -> None:
    with pytest.raises(errors.ConfigurationError, match="access_token"):
        read(connect(shop, connection_parameters={"access_token": "x"}), "numbers")


def test_properties_and_a_limit_of_time_reach_the_session(shop: Warehouse) -> None:
    connection = connect(
        shop, {"statement_timeout_s": 5}, session_properties={"ansi_mode": True, "databricks.catalog": "lake"}
    )
    read(connection, "none")
    assert shop.configurations[-1]["ansi_mode"] == "True"
    assert "databricks.catalog" not in shop.configurations[-1]
    assert shop.taken()[1] == "SET STATEMENT_TIMEOUT = 5"


def test_the_server_goes_away_and_comes_back() -> None:
    quick = {"_retry_stop_after_attempts_count": 1}
    with running() as first:
        first.execute("create schema lake.sales")
        extractor = DatabricksExtractor(connect(first, connection_parameters=quick))
        extractor.ping()
    with pytest.raises(errors.ConnectionLostError):
        extractor.ping()
    extractor.close()
    with running() as second:
        second.execute("create schema lake.sales")
        with DatabricksExtractor(connect(second)) as again:
            assert again.ping().startswith("Databricks")


def test_two_catalogs_are_two_places(shop: Warehouse) -> None:
    one, other = output(shop), output(shop, catalog="elsewhere")
    places = {Connection.from_output("a", given, SPEC).place for given in (one, other, {**one, "schema": "other"})}
    assert len(places) == 2
