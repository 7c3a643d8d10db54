"""Reading Exasol (a fake) through its driver: types, shapes, early ends, tunnels that break, errors, logins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
from integration.cancelling import cancels_when
from servers.exasol import ExasolServer, running
from servers.process import free_port
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.exasol import SPEC
from dvt.federation.extractors.base import ExtractionConfig, Ordering, TableStatistics
from dvt.federation.extractors.exasol import ExasolExtractor
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation, quote
from dvt.types.vocabulary import INTERVAL, MICROS, MICROS_UTC

pytest.importorskip("pyexasol")

SLOW = "select sum(a.i * b.i) as x from range(200000) as a(i), range(200000) as b(i)"
MANY = 'select cast(i as decimal(18,0)) as "id", cast(\'w\' || i as varchar(20)) as "word" from range(300000) as r(i)'
NASTY = (
    *('a"b', "a`b", "a\\b", "it's", "dot.ted", " leading", "select", "per%s{x}", "semi;colon", "?", "new\nline"),
    *("Ünïcode", "a -- b", "/* c */", "x" * 100, "x'); drop table numbers; --", "{x!r}"),
)


def connect(server: ExasolServer, change: dict[str, Any] | None = None, **options: Any) -> Connection:
    return Connection.from_output("exa", {**server.output(dvt=options), **(change or {})}, SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with ExasolExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


@pytest.fixture
def server() -> Iterator[ExasolServer]:
    with running() as found:
        found.execute(
            'create table "numbers" ("id" decimal(18,0), "word" varchar(100), "f" double)',
            "insert into \"numbers\" select i, 'w' || i, i / 8.0 from range(1, 2501) as r(i)",
            'create table "nothing" ("id" decimal(18,0), "word" varchar(10))',
            'create view "pairs" as select "id", "word" from "numbers" where "id" <= 2',
        )
        yield found


def column(name: str) -> exp.Column:
    return exp.column(name, quoted=True)


def _moment(value: Any) -> str:
    return f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}"


def _interval(value: Any) -> str:
    return f"{value.months} {value.days} {value.nanoseconds}"


# Type, what is inserted and the text that it has to have here, what carries it.
CASES: tuple[tuple[str, dict[str, str], pa.DataType, Callable[[Any], str]], ...] = (
    ("boolean", {"true": "True", "false": "False"}, pa.bool_(), str),
    ("decimal(18,0)", {n: n for n in ("-999999999999999999", "9007199254740993")}, pa.decimal128(18, 0), str),
    ("decimal(36,36)", {f"'0.{'123456789' * 4}'": f"0.{'123456789' * 4}"}, pa.decimal128(36, 36), str),
    ("decimal(10,2)", {"-12345678.9": "-12345678.90"}, pa.decimal128(10, 2), str),
    ("double", {n: n for n in ("0.1", "5e-324", "1.7976931348623157e+308")}, pa.float64(), str),
    (
        "varchar(100)",
        {f"'{text}'": text.replace("''", "'") for text in (" a ", "it''s", 'q"u,o', "ä🙂\\", "NULL", '""', '"', ",")}
        | {"'a' || chr(13) || 'b'": "a\rb", "'a' || chr(13) || chr(10)": "a\r\n", "chr(10)": "\n", "chr(9)": "\t"},
        pa.string(),
        str,
    ),
    ("char(5)", {"'ab'": "ab", "' a'": " a"}, pa.string(), str),
    ("date", {f"date '{d}'": d for d in ("0001-01-01", "1582-10-15", "9999-12-31")}, pa.date32(), str),
    (
        "timestamp",
        {f"timestamp '{m}'": m for m in ("0001-01-01 00:00:00.000000", "2024-03-31 02:30:00.123456")},
        MICROS,
        _moment,
    ),
    ("timestamp(9)", {"'2024-03-31 02:30:00.123456000'": "2024-03-31 02:30:00.123456"}, MICROS, _moment),
    (
        "timestamp with local time zone",
        {f"timestamp '2024-10-27 0{h}:30:00'": f"2024-10-27 0{h}:30:00.000000" for h in (0, 1, 2)},
        MICROS_UTC,
        _moment,
    ),
    ("interval year to month", {"'-01-02'": "-14 0 0", "'+00-11'": "11 0 0"}, INTERVAL, _interval),
    (
        "interval day to second",
        {"'+000000001 02:03:04.005'": "0 1 7384005000000", "'-00 00:00:00.000000001'": "0 0 -1"},
        INTERVAL,
        _interval,
    ),
    ("geometry", {"'POINT (1 2)'": "POINT (1 2)"}, pa.string(), str),
)  # fmt: skip


@pytest.mark.parametrize("null", ["", '""'])
@pytest.mark.parametrize(("native", "values", "carried", "here"), CASES, ids=[case[0] for case in CASES])
def test_every_value_arrives_unchanged(
    server: ExasolServer, null: str, native: str, values: dict[str, str], carried: Any, here: Callable[[Any], str]
) -> None:
    server.behaviour.null = null
    server.execute(f'create table "t" ("n" decimal(9,0), "v" {native}, "last" varchar(9))')
    for number, value in enumerate((*values, "null")):
        server.execute(f'insert into "t" select {number}, {value}, null')
    for table in (read(connect(server), "t"), read(connect(server), query='select "n", "v" from "t" order by "n"')):
        found = table["v"].to_pylist()
        assert table.schema.field("v").type == carried
        assert [*(here(value) for value in found[:-1]), found[-1]] == [*values.values(), None]


def test_empty_texts_are_null_as_they_are_there(server: ExasolServer) -> None:
    server.execute('create table "t" ("v" varchar(9))', "insert into \"t\" values (''), ('x')")
    assert read(connect(server), "t")["v"].to_pylist() == [None, "x"]


@pytest.mark.parametrize(
    ("native", "value", "words"),
    [
        ("timestamp(9)", "'2024-01-01 00:00:00.000000001'", "more digits"),
        ("interval day to second", "'soon'", "interval"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_column(server: ExasolServer, native: str, value: str, words: str) -> None:
    server.execute(f'create table "t" ("n" decimal(9,0), "v" {native})', f'insert into "t" select 1, {value}')
    with pytest.raises(errors.DataError, match=words) as caught:
        read(connect(server), "t")
    assert (caught.value.column, caught.value.connection, caught.value.relation) == ("v", "exa", "t")


def test_ping_count_and_statistics(server: ExasolServer) -> None:
    with ExasolExtractor(connect(server)) as extractor:
        assert extractor.ping() == "Exasol 8.32.0"
        assert extractor.get_row_count(Relation("numbers")) == 2500
        assert extractor.statistics(ExtractionConfig(relation=Relation("numbers"))) == TableStatistics(2500, None)
        assert extractor.statistics(ExtractionConfig(relation=Relation("missing"))) is None
        assert extractor.statistics(ExtractionConfig(query="select 1")) is None
    assert server.sessions == 0


def test_columns_predicates_and_limit(server: ExasolServer) -> None:
    request = {"columns": ("f", "id"), "predicates": (column("id") > 990,), "order": (Ordering("id"),), "limit": 3}
    table = read(connect(server), "numbers", **request)
    assert table.to_pylist() == [{"f": n / 8, "id": Decimal(n)} for n in (991, 992, 993)]
    assert 'SELECT "f", "id" FROM "main"."numbers" WHERE "id" > 990 ORDER BY "id" LIMIT 3' in server.exports[
        -1
    ].replace(" ASC", "")


def test_a_constant_that_would_become_a_double_is_not_sent(server: ExasolServer) -> None:
    long = sqlglot.parse_one('"id" <= 0.99999999999999999999999999', read="exasol")
    with pytest.raises(errors.UnsupportedError, match="exactly"):
        read(connect(server), "numbers", predicates=(long,))


def test_a_query_is_sent_as_it_is_written(server: ExasolServer) -> None:
    query = 'select\n"id",\n"word"\nfrom\n"numbers" -- and that is it'
    assert read(connect(server), query=query + ";").num_rows == 2500
    assert query in server.exports[-1]
    some = read(connect(server), query=query, columns=("word",), predicates=(column("id").eq(7),))
    assert some.to_pylist() == [{"word": "w7"}]
    one_word = 'select\n1\nas\n"one"'  # what the driver would take for a table's name
    assert read(connect(server), query=one_word)["one"].to_pylist() == [Decimal(1)]


def test_batches_are_of_the_asked_size_and_in_order(server: ExasolServer) -> None:
    with ExasolExtractor(connect(server, batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
    assert [batch.num_rows for batch in batches] == [300] * 8 + [100]
    assert [n for batch in batches for n in batch.column(0).to_pylist()] == list(range(1, 2501))


def test_memory_stays_within_a_few_blocks(server: ExasolServer) -> None:
    query = 'select i as "i", cast(repeat(\'x\', 500) as varchar(500)) as "filler" from range(200000) as r(i)'
    with ExasolExtractor(connect(server, batch_rows=1000)) as extractor:
        before, most, count = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(query=query)) as rows:
            for batch in rows.batches():
                count += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
    assert count == 200_000
    assert most < 40 << 20  # the result has 100 MB


def test_a_value_of_two_million_characters(server: ExasolServer) -> None:
    query = 'select cast(1 as decimal(9,0)) as "a", repeat(\'ab\', 1000000) as "t"'
    table = read(connect(server), query=query)
    assert [len(table["t"][0].as_py()), table["a"][0].as_py()] == [2_000_000, 1]


def test_no_rows_and_nulls_only_keep_the_schema(server: ExasolServer) -> None:
    table = read(connect(server), "nothing")
    assert (table.schema.types, table.num_rows) == ([pa.decimal128(18, 0), pa.string()], 0)
    server.execute('insert into "nothing" values (null, null), (null, null)')
    for null in ("", '""'):
        server.behaviour.null = null
        assert read(connect(server), "nothing").to_pylist() == [{"id": None, "word": None}] * 2
        assert read(connect(server), "nothing", columns=("word",)).to_pylist() == [{"word": None}] * 2


def test_describe_says_what_scan_gives(server: ExasolServer) -> None:
    with ExasolExtractor(connect(server)) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("pairs", "main"), columns=("word",)),
            ExtractionConfig(query='with x as (select 1 as "a") select "a", "a" + 1 as "b" from x;', columns=("b",)),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert list(rows.to_table().to_pylist()[0]) == [c.name for c in described]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(server: ExasolServer, name: str) -> None:
    table, odd = quote(name, "exasol"), quote(name + "_c", "exasol")
    server.execute(f"create table {table} ({odd} decimal(9,0))", f"insert into {table} values (5), (6)")
    found = read(connect(server), name, predicates=(column(name + "_c") > 5,))
    assert found.to_pylist() == [{name + "_c": 6}]
    assert read(connect(server), "numbers").num_rows == 2500


@pytest.mark.parametrize("text", ["it's", "\\", "a\nb", "{x}", "' or 1 = 1 --", "%", "ä🙂", "x)) INTO CSV"])
def test_values_of_predicates_are_no_sql(server: ExasolServer, text: str) -> None:
    server.execute('create table "texts" ("t" varchar(100))', "insert into \"texts\" values ('other')")
    server.engine.run('insert into "texts" values (\'' + text.replace("'", "''") + "')")
    table = read(connect(server), "texts", predicates=(column("t").eq(text),))
    assert table.to_pylist() == [{"t": text}]


def drain(rows: RowStream) -> None:
    for _ in rows.batches():
        time.sleep(0.02)


def test_an_early_end_leaves_nothing_open(server: ExasolServer, capfd: pytest.CaptureFixture[str]) -> None:
    with ExasolExtractor(connect(server)) as extractor:
        rows = extractor.scan(ExtractionConfig(query=MANY))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        assert server.running == []
        assert len(server.aborted) == 1
        extractor.scan(ExtractionConfig(query=MANY)).close()  # never read
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert more.to_table()["id"].to_pylist() == [1, 2]
    assert server.running == []
    assert capfd.readouterr().err == ""


def test_closing_the_extractor_ends_the_export(server: ExasolServer) -> None:
    extractor = ExasolExtractor(connect(server))
    extractor.scan(ExtractionConfig(query=MANY)).read_batch(1)
    extractor.close()
    assert (server.running, server.sessions) == ([], 0)


def test_a_program_that_ends_in_the_middle_ends(server: ExasolServer) -> None:
    program = """
