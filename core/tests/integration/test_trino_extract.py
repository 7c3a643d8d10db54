"""Reading Trino through its client: shapes, early ends, segments that fail, filters, odd names, errors, logins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import certifi
import pyarrow as pa
import pytest
import sqlglot
from integration.cancelling import cancels_when
from integration.trino_kit import connect, read
from servers.process import free_port
from servers.trino import TrinoServer, header, running
from sqlglot import exp

from dvt import errors
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.trino import TrinoExtractor
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation, quote

NASTY = (
    *('a"b', "a`b", "a\\b", "ends\\", "it's", "dot.ted", " leading", "select", "per%s{x}", "{x}", "semi;colon", "?"),
    *("new\nline", "tab\t", "Ünïcode", "a -- b", "/* c */", "x" * 100, "x'); drop table numbers; --"),
)
SLOW = "select sum(a.i * b.i) as x from range(200000) as a(i), range(200000) as b(i)"
MANY = "select i as id, 'w' || cast(i as varchar) as word from range(200000) as r(i)"


@pytest.fixture
def server() -> Iterator[TrinoServer]:
    with running() as found:
        found.execute(
            "create table numbers (id integer, word varchar, f double, seen timestamp(3) with time zone)",
            "insert into numbers select i, 'w' || cast(i as varchar), i / 8.0,"
            " timestamp '2024-01-01 00:00:00 UTC' + i * interval '1' minute from range(1, 2501) as r(i)",
            "create table nothing (id bigint, word varchar)",
            "create view pairs as select id, word from numbers where id <= 2",
        )
        yield found


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def condition(sql: str) -> exp.Expr:
    return sqlglot.parse_one(sql, read="trino")


def test_ping_count_and_statistics(server: TrinoServer) -> None:
    with TrinoExtractor(connect(server)) as extractor:
        assert extractor.ping() == "Trino 479-fake"
        assert extractor.get_row_count(Relation("numbers")) == 2500
        request = ExtractionConfig(relation=Relation("numbers", "main", "lake"))
        assert extractor.statistics(request) == TableStatistics(2500, None)
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None


@pytest.mark.parametrize("spools", [True, False])
def test_all_rows_come_once_and_in_order(server: TrinoServer, spools: bool) -> None:
    server.behaviour.spools = spools
    ids = read(connect(server), "numbers")["id"].to_pylist()
    assert ids == list(range(1, 2501))
    assert len(server.acknowledged) == (5 if spools else 0)
    assert not server.segments
    assert server.cancelled == []


@pytest.mark.parametrize("encoding", ["json+zstd", "json+lz4", "json"])
def test_every_encoding_of_segments(server: TrinoServer, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvt.connections.trino._encodings", lambda: [encoding])
    assert read(connect(server), "numbers").num_rows == 2500
    assert header(server.headers[-1], "X-Trino-Query-Data-Encoding") == encoding
    assert len(server.acknowledged) == 5


def test_segments_are_fetched_in_threads_and_delivered_in_order(server: TrinoServer) -> None:
    server.behaviour.segment_delay_s = lambda number: 0.3 if number == 0 else 0.0
    server.behaviour.segments_a_page = 1
    ids = read(connect(server), "numbers")["id"].to_pylist()
    assert ids == list(range(1, 2501))
    assert server.downloads.index(0) > 0


def test_no_more_segments_are_fetched_than_are_to_be_ahead(server: TrinoServer) -> None:
    server.behaviour.page_rows = 100
    with TrinoExtractor(connect(server, batch_rows=100, download_threads=2)) as extractor:
        with extractor.scan(ExtractionConfig(query=MANY)) as rows:
            assert rows.read_batch(1) is not None
            time.sleep(0.3)
            assert len(server.downloads) <= 6  # two threads, two ready, and what a page names


def test_columns_predicates_and_limit(server: TrinoServer) -> None:
    request = {"columns": ("f", "id"), "predicates": (column("id") > 990,), "order": (Ordering("id"),), "limit": 3}
    table = read(connect(server), "numbers", **request)
    assert table.to_pylist() == [{"f": n / 8, "id": n} for n in (991, 992, 993)]
    assert server.statements()[-1] == ('SELECT "f", "id" FROM "numbers" WHERE "id" > 990 ORDER BY "id" ASC LIMIT 3')


def test_constants_of_conditions_are_what_they_say(server: TrinoServer) -> None:
    conditions = (
        condition("\"seen\" >= cast('2024-01-02 00:00:00.000001+00' as timestamp with time zone)"),
        condition("\"f\" < cast('1.5E3' as double)"),
        condition('"id" < 123456789012345678901234567890'),
        condition("\"word\" like 'w1%'"),
    )
    table = read(connect(server), "numbers", columns=("id", "seen"), predicates=conditions)
    assert table["id"].to_pylist() == [n for n in range(1441, 2501) if str(n).startswith("1")]
    assert table["seen"][0].as_py() == datetime(2024, 1, 2, 0, 1, tzinfo=timezone.utc)
    sent = server.statements()[-1]
    assert "CAST('2024-01-02 00:00:00.000001 UTC' AS TIMESTAMP(6) WITH TIME ZONE)" in sent
    assert "CAST('123456789012345678901234567890' AS DECIMAL(30, 0))" in sent
    moment = condition("\"seen\" > cast('2024-01-02 00:00:00.000001' as timestamp)")
    extractor = TrinoExtractor(connect(server))
    sql = extractor.source_sql(ExtractionConfig(relation=Relation("numbers"), predicates=(moment,)))
    assert "AS TIMESTAMP(6))" in sql


def test_a_query_is_sent_as_it_is_written(server: TrinoServer) -> None:
    query = "select  id /* all */, word from numbers -- and that is it"
    assert read(connect(server), query=query + ";").num_rows == 2500
    assert server.statements()[-1] == query
    some = read(connect(server), query=query, columns=("word",), predicates=(column("id").eq(7),))
    assert some.to_pylist() == [{"word": "w7"}]
    assert query in server.statements()[-1]


def test_batches_are_of_the_asked_size(server: TrinoServer) -> None:
    for page_rows, batch_rows in ((500, 300), (100, 950)):
        server.behaviour.page_rows = page_rows
        with TrinoExtractor(connect(server, batch_rows=batch_rows)) as extractor:
            with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
                sizes = [batch.num_rows for batch in rows.batches()]
        assert sizes == [batch_rows] * (2500 // batch_rows) + [2500 % batch_rows]


def test_memory_stays_within_a_few_segments(server: TrinoServer) -> None:
    server.behaviour.page_rows = 5000
    query = "select i, repeat('x', 500) as filler from range(200000) as r(i)"
    with TrinoExtractor(connect(server, batch_rows=5000)) as extractor:
        before, most, count = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            for batch in rows.batches():
                count += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert count == 200_000
    assert most < 30 << 20  # the result has 100 MB


def test_no_rows_keep_the_schema(server: TrinoServer) -> None:
    table = read(connect(server), "nothing")
    assert (table.schema.types, table.num_rows) == ([pa.int64(), pa.string()], 0)


def test_nulls_that_come_first_or_late(server: TrinoServer) -> None:
    query = (
        "select case when i < 1200 then cast(null as bigint) else i end as a,"
        " case when i < 1200 then cast(i as double) end as b from range(2400) as r(i)"
    )
    table = read(connect(server), query=query)
    assert table.schema.types == [pa.int64(), pa.float64()]
    assert table["a"].to_pylist() == [None] * 1200 + list(range(1200, 2400))
    assert table["b"].to_pylist() == [float(n) for n in range(1200)] + [None] * 1200


def test_describe_says_what_scan_gives(server: TrinoServer) -> None:
    with TrinoExtractor(connect(server)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("pairs", "main"), columns=("word",)),
            ExtractionConfig(query="select word, count(*) as n from numbers group by word -- of each"),
            ExtractionConfig(query="with x as (select 1 as a) select a, a + 1 as b from x;", columns=("b",)),
            ExtractionConfig(query="select id from numbers union all select 1", limit=3),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in described]
    assert server.unfinished() == []


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(server: TrinoServer, name: str) -> None:
    table, odd = quote(name, "trino"), quote(name + "_c", "trino")
    server.execute(
        f"create table {table} ({odd} tinyint, e timestamp(3) with time zone)",
        f"insert into {table} values (5, null), (6, null)",
    )
    found = read(connect(server), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6, "e": None}]
    assert read(connect(server), "numbers").num_rows == 2500


@pytest.mark.parametrize("text", ["it's", "\\", "\\'", "a\nb", "{x}", "' or 1 = 1 --", "%", "ä🙂"])
def test_values_of_predicates_are_no_sql(server: TrinoServer, text: str) -> None:
    server.execute("create table texts (t varchar)")
    server.engine.run("insert into texts select from_utf8(from_hex('" + text.encode().hex() + "'))")
    server.execute("insert into texts values ('other')")
    table = read(connect(server), "texts", predicates=(column("t").eq(text),))
    assert table.to_pylist() == [{"t": text}]


@pytest.mark.parametrize(
    "query", ["insert into numbers select * from numbers", "drop table numbers", "delete from numbers"]
)
def test_nothing_can_be_written(server: TrinoServer, query: str) -> None:
    with pytest.raises(errors.QueryError):
        read(connect(server), query=query)
    assert all("LIMIT 0" in statement for statement in server.statements())
    assert read(connect(server), "numbers").num_rows == 2500


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def drain(rows: RowStream) -> None:
    for _ in rows.batches():
        time.sleep(0.05)


def test_an_early_end_leaves_nothing_open(server: TrinoServer) -> None:
    with TrinoExtractor(connect(server)) as extractor:
        rows = extractor.scan(ExtractionConfig(query=MANY))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        assert server.cancelled == [MANY]
        assert server.unfinished() == []
        assert read(connect(server), "pairs")["id"].to_pylist() == [1, 2]


def test_a_stream_that_is_never_read_is_ended_too(server: TrinoServer) -> None:
    with TrinoExtractor(connect(server)) as extractor:
        extractor.scan(ExtractionConfig(query=MANY)).close()
    extractor = TrinoExtractor(connect(server))
    extractor.scan(ExtractionConfig(query=MANY))
    extractor.close()
    assert server.unfinished() == []
    assert server.cancelled == [MANY, MANY]


@pytest.mark.parametrize("spools", [True, False])
def test_cancel_ends_a_running_scan(server: TrinoServer, spools: bool) -> None:
    server.behaviour.spools = spools
    server.behaviour.segment_delay_s = lambda number: 0.1
    extractor = TrinoExtractor(connect(server))
    with extractor.scan(ExtractionConfig(query=MANY)) as rows:
        assert rows.read_batch(1) is not None
        timer = threading.Timer(0.2, extractor.cancel)
        timer.start()
        with pytest.raises(errors.InterruptedRunError):
            drain(rows)
    timer.join()
    assert server.unfinished() == []
    assert set(server.cancelled) == {MANY}
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def test_cancel_while_the_server_has_not_planned(server: TrinoServer) -> None:
    server.behaviour.queued_answers = 10**9
    extractor = TrinoExtractor(connect(server))
    timer = threading.Timer(0.3, extractor.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query=MANY))
    timer.join()
    assert len(set(server.cancelled)) == 1
    extractor.close()


def test_cancel_while_the_server_works_out_the_first_row(server: TrinoServer) -> None:
    extractor = TrinoExtractor(connect(server))
    ending = cancels_when(extractor, lambda: any(query.sql == SLOW for query in list(server.queries.values())))
    with pytest.raises(errors.InterruptedRunError), extractor.scan(ExtractionConfig(query=SLOW)) as rows:
        drain(rows)
    ending.join()
    assert set(server.cancelled) == {SLOW}
    assert all(query.done.wait(20) for query in server.queries.values())
    extractor.close()


def test_a_slow_segment_does_not_hold_up_a_cancel(server: TrinoServer) -> None:
    server.behaviour.segment_delay_s = lambda number: 20.0 if number == 2 else 0.0
    extractor = TrinoExtractor(connect(server))
    started = time.monotonic()
    timer = threading.Timer(0.3, extractor.cancel)
    timer.start()
    with extractor.scan(ExtractionConfig(query=MANY)) as rows, pytest.raises(errors.InterruptedRunError):
        drain(rows)
    timer.join()
    assert time.monotonic() - started < 15
    extractor.close()


def test_segments_that_fail_for_a_moment_are_asked_for_again(server: TrinoServer) -> None:
    server.behaviour.segment_failures = {1: [503], 3: [429, 502]}
    assert read(connect(server), "numbers")["id"].to_pylist() == list(range(1, 2501))
    assert sorted(server.downloads) == [0, 1, 1, 2, 3, 3, 3, 4]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ([404], "status 404"),
        ([503] * 9, "status 503"),
        ([b"[[1,2"], "announced"),
        ([b""], "announced"),
    ],
)
def test_a_segment_that_cannot_be_had_is_no_end(server: TrinoServer, failure: list[int | bytes], words: str) -> None:
    server.behaviour.segment_failures = {3: failure}
    with pytest.raises(errors.ConnectionLostError, match=words) as caught:
        read(connect(server, {"retries": 2}), "numbers")
    assert "s1gned" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    until(lambda: server.unfinished() == [])


def test_a_segment_of_other_rows_than_announced_is_refused(
    server: TrinoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dvt.connections.trino._encodings", lambda: ["json"])
    monkeypatch.setattr("servers.trino._compressed", lambda raw, encoding: raw[:-1].rpartition(b",[")[0] + b"]")
    with pytest.raises(errors.ConnectionLostError, match="announced"):
        read(connect(server), "numbers")


def test_pages_that_fail_for_a_moment_are_asked_for_again(server: TrinoServer) -> None:
    server.behaviour.page_failures = {2: [503], 3: [502, 504]}
    assert read(connect(server), "numbers").num_rows == 2500


def test_without_retries_the_first_failure_ends_it(server: TrinoServer) -> None:
    server.behaviour.page_failures = {2: [503]}
    with pytest.raises(errors.ConnectionLostError, match="503"):
        read(connect(server, {"retries": 1}), "numbers")


def test_an_error_on_the_way_is_no_end(server: TrinoServer) -> None:
    failure = {
        "message": "Division by zero",
        "errorCode": 8,
        "errorName": "DIVISION_BY_ZERO",
        "errorType": "USER_ERROR",
    }
    server.behaviour.breaks_after = (1000, failure)
    with TrinoExtractor(connect(server)) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("numbers")))
        with pytest.raises(errors.DataError, match="Division by zero"):
            rows.to_table()
        server.behaviour.breaks_after = None
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert more.to_table().num_rows == 2


@pytest.mark.parametrize(
    ("name", "kind", "family"),
    [
        ("PERMISSION_DENIED", "USER_ERROR", errors.PrivilegeError),
        ("EXCEEDED_TIME_LIMIT", "INSUFFICIENT_RESOURCES", errors.TimeoutExceededError),
        ("EXCEEDED_GLOBAL_MEMORY_LIMIT", "INSUFFICIENT_RESOURCES", errors.ResourceError),
        ("ADMINISTRATIVELY_KILLED", "USER_ERROR", errors.InterruptedRunError),
        ("NO_NODES_AVAILABLE", "INSUFFICIENT_RESOURCES", errors.ConnectionLostError),
        ("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", errors.QueryError),
        ("ICEBERG_BAD_DATA", "EXTERNAL", errors.QueryError),
    ],
)
def test_errors_of_the_server_by_their_names(
    server: TrinoServer, name: str, kind: str, family: type[errors.DvtError]
) -> None:
    server.behaviour.breaks_after = (1, {"message": "so it is", "errorCode": 1, "errorName": name, "errorType": kind})
    with pytest.raises(errors.DvtError, match=f"so it is.*{name}") as caught:
        read(connect(server), "numbers")
    assert type(caught.value) is family
    assert (caught.value.connection, caught.value.relation, caught.value.phase) == ("lake", "numbers", "extract")


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
    server: TrinoServer, request_: ExtractionConfig, family: type[errors.DvtError], named: str | None
) -> None:
    with TrinoExtractor(connect(server)) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert (caught.value.connection, caught.value.column) == ("lake", named)
        assert extractor.get_row_count(Relation("numbers")) == 2500


def test_the_session_that_statements_are_sent_with(server: TrinoServer) -> None:
    change = {
        "session_properties": {"query_max_cpu_time": "1h", "lake.a b": True},
        "roles": {"lake": "analyst"},
        "client_tags": ["nightly", "dvt"],
        "http_headers": {"X-Gateway": "gate-geheim"},
    }
    read(connect(server, change, statement_timeout_s=90), "pairs")
    sent = server.headers[-1]
    assert header(sent, "X-Trino-Session") == "query_max_cpu_time=1h,lake.a b=true,query_max_run_time=90s"
    assert header(sent, "X-Trino-Role") == "lake=ROLE{analyst}"
    assert header(sent, "X-Trino-Client-Tags") == "nightly,dvt"
    assert header(sent, "X-Gateway") == "gate-geheim"
    assert [header(sent, f"X-Trino-{name}") for name in ("User", "Catalog", "Schema", "Source", "Time-Zone")] == [
        *("dvt", "lake", "main", "dvt", "UTC")
    ]
    read(connect(server, {"timezone": "Europe/Berlin"}), "pairs")
    assert header(server.headers[-1], "X-Trino-Time-Zone") == "Europe/Berlin"


def test_logging_in_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tls_folder=tmp_path) as server:
        server.execute("create table t (a integer)", "insert into t values (1)")
        assert read(connect(server), "t").to_pylist() == [{"a": 1}]
        token = {"method": "jwt", "jwt_token": server.token, "password": None}
        assert read(connect(server, token), "t").to_pylist() == [{"a": 1}]
        other = {"impersonation_user": "ann"}
        assert read(connect(server, other), "t").to_pylist() == [{"a": 1}]
        assert header(server.headers[-1], "X-Trino-User") == "ann"
        for change in ({"password": "wrong-geheim"}, {"user": "nobody"}, {**token, "jwt_token": "wrong-geheim"}):
            with pytest.raises(errors.AuthenticationError) as caught:
                TrinoExtractor(connect(server, change)).ping()
            shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {connect(server, change)!r}"
            assert "wrong-geheim" not in shown
            assert server.password not in shown
        with monkeypatch.context() as environment:  # it may not take the place of what the output says
            environment.setenv("REQUESTS_CA_BUNDLE", certifi.where())
            assert read(connect(server), "t").to_pylist() == [{"a": 1}]
        with pytest.raises(errors.ConnectionFailedError, match="cert") as untrusted:
            TrinoExtractor(connect(server, {"cert": True, "retries": 1})).ping()
        assert type(untrusted.value) is errors.ConnectionFailedError
        TrinoExtractor(connect(server, {"cert": False, "suppress_cert_warning": True})).ping()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "oauth"}, "jwt"),
        ({"method": "oauth_console"}, "jwt"),
        ({"method": "magic"}, "certificate"),
        ({"method": "ldap", "password": "geheim-x"}, None),
        ({"method": "ldap"}, "password"),
        ({"method": "jwt"}, "jwt_token"),
        ({"method": "ldap", "password": "geheim-x", "http_scheme": "http"}, "in the clear"),
        ({"password": "geheim-x"}, "ldap"),
        ({"method": "certificate", "client_certificate": "no.pem", "client_private_key": "no.key"}, "no.pem"),
        ({"cert": "missing.pem"}, "missing.pem"),
        ({"timezone": "Mars/Olympus"}, "Mars"),
        ({"session_properties": "a=b"}, "mapping"),
        ({"http_headers": {"X-Trino-User": "root"}}, None),
        ({"http_scheme": "gopher"}, "gopher"),
        ({"method": "kerberos"}, "kerberos"),
    ],
)
def test_connections_that_cannot_be(server: TrinoServer, change: dict[str, Any], words: str | None) -> None:
    with pytest.raises(errors.DvtError, match=words) as caught:
        TrinoExtractor(connect(server, {**change, "retries": 1})).ping()
    if words is not None:
        assert isinstance(caught.value, errors.ConfigurationError)
    assert "geheim-x" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert server.statements() == []


def test_a_port_that_nobody_listens_on(server: TrinoServer) -> None:
    change = {"port": free_port(), "retries": 1}
    with pytest.raises(errors.ConnectionFailedError, match="host") as caught:
        TrinoExtractor(connect(server, change)).ping()
    assert caught.value.phase == "connect"
    with pytest.raises(errors.ConnectionFailedError):
        TrinoExtractor(connect(server, {"host": "no-such-host.invalid", "retries": 1})).ping()


def test_another_scan_after_the_server_was_away(server: TrinoServer) -> None:
    with TrinoExtractor(connect(server, {"retries": 1})) as extractor:
        server.behaviour.page_failures = {1: [500]}
        with pytest.raises(errors.DvtError):
            extractor.scan(ExtractionConfig(relation=Relation("pairs")))
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as rows:
            assert rows.to_table().num_rows == 2


def test_a_page_that_is_no_answer_of_trinos(server: TrinoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servers.trino._page", lambda *_: "<html>maintenance</html>")
    with pytest.raises(errors.ConnectionLostError):
        read(connect(server), "pairs")
