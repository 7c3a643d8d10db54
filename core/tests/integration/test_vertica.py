"""Reading Vertica through the vendor's driver, from a server of ours: see servers/vertica.py."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest
from servers import vertica
from servers.cut_off import cut_off
from servers.process import free_port
from servers.vertica import Canned, VerticaServer
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.vertica import SPEC
from dvt.dbt_bridge.shim.dialects import DIALECTS
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.vertica import VerticaExtractor
from dvt.federation.loaders.vertica import VerticaLoader
from dvt.identifiers import Relation, quote

vertica_python = pytest.importorskip("vertica_python")
NASTY = (
    'a"b',
    "it's",
    "dot.ted",
    " leading",
    "select",
    "per%s{x}",
    "semi;colon",
    "new\nline",
    "Ünïcode",
    "back\\slash",
    "?",
)
SLOW = "select sum(a.i * b.i) as x from range(200000) as a(i), range(200000) as b(i)"
ENDLESS = "select i, repeat('x', 200) as filler from range(100000000) as t(i)"


@pytest.fixture(scope="module")
def server() -> Iterator[VerticaServer]:
    with vertica.running() as server:
        server.sql.run(
            "create table numbers as select i::int as id, 'w' || i as word, (nullif(i, 7) / 8.0)::decimal(12,4) as part"
            ", case when i > 2500 then i::double precision end as late, null::varchar(5) as never"
            " from range(1, 3001) as t(i)"
        )
        server.sql.run("create table none (id bigint, word varchar(10))")
        yield server


def connect(server: VerticaServer, **more: Any) -> Connection:
    return Connection.from_output("vt", server.output(**more), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with VerticaExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def wait_until_idle(server: VerticaServer) -> None:
    deadline = time.monotonic() + 20
    while server.running:
        assert time.monotonic() < deadline, server.running
        time.sleep(0.02)


def test_ping_describe_and_count(server: VerticaServer) -> None:
    with VerticaExtractor(connect(server)) as extractor:
        assert extractor.ping() == "Vertica Analytic Database v12.0.0 (fake)"
        found = extractor.describe(ExtractionConfig(relation=Relation("numbers")))
        assert [(c.name, c.native_type) for c in found] == [
            ("id", "integer"),
            ("word", "varchar"),
            ("part", "numeric(12,4)"),
            ("late", "float"),
            ("never", "varchar"),
        ]
        assert extractor.get_row_count(Relation("numbers")) == 3000


def test_a_session_is_set_up(server: VerticaServer) -> None:
    server.taken()
    read(connect(server, dvt={"statement_timeout_s": 7}), "none")
    assert server.taken() == [
        "set time zone to 'UTC'",
        "set locale to 'en_US@collation=binary'",
        "set standard_conforming_strings to on",
        "set session runtimecap '7 seconds'",
        'SELECT * FROM "main"."none"',
    ]


def test_a_table_arrives_whole_in_batches(server: VerticaServer) -> None:
    with VerticaExtractor(connect(server, dvt={"batch_rows": 700})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
            assert rows.method == "cursor_streaming"
    assert [batch.num_rows for batch in batches] == [700, 700, 700, 700, 200]
    table = pa.Table.from_batches(batches)
    assert table["id"].to_pylist() == list(range(1, 3001))
    assert table["word"].to_pylist()[:2] == ["w1", "w2"]
    assert [str(value) for value in table["part"].to_pylist()[:8]] == [
        *("0.1250", "0.2500", "0.3750", "0.5000", "0.6250", "0.7500", "None", "1.0000")
    ]
    assert table["late"].to_pylist() == [None] * 2500 + [float(n) for n in range(2501, 3001)]
    assert table["never"].null_count == 3000


def test_predicates_and_limit_are_the_servers(server: VerticaServer) -> None:
    server.taken()
    predicate = (exp.column("id", quoted=True) > 10,)
    table = read(connect(server), "numbers", columns=("id",), predicates=predicate, limit=3)
    assert table.num_rows == 3
    assert server.taken()[-1] == 'SELECT "id" FROM "main"."numbers" WHERE "id" > 10 LIMIT 3'


def big(value: int, size: int = 8) -> bytes:
    return value.to_bytes(size, "big", signed=True)


def interval(months: int = 0, days: int = 0, nanos: int = 0) -> str:
    return f"MonthDayNano(months={months}, days={days}, nanoseconds={nanos})"


def timetz(micros: int, offset: int) -> bytes:
    return big((micros << 24) | (86_400 - offset))


# Every type with values at its edges: what is announced, the bytes, and what dvt is to say of them.
KINDS: dict[str, tuple[int, int, pa.DataType, list[tuple[bytes, str]]]] = {
    "b": (5, -1, pa.bool_(), [(b"\x01", "True"), (b"\0", "False")]),
    "i": (6, -1, pa.int64(), [(big(2**63 - 1), str(2**63 - 1)), (big(-(2**63) + 1), str(-(2**63) + 1))]),
    "f": (
        7,
        -1,
        pa.float64(),
        [(struct.pack("!d", 0.1 + 0.2), "0.30000000000000004"), (struct.pack("!d", float("-inf")), "-inf")],
    ),
    "n": (
        16,
        ((38 << 16) | 10) + 4,
        pa.decimal128(38, 10),
        [(big(-(10**38) + 1, 24), "-" + "9" * 28 + "." + "9" * 10), (big(1, 24), "1E-10")],
    ),
    "wide": (
        16,
        ((200 << 16) | 2) + 4,
        pa.decimal128(38, 2),
        [(big(12345, 88), "123.45"), (big(10**37, 88), "1" + "0" * 35 + ".00")],
    ),
    "c": (8, 9, pa.string(), [(b"ab   ", "ab"), (b"     ", "")]),
    "v": (9, 84, pa.string(), [("é😀\r\n ".encode(), "é😀\r\n "), (b"", "")]),
    "lv": (115, -1, pa.string(), [(b"x" * 100_000, "x" * 100_000), (b"\\N", "\\N")]),
    "d": (10, -1, pa.date32(), [(big(1_721_426), "0001-01-01"), (big(5_373_484), "9999-12-31")]),
    "t": (11, 6, pa.time64("us"), [(big(86_399_123_457), "23:59:59.123457"), (big(0), "00:00:00")]),
    "ts": (
        12,
        6,
        pa.timestamp("us"),
        [(big(-1), "1999-12-31 23:59:59.999999"), (big(252_455_615_999_999_999), "9999-12-31 23:59:59.999999")],
    ),
    "tstz": (
        13,
        6,
        pa.timestamp("us", "UTC"),
        [(big(0), "2000-01-01 00:00:00+00:00"), (big(7), "2000-01-01 00:00:00.000007+00:00")],
    ),
    "ttz": (
        15,
        6,
        pa.string(),
        [(timetz(23_400_000_001, 19_800), "12:00:00.000001+05:30"), (timetz(0, -3600), "23:00:00-01:00")],
    ),
    "u": (
        20,
        -1,
        pa.uuid(),
        [
            (bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
            (b"\xff" * 16, "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ],
    ),
    "vb": (17, 84, pa.binary(), [(bytes(range(256)), str(bytes(range(256)))), (b"", "b''")]),
    "lvb": (116, -1, pa.binary(), [(b"\0", "b'\\x00'"), (b"'", 'b"\'"')]),
    "ym": (114, -1, pa.month_day_nano_interval(), [(big(-14), interval(-14)), (big(0), interval())]),
    "ds": (
        14,
        -1,
        pa.month_day_nano_interval(),
        [(big(86_400_000_007), interval(0, 1, 7000)), (big(-1), interval(0, -1, 86_399_999_999_000))],
    ),
    "a": (1506, -1, pa.string(), [(b"[1,null,3]", "[1,null,3]"), (b"[]", "[]")]),
    "r": (300, -1, pa.string(), [(b'{"a":1}', '{"a":1}'), (b"{}", "{}")]),
}
# The driver's own reading of the same bytes, where it can be compared word by word.
SAME_WORDS = ("b", "i", "f", "n", "v", "lv", "d", "t", "ts", "u", "vb", "lvb")


def test_types_by_value(server: VerticaServer) -> None:
    fields = [(name, oid, modifier) for name, (oid, modifier, _, _) in KINDS.items()]
    rows = [[values[index][0] for *_, values in KINDS.values()] for index in (0, 1)]
    server.canned["from kinds"] = Canned(fields, [*rows, [None] * len(fields)])
    table = read(connect(server), query="select * from kinds")
    assert table.schema == pa.schema([(name, type_) for name, (_, _, type_, _) in KINDS.items()])
    first, second, third = table.to_pylist()
    for name, (*_, values) in KINDS.items():
        assert [str(first[name]), str(second[name])] == [value[1] for value in values], name
    assert set(third.values()) == {None}
    place = {"host": "127.0.0.1", "port": server.port, "user": server.user, "password": server.password}
    with vertica_python.connect(**place, database="fake", tlsmode="disable", binary_transfer=True) as session:
        cursor = session.cursor("dict")
        cursor.execute("select * from kinds")
        for ours, theirs in zip((first, second), cursor.fetchmany(2), strict=True):
            assert {name: str(theirs[name]) for name in SAME_WORDS} == {name: str(ours[name]) for name in SAME_WORDS}


@pytest.mark.parametrize(
    ("oid", "modifier", "value"),
    [
        (10, -1, big(0)),  # 4713 BC
        (11, 6, big(86_400_000_000)),  # 24:00:00
        (12, 6, big(2**63 - 1)),  # infinity
        (13, 6, big(-(2**63))),
        (9, 84, b"\xff\xfe"),  # no UTF-8
        (16, ((60 << 16) | 30) + 4, big(10**50, 32)),
        (16, ((60 << 16) | 50) + 4, big(1, 32)),
    ],
)
def test_values_that_nothing_carries_are_refused_by_name(
    server: VerticaServer, oid: int, modifier: int, value: bytes
) -> None:
    server.canned["from odd"] = Canned([("x", oid, modifier)], [[None], [value]])
    with pytest.raises(errors.DataError) as caught:
        read(connect(server), query="select x from odd")
    assert caught.value.column == "x"


def test_a_number_whose_scale_the_driver_cuts_is_refused(server: VerticaServer) -> None:
    server.canned["from scaled"] = Canned([("x", 16, ((600 << 16) | 300) + 4)], [[big(1, 256)]])
    with pytest.raises(errors.UnsupportedError, match="column x"):
        read(connect(server), query="select x from scaled")


def test_no_rows_have_a_schema(server: VerticaServer) -> None:
    table = read(connect(server), "none")
    assert table.schema == pa.schema([("id", pa.int64()), ("word", pa.string())])
    assert table.num_rows == 0


def test_identifiers_and_equal_names(server: VerticaServer) -> None:
    columns = ", ".join(f"{quote(name, 'postgres')} int" for name in NASTY)
    table = quote('od"d. %s', "postgres")
    server.sql.run(f"create table {table} ({columns})")
    server.sql.run(f"insert into {table} values ({', '.join(str(n) for n in range(len(NASTY)))})")
    found = read(connect(server), 'od"d. %s')
    assert found.to_pylist() == [{name: n for n, name in enumerate(NASTY)}]
    twice = read(connect(server), query="select 1 as a, 2 as a -- twice;")
    assert [c.to_pylist() for c in twice.columns] == [[1], [2]]


def test_an_early_end_ends_it_on_the_server(server: VerticaServer) -> None:
    with VerticaExtractor(connect(server, dvt={"batch_rows": 10})) as extractor:
        with extractor.scan(ExtractionConfig(query=ENDLESS)) as rows:
            assert rows.read_batch(10) is not None
            assert server.running
        wait_until_idle(server)
        # The extractor reads on.
        with extractor.scan(ExtractionConfig(query="select 5 as five")) as rows:
            assert rows.to_table().to_pylist() == [{"five": 5}]


def test_memory_stays_within_a_few_batches(server: VerticaServer) -> None:
    with VerticaExtractor(connect(server, dvt={"batch_rows": 1000})) as extractor:
        before, most, rows_read = pa.total_allocated_bytes(), 0, 0
        with extractor.scan(ExtractionConfig(query=ENDLESS)) as rows:
            for batch in rows.batches():
                rows_read += batch.num_rows
                most = max(most, pa.total_allocated_bytes() - before)
                if rows_read >= 50_000:
                    break
    assert most < 5 * 1000 * 300


@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"password": "wr0ng-secret"}, errors.AuthenticationError),
        ({"username": "nobody"}, errors.AuthenticationError),
        ({"host": "no-such-host.invalid"}, errors.ConnectionFailedError),
        ({"port": free_port()}, errors.ConnectionFailedError),
        ({"tlsmode": "require"}, errors.ConnectionFailedError),
        ({"tlsmode": None, "ssl": True, "ssl_uri": "https://x.invalid"}, errors.UnsupportedError),
    ],
)
def test_who_cannot_connect_is_told_why(server: VerticaServer, change: dict[str, Any], family: type[Exception]) -> None:
    connection = connect(server, retries=0, **change)
    with pytest.raises(family) as caught:
        VerticaExtractor(connection).ping()
    assert type(caught.value) is family
    for text in (str(caught.value), repr(caught.value), repr(connection), str(caught.value.__cause__)):
        assert server.password not in text
        assert "wr0ng-secret" not in text


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        ({"query": "select * from nowhere"}, errors.RelationNotFoundError),
        ({"relation": Relation("numbers", "no_schema")}, errors.RelationNotFoundError),
        ({"query": "select nothing from numbers"}, errors.RelationNotFoundError),
        ({"query": "selec 1"}, errors.QueryError),
        ({"query": "delete from numbers"}, errors.QueryError),
    ],
)
def test_errors_of_queries(server: VerticaServer, request_: dict[str, Any], family: type[Exception]) -> None:
    with VerticaExtractor(connect(server)) as extractor:
        with pytest.raises(family):
            extractor.scan(ExtractionConfig(**request_)).to_table()
        assert extractor.get_row_count(Relation("numbers")) == 3000  # an error leaves it usable


def test_an_error_on_the_way(server: VerticaServer) -> None:
    query = "select case when i = 150000 then error('boom') else i end as x from range(200000) as t(i)"
    with pytest.raises(errors.DataError, match="boom"):
        read(connect(server, dvt={"batch_rows": 500}), query=query)


def test_cancelling_from_another_thread(server: VerticaServer) -> None:
    extractor = VerticaExtractor(connect(server))
    threading.Timer(0.5, extractor.cancel).start()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query=SLOW)).to_table()
    extractor.close()
    wait_until_idle(server)


def test_a_connection_that_breaks(server: VerticaServer) -> None:
    with cut_off(server.port, 60_000, of_the_client=False) as port:
        broken = Connection.from_output("vt", {**server.output(connection_load_balance=False), "port": port}, SPEC)
        with pytest.raises(errors.ConnectionLostError):
            read(broken, query="select repeat('x', 100) as x from numbers")
    assert read(connect(server), "none").num_rows == 0


def test_what_dbt_asks_through_the_shim(server: VerticaServer) -> None:
    dialect, connection = DIALECTS["vertica"], connect(server)
    server.sql.run("create schema listed")
    server.sql.run("create table listed.numbers as select 1 as n")
    server.sql.run("create view listed.looked as select 1 as n")
    with closing(dialect.open(connection)) as session:
        cursor = session.cursor()
        assert {"main", "listed"} <= set(dialect.list_schemas(cursor))
        assert sorted(dialect.list_relations(cursor, Relation("", "listed"), connection)) == [
            ("looked", "view"),
            ("numbers", "table"),
        ]
        cursor.execute("select count(*) as n from numbers")
        assert cursor.fetchall() == [(3000,)]
        cursor.execute("BEGIN")
        cursor.execute("delete from listed.numbers")
        session.rollback()
        cursor.execute("select count(*) as n from listed.numbers")
        assert cursor.fetchall() == [(1,)]


def test_statements_of_a_landing_are_undone_together(server: VerticaServer) -> None:
    server.sql.run("create table main.undone as select 1 as n")
    with VerticaLoader(connect(server)) as loader:
        with pytest.raises(errors.RelationNotFoundError):
            loader.execute(["delete from main.undone", "insert into main.nothing values (1)"])
        assert server.sql.run("select n from main.undone").fetchmany(9) == [(1,)]
        loader.execute(["delete from main.undone"])  # it commits by itself again, and for others
    assert server.sql.run("select n from main.undone").fetchmany(9) == []