import json, sys
from dvt.connections.connection import Connection
from dvt.connections.exasol import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.exasol import ExasolExtractor
output, query = json.loads(sys.argv[1])
rows = ExasolExtractor(Connection.from_output("exa", output, SPEC)).scan(ExtractionConfig(query=query))
print(rows.read_batch(10).num_rows, flush=True)
"""
    arguments = [sys.executable, "-c", program, json.dumps([server.output(), MANY])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("10\n", 0)
    until_idle(server)


def until_idle(server: ExasolServer) -> None:
    deadline = time.monotonic() + 20
    while server.running or server.sessions:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_cancel_ends_a_running_scan(server: ExasolServer) -> None:
    server.behaviour.chunk_delay_s = 0.1
    extractor = ExasolExtractor(connect(server))
    timer = threading.Timer(0.5, extractor.cancel)
    with extractor.scan(ExtractionConfig(query=MANY)) as rows:
        timer.start()
        with pytest.raises(errors.InterruptedRunError):
            drain(rows)
    timer.join()
    assert server.running == []
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def test_cancel_while_the_server_works_out_the_first_row(server: ExasolServer) -> None:
    extractor = ExasolExtractor(connect(server))
    ending = cancels_when(extractor, lambda: any(SLOW in sql for sql in server.exports))
    with pytest.raises(errors.InterruptedRunError), extractor.scan(ExtractionConfig(query=SLOW)) as rows:
        drain(rows)
    ending.join()
    extractor.close()
    assert [sql for sql in server.aborted if "range(200000)" in sql]


def test_an_error_on_the_way_is_no_end(server: ExasolServer) -> None:
    server.behaviour.breaks_after = (1000, "data exception - numeric value out of range")
    with ExasolExtractor(connect(server)) as extractor:
        rows = extractor.scan(ExtractionConfig(relation=Relation("numbers")))
        with pytest.raises(errors.DataError, match="out of range") as caught:
            rows.to_table()
        assert (caught.value.connection, caught.value.relation, caught.value.phase) == ("exa", "numbers", "extract")
        server.behaviour.breaks_after = None
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as more:
            assert more.to_table().num_rows == 2500


def test_a_tunnel_that_is_cut_is_no_end(server: ExasolServer) -> None:
    server.behaviour.cuts_after = 1000
    with pytest.raises(errors.ConnectionLostError, match="rows came"):
        read(connect(server), "numbers")


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError),
        (ExtractionConfig(query="selec 1"), errors.QueryError),
        (ExtractionConfig(query='select 1 as "a", 2 as "a"'), errors.QueryError),
    ],
)
def test_what_cannot_be_read(server: ExasolServer, request_: ExtractionConfig, family: type[errors.DvtError]) -> None:
    with ExasolExtractor(connect(server)) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert caught.value.connection == "exa"
        assert extractor.get_row_count(Relation("numbers")) == 2500


@pytest.mark.parametrize("change", [{"password": "wrong-geheim"}, {"user": "nobody"}])
def test_bad_credentials_tell_no_secret(server: ExasolServer, change: dict[str, str]) -> None:
    connection = connect(server, change)
    with pytest.raises(errors.AuthenticationError) as caught:
        ExasolExtractor(connection).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caught.value.__cause__!r} {connection!r}"
    assert "wrong-geheim" not in shown
    assert server.password not in shown


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"dsn": f"127.0.0.1:{free_port()}", "retries": 0}, errors.ConnectionFailedError),
        ({"dsn": "no-such-host.invalid:8563", "retries": 0}, errors.ConnectionFailedError),
        ({"encryption": True, "retries": 0, "connection_timeout": 2}, errors.ConnectionFailedError),
        ({"user": None, "access_token": "geheim-x"}, errors.ConfigurationError),
        ({"protocol_version": "v9"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(
    server: ExasolServer, change: dict[str, Any], family: type[errors.DvtError]
) -> None:
    with pytest.raises(family) as caught:
        ExasolExtractor(connect(server, change)).ping()
    assert "geheim-x" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


def test_the_driver_reports_nothing_to_its_vendor(server: ExasolServer) -> None:
    config = pytest.importorskip("exasol.telemetry.client.config")  # from 3.0 on
    assert read(connect(server), "pairs").num_rows == 2
    assert os.environ[config.ENV_DISABLE]
    assert not config.was_enabled()
    assert not [thread.name for thread in threading.enumerate() if "telemetry" in thread.name.lower()]


def test_a_session_that_broke_is_opened_again(server: ExasolServer) -> None:
    with ExasolExtractor(connect(server)) as extractor:
        extractor.ping()
        assert extractor._session is not None
        extractor._session._ws.sock.close()
        with pytest.raises(errors.ConnectionLostError):
            extractor.describe(ExtractionConfig(relation=Relation("pairs")))
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as rows:
            assert rows.to_table().num_rows == 2
