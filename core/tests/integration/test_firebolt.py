"""Reading Firebolt through the vendor's client, from a server of ours: see servers/firebolt.py."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from servers import firebolt
from servers.cut_off import cut_off
from servers.firebolt import Canned, FireboltServer
from servers.process import free_port
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.firebolt import SPEC, _parameters
from dvt.dbt_bridge.shim.dialects import DIALECTS
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.extractors.firebolt import FireboltExtractor
from dvt.identifiers import Relation, quote

pytest.importorskip("firebolt.db")
NASTY = (
    *('a"b', "it's", "dot.ted", " leading", "select", "per%s{x}", "semi;colon", "new\nline", "Ünïcode", "back\\slash"),
    *("?", "line\u2028end", "next\x85"),
)
SLOW = "select sum(a.i * b.i) as x from range(200000) as a(i), range(200000) as b(i)"
ENDLESS = "select i, repeat('x', 200) as filler from range(100000000) as t(i)"


@pytest.fixture(scope="module")
def server() -> Iterator[FireboltServer]:
    with firebolt.running() as server:
        server.sql.run(
            "create table numbers as select i::int as id, 'w' || i as word, (nullif(i, 7) / 8.0)::decimal(12,4) as part"
            ", case when i > 2500 then i::double precision end as late, null::varchar(5) as never"
            " from range(1, 3001) as t(i)"
        )
        server.sql.run("create table none (id bigint, word text)")
        yield server


def connect(server: FireboltServer, **more: Any) -> Connection:
    return Connection.from_output("fb", server.output(**more), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with FireboltExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def wait_until_idle(server: FireboltServer) -> None:
    deadline = time.monotonic() + 20
    while server.running:
        assert time.monotonic() < deadline, server.running
        time.sleep(0.02)


def test_ping_describe_and_count(server: FireboltServer) -> None:
    with FireboltExtractor(connect(server)) as extractor:
        assert extractor.ping() == "Firebolt 4.99.0 (fake)"
        found = extractor.describe(ExtractionConfig(relation=Relation("numbers")))
        assert [(c.name, c.native_type) for c in found] == [
            ("id", "int"),
            ("word", "text"),
            ("part", "numeric(12, 4)"),
            ("late", "double"),
            ("never", "text"),
        ]
        assert extractor.get_row_count(Relation("numbers")) == 3000


def test_a_statement_carries_its_settings(server: FireboltServer) -> None:
    server.taken()
    read(connect(server, dvt={"statement_timeout_s": 7}), "none")
    server.requests.clear()
    with FireboltExtractor(connect(server, dvt={"statement_timeout_s": 7})) as extractor:
        extractor.scan(ExtractionConfig(relation=Relation("none"))).to_table()
    sql, parameters = server.requests[-1]
    assert sql == 'SELECT * FROM "main"."none"'
    assert parameters.pop("query_label").startswith("dvt-")
    assert parameters == {
        "output_format": "JSONLines_Compact",
        "time_zone": "UTC",
        "statement_timeout": "7000",
        "database": "shop",
    }


def test_a_table_arrives_whole_in_batches(server: FireboltServer) -> None:
    with FireboltExtractor(connect(server, dvt={"batch_rows": 700})) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            batches = list(rows.batches())
    assert [batch.num_rows for batch in batches] == [700, 700, 700, 700, 200]
    table = pa.Table.from_batches(batches)
    assert table["id"].to_pylist() == list(range(1, 3001))
    assert [str(value) for value in table["part"].to_pylist()[5:8]] == ["0.7500", "None", "1.0000"]
    assert table["late"].to_pylist() == [None] * 2500 + [float(n) for n in range(2501, 3001)]
    assert table["never"].null_count == 3000


def test_predicates_order_and_limit_are_the_servers(server: FireboltServer) -> None:
    server.taken()
    predicate = (exp.column("id", quoted=True) > 10,)
    table = read(
        connect(server), "numbers", columns=("id",), predicates=predicate, order=(Ordering("id", True, True),), limit=2
    )
    assert table["id"].to_pylist() == [3000, 2999]
    wanted = 'SELECT "id" FROM "main"."numbers" WHERE "id" > 10 ORDER BY "id" DESC LIMIT 2'
    assert server.taken()[-1].replace(" NULLS FIRST", "") == wanted


UTC = dt.timezone.utc
# The type as the server says it, a value as its JSON has it, what carries it, and what dvt is to say.
KINDS: list[tuple[str, str, pa.DataType, Any]] = [
    ("int", "-2147483648", pa.int32(), -(2**31)),
    ("long null", '"9223372036854775807"', pa.int64(), 2**63 - 1),
    ("bigint", "9007199254740993", pa.int64(), 2**53 + 1),
    ("real", "1.1", pa.float32(), pa.scalar(1.1, pa.float32()).as_py()),
    ("double", "0.30000000000000004", pa.float64(), 0.1 + 0.2),
    ("double precision", '"-inf"', pa.float64(), float("-inf")),
    ("float", "1e308", pa.float64(), 1e308),
    (
        "numeric(38, 9) null",
        '"12345678901234567890123456789.123456789"',
        pa.decimal128(38, 9),
        Decimal("12345678901234567890123456789.123456789"),
    ),
    ("Decimal(5, 2)", "1.10", pa.decimal128(5, 2), Decimal("1.10")),
    ("Decimal(5, 0)", "7", pa.decimal128(5, 0), Decimal(7)),
    ("text", '"é😀\\r\\n\\u0000 "', pa.string(), "é😀\r\n\0 "),
    ("text null", '"a\u2028b\x85c"', pa.string(), "a\u2028b\x85c"),
    ("date", '"0001-01-01"', pa.date32(), dt.date(1, 1, 1)),
    ("pgdate", '"9999-12-31"', pa.date32(), dt.date(9999, 12, 31)),
    ("timestampntz", '"1066-10-14 01:02:03.000007"', pa.timestamp("us"), dt.datetime(1066, 10, 14, 1, 2, 3, 7)),
    (
        "timestamptz",
        '"2020-03-29 00:30:00.999999+00"',
        pa.timestamp("us", "UTC"),
        dt.datetime(2020, 3, 29, 0, 30, 0, 999999, UTC),
    ),
    ("boolean", "true", pa.bool_(), True),
    ("bytea", '"\\\\x00ff5c"', pa.binary(), b"\x00\xff\\"),
    ("geography", '"0101000020E6100000"', pa.string(), "0101000020E6100000"),
    ("array(int null) null", "[1, null, 3]", pa.list_(pa.int32()), [1, None, 3]),
    ("array(array(double))", '[[0.1, "nan"], []]', pa.list_(pa.list_(pa.float64())), None),
    (
        "struct(`a b` text, n numeric(5, 2) null)",
        '{"a b": "x", "n": 1.50}',
        pa.struct([("a b", pa.string()), ("n", pa.decimal128(5, 2))]),
        {"a b": "x", "n": Decimal("1.50")},
    ),
    ("Nothing", "null", pa.string(), None),
    ("a type to come", '"its text"', pa.string(), "its text"),
]


def test_types_by_value(server: FireboltServer) -> None:
    columns = [(f"c{at}", type_) for at, (type_, *_) in enumerate(KINDS)]
    rows = [", ".join(["null"] * len(KINDS)), ", ".join(text for _, text, *_ in KINDS)]
    server.canned["from kinds"] = Canned(columns, rows)
    table = read(connect(server), query="select * from kinds")
    assert table.schema.types == [type_ for _, _, type_, _ in KINDS]
    first, second = table.to_pylist()
    assert set(first.values()) == {None}
    for at, (type_, _, _, value) in enumerate(KINDS):
        if type_ == "array(array(double))":
            assert str(second[f"c{at}"]) == "[[0.1, nan], []]"
        else:
            assert second[f"c{at}"] == value, type_


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("int", "2147483648"),
        ("int", "1.5"),
        ("int", "true"),
        ("numeric(5, 2)", "1.505"),
        ("numeric(5, 2)", '"nan"'),
        ("date", '"0044-03-15 BC"'),
        ("timestampntz", '"infinity"'),
        ("text", "[1]"),
        ("bytea", '"00"'),
        ("double", '"fast"'),
        ("boolean", '"yes"'),
        ("struct(a int)", '{"b": 1}'),
        ("array(int)", '["x"]'),
    ],
)
def test_values_that_are_not_carried_are_refused_by_name(server: FireboltServer, type_: str, text: str) -> None:
    server.canned["from odd"] = Canned([("x", type_)], ["null", text])
    with pytest.raises(errors.DataError) as caught:
        read(connect(server), query="select x from odd")
    assert caught.value.column == "x"


def test_no_rows_have_a_schema(server: FireboltServer) -> None:
    table = read(connect(server), "none")
    assert table.schema == pa.schema([("id", pa.int64()), ("word", pa.string())])
    assert table.num_rows == 0


def test_identifiers_and_equal_names(server: FireboltServer) -> None:
    columns = ", ".join(f"{quote(name, 'postgres')} int" for name in NASTY)
    table = quote('od"d. %s', "postgres")
    server.sql.run(f"create table {table} ({columns})")
    server.sql.run(f"insert into {table} values ({', '.join(str(n) for n in range(len(NASTY)))})")
    found = read(connect(server), 'od"d. %s')
    assert found.to_pylist() == [{name: n for n, name in enumerate(NASTY)}]
    twice = read(connect(server), query="select 1 as a, 2 as a -- twice;")
    assert [c.to_pylist() for c in twice.columns] == [[1], [2]]


def test_an_early_end_ends_it_on_the_server(server: FireboltServer) -> None:
    with FireboltExtractor(connect(server, dvt={"batch_rows": 10})) as extractor:
        server.cancelled.clear()
        with extractor.scan(ExtractionConfig(query=ENDLESS)) as rows:
            assert rows.read_batch(10) is not None
            assert len(server.running) == 1
            query_id = next(iter(server.running))
        assert server.cancelled == {query_id}
        wait_until_idle(server)
        # The session reads on.
        with extractor.scan(ExtractionConfig(query="select 5 as five")) as rows:
            assert rows.to_table().to_pylist() == [{"five": 5}]


def test_memory_stays_within_a_few_batches(server: FireboltServer) -> None:
    with FireboltExtractor(connect(server, dvt={"batch_rows": 1000})) as extractor:
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
        ({"url": "http://no-such-host.invalid:3473"}, errors.ConnectionFailedError),
        ({"url": f"http://127.0.0.1:{free_port()}"}, errors.ConnectionFailedError),
        ({"url": "nonsense"}, errors.ConfigurationError),
        ({"url": None, "user": "u", "password": "p4ssw0rd!"}, errors.UnsupportedError),
        ({"url": None, "client_id": "i", "client_secret": "s3cret-value"}, errors.ConfigurationError),
    ],
)
def test_who_cannot_connect_is_told_why(
    server: FireboltServer, change: dict[str, Any], family: type[Exception]
) -> None:
    connection = connect(server, retries=0, **change)
    with pytest.raises(family) as caught:
        FireboltExtractor(connection).ping()
    assert type(caught.value) is family
    for text in (str(caught.value), repr(caught.value), repr(connection), str(caught.value.__cause__)):
        assert "s3cret-value" not in text
        assert "p4ssw0rd!" not in text


def test_a_service_accounts_login() -> None:
    output = {
        "client_id": "id",
        "client_secret": "s3cret-value",
        "account_name": "acme",
        "engine_name": "e",
        "database": "d",
        "api_endpoint": "api.staging.firebolt.io",
    }
    parameters = _parameters(Connection.from_output("fb", output, SPEC))
    auth = parameters.pop("auth")
    assert (auth.client_id, auth.client_secret) == ("id", "s3cret-value")
    assert parameters == {
        "account_name": "acme",
        "engine_name": "e",
        "database": "d",
        "api_endpoint": "api.staging.firebolt.io",
        "disable_cache": True,
    }


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
def test_errors_of_queries(server: FireboltServer, request_: dict[str, Any], family: type[Exception]) -> None:
    with FireboltExtractor(connect(server)) as extractor:
        with pytest.raises(family):
            extractor.scan(ExtractionConfig(**request_)).to_table()
        assert extractor.get_row_count(Relation("numbers")) == 3000  # an error leaves it usable


def test_an_error_on_the_way(server: FireboltServer) -> None:
    query = "select case when i = 150000 then error('boom') else i end as x from range(200000) as t(i)"
    with pytest.raises(errors.DataError, match="boom"):
        read(connect(server, dvt={"batch_rows": 500}), query=query)


def test_a_result_without_its_last_line_is_none(server: FireboltServer) -> None:
    server.canned["from cut"] = Canned([("x", "int")], ["1", "2"], is_cut=True)
    with pytest.raises(errors.ConnectionLostError):
        read(connect(server), query="select x from cut")


def test_a_connection_that_breaks(server: FireboltServer) -> None:
    with cut_off(server.port, 60_000, of_the_client=False) as port:
        broken = Connection.from_output("fb", {**server.output(), "url": f"http://127.0.0.1:{port}"}, SPEC)
        with pytest.raises(errors.ConnectionLostError):
            read(broken, query="select repeat('x', 100) as x from numbers")
    assert read(connect(server), "none").num_rows == 0


def test_cancelling_from_another_thread(server: FireboltServer) -> None:
    extractor = FireboltExtractor(connect(server))
    threading.Timer(0.5, extractor.cancel).start()
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(query=SLOW)).to_table()
    extractor.close()
    wait_until_idle(server)


def test_what_dbt_asks_through_the_shim(server: FireboltServer) -> None:
    dialect, connection = DIALECTS["firebolt"], connect(server)
    server.sql.run("create view looked as select 1 as one")
    with closing(dialect.open(connection)) as session:
        cursor = session.cursor()
        assert "main" in dialect.list_schemas(cursor)
        found = dict(dialect.list_relations(cursor, Relation("", None), connection))
        assert (found["numbers"], found["looked"]) == ("table", "view")
        cursor.execute("select count(*) as n from numbers")
        assert cursor.fetchall() == [(3000,)]
