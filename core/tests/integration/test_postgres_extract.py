"""Reading PostgreSQL: shapes, names, snapshots, early ends, memory."""

from __future__ import annotations

import hashlib
import resource
import threading
import time

import pyarrow as pa
import pytest
import sqlglot
from integration.postgres_kit import connection

from dvt.errors import (
    InterruptedRunError,
    PlanError,
    QueryError,
    RelationNotFoundError,
    TimeoutExceededError,
    UnsupportedError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.identifiers import Relation

pytestmark = pytest.mark.postgres

HELL = [
    'quo"te',
    "semi;colon--",
    "line\nbreak",
    "dot.ted",
    "100%",
    "%(x)s",
    "{{ jinja }}",
    " space ",
    "1st",
    "select",
    "Case",
    "case",
    "ü" * 31,
    "back\\slash",
    "'single'",
    "$1",
    ":bind",
    "?",
]


@pytest.fixture(scope="module")
def database(postgres_server):
    return postgres_server.create_database("extract")


@pytest.fixture
def extractor(postgres_server, database):
    with PostgresExtractor(connection(postgres_server, database)) as found:
        yield found


def table(name: str, **more) -> ExtractionConfig:
    return ExtractionConfig(relation=Relation(name, "public"), **more)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_names_from_hell(postgres_server, database, method):
    columns = ", ".join(f"{number} as {quoted(name)}" for number, name in enumerate(HELL))
    for name in HELL:
        postgres_server.psql(database, f"drop table if exists {quoted(name)}")
        postgres_server.psql(database, f"create table {quoted(name)} as select {columns}")
    with PostgresExtractor(connection(postgres_server, database, method=method)) as extractor:
        for name in HELL:
            with extractor.scan(table(name, columns=tuple(reversed(HELL)))) as stream:
                rows = list(stream)
            assert rows == [{name: number for number, name in reversed(list(enumerate(HELL)))}]


def test_1600_columns(postgres_server, database, extractor):
    columns = ", ".join(f"c{number} smallint" for number in range(1600))
    postgres_server.psql(database, f"drop table if exists wide; create table wide ({columns})")
    values = ", ".join(str(number) for number in range(1600))
    postgres_server.psql(database, f"insert into wide values ({values})")
    with extractor.scan(table("wide")) as stream:
        assert list(stream) == [{f"c{number}": number for number in range(1600)}]


def test_zero_rows_keep_the_schema(extractor):
    with extractor.extract_stream("select 1::bigint as a, 'x'::text as b where false") as stream:
        assert stream.to_table().schema == pa.schema([("a", pa.int64()), ("b", pa.string())])


def test_no_columns_is_refused(postgres_server, database, extractor):
    postgres_server.psql(database, "drop table if exists bare; create table bare ()")
    with pytest.raises(UnsupportedError, match="no columns"):
        extractor.scan(table("bare"))
    with pytest.raises(UnsupportedError, match="no columns"):
        extractor.extract_stream("select")


def test_duplicate_column_names_are_refused_by_name(extractor):
    with pytest.raises(PlanError, match="'a'"):
        extractor.extract_stream("select 1 as a, 2 as b, 3 as a")


def test_nullability_and_native_types_come_from_the_catalogue(postgres_server, database, extractor):
    postgres_server.psql(
        database,
        """drop table if exists typed cascade;
        create table typed (id int primary key, name varchar(7) not null, amount numeric(12,3));
        create view typed_view as select * from typed""",
    )
    found = [(c.name, c.nullable, c.native_type) for c in extractor.describe(table("typed"))]
    assert found == [
        ("id", False, "integer"),
        ("name", False, "character varying(7)"),
        ("amount", True, "numeric(12,3)"),
    ]
    assert [c.nullable for c in extractor.describe(table("typed_view"))] == [True, True, True]


def test_every_kind_of_relation(postgres_server, database, extractor):
    postgres_server.psql(
        database,
        """drop table if exists plain cascade; drop table if exists parts cascade;
        create table plain (a int, b int generated always as (a * 2) stored, c int generated always as identity);
        insert into plain (a) values (1);
        create view plain_view as select * from plain;
        create materialized view plain_mat as select * from plain;
        create table parts (a int, b int, c int) partition by range (a);
        create table parts_1 partition of parts for values from (0) to (10);
        insert into parts values (1, 2, 1);""",
    )
    for name in ("plain", "plain_view", "plain_mat", "parts"):
        with extractor.scan(table(name)) as stream:
            assert list(stream) == [{"a": 1, "b": 2, "c": 1}], name


def test_columns_predicates_and_limit(postgres_server, database, extractor):
    postgres_server.psql(
        database, "drop table if exists few; create table few as select i as a, -i as b from generate_series(1, 9) i"
    )
    predicate = sqlglot.parse_one('"a" > 3', read="postgres")
    with extractor.scan(table("few", columns=("b",), predicates=(predicate,), limit=2)) as stream:
        assert [set(row) for row in stream] == [{"b"}, {"b"}]
        assert stream.rows_read == 2
    with extractor.scan(table("few", predicates=(predicate,))) as stream:
        assert sum(row["a"] for row in stream) == 4 + 5 + 6 + 7 + 8 + 9


def test_a_comment_at_the_end_of_a_query(extractor):
    with extractor.extract_stream("select 1 as a -- not more") as stream:
        assert list(stream) == [{"a": 1}]


def test_batch_rows_is_the_size_of_a_batch(postgres_server, database):
    for method in ("auto", "copy", "cursor"):
        with PostgresExtractor(connection(postgres_server, database, batch_rows=30, method=method)) as extractor:
            with extractor.extract_stream("select generate_series(1, 100) as a") as stream:
                assert [batch.num_rows for batch in stream.batches()] == [30, 30, 30, 10]
                assert stream.method == ("copy_native" if method == "auto" else f"{method}_streaming")


def test_estimate_comes_from_the_statistics(postgres_server, database, extractor):
    postgres_server.psql(
        database, "drop table if exists est; create table est as select generate_series(1, 500) a; analyze est"
    )
    with extractor.scan(table("est")) as stream:
        assert stream.estimated_row_count == 500
    with extractor.scan(table("est", limit=7)) as stream:
        assert stream.estimated_row_count == 7


def test_a_source_is_only_read(postgres_server, database, extractor):
    postgres_server.psql(database, "drop table if exists kept; create table kept as select 1 as a")
    with pytest.raises(QueryError, match="read-only"):
        extractor.extract_stream("delete from kept returning a")
    assert postgres_server.psql(database, "select count(*) from kept") == "1"


def test_missing_relation_and_column_are_named_with_the_nearest(postgres_server, database, extractor):
    postgres_server.psql(database, "drop table if exists orders; create table orders (amount int)")
    with pytest.raises(RelationNotFoundError, match=r"did you mean 'public\.orders'"):
        extractor.scan(table("ordrs"))
    with pytest.raises(RelationNotFoundError, match="amout"):
        extractor.scan(table("orders", columns=("amout",)))
    with pytest.raises(RelationNotFoundError):
        extractor.describe(ExtractionConfig(relation=Relation("orders", "nowhere")))
    with extractor.scan(table("orders")) as stream:
        assert list(stream) == []


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_two_scans_see_one_snapshot_while_another_session_writes(postgres_server, database, method):
    postgres_server.psql(
        database,
        """drop table if exists snap_a, snap_b; create table snap_a as select generate_series(1, 10) a;
        create table snap_b as select 1 as b""",
    )
    with PostgresExtractor(connection(postgres_server, database, method=method)) as extractor:
        with extractor.scan(table("snap_a")) as stream:
            stream.read_batch(1)  # closed early
        postgres_server.psql(database, "insert into snap_b values (2); delete from snap_a")
        with pytest.raises(QueryError):
            extractor.extract_stream("select 1/0 as a").to_table()
        assert extractor.get_row_count(Relation("snap_b", "public")) == 1
        assert extractor.get_row_count(Relation("snap_a", "public")) == 10


def test_parallel_equals_serial_under_concurrent_updates(postgres_server, database):
    postgres_server.psql(
        database,
        """drop table if exists para; create table para as select i as id, 0 as v, repeat('x', 100) as t
        from generate_series(1, 60000) i""",
    )
    stop = threading.Event()

    def update() -> None:
        while not stop.is_set():
            postgres_server.psql(database, "update para set v = v + 1 where id % 10 = 0")

    writer = threading.Thread(target=update)
    writer.start()
    try:
        with PostgresExtractor(connection(postgres_server, database, parallel=4, batch_rows=1000)) as extractor:
            with extractor.scan(table("para")) as stream:
                parallel = stream.to_table().sort_by("id")
            with extractor.extract_stream("select * from para order by id") as stream:
                serial = stream.to_table()
    finally:
        stop.set()
        writer.join()
    assert parallel.num_rows == 60000
    assert parallel.equals(serial)


def test_parallel_really_uses_several_sessions_and_ends_them(postgres_server, database):
    postgres_server.psql(
        database,
        "drop table if exists para2; "
        "create table para2 as select i, repeat('x', 400) t from generate_series(1, 40000) i",
    )
    count = "select count(*) from pg_stat_activity where application_name = 'dvt' and datname = 'extract'"
    with PostgresExtractor(connection(postgres_server, database, parallel=3, batch_rows=100)) as extractor:
        with extractor.scan(table("para2")) as stream:
            stream.read_batch(10)
            assert postgres_server.psql(database, count) == "4"
    assert gone(postgres_server, database, count)


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_a_scan_that_is_closed_early_ends_on_the_server(postgres_server, database, method):
    running = "select count(*) from pg_stat_activity where state = 'active' and query like '%endless%'"
    running += " and pid <> pg_backend_pid()"
    with PostgresExtractor(connection(postgres_server, database, method=method, batch_rows=10)) as extractor:
        stream = extractor.extract_stream("select generate_series(1, 1000000000) as endless")
        assert stream.read_batch(10).num_rows == 10
        started = time.monotonic()
        stream.close()
        assert time.monotonic() - started < 30  # a drain of the whole would take many minutes
        assert gone(postgres_server, database, running)
        with extractor.extract_stream("select 7 as a") as again:
            assert list(again) == [{"a": 7}]
    assert gone(postgres_server, database, "select count(*) from pg_stat_activity where application_name = 'dvt'")


@pytest.mark.parametrize("method", ["auto", "copy", "cursor"])
def test_cancel_from_another_thread(postgres_server, database, method):
    extractor = PostgresExtractor(connection(postgres_server, database, method=method))
    timer = threading.Timer(0.5, extractor.cancel)
    timer.start()
    with pytest.raises(InterruptedRunError):
        extractor.extract_stream("select pg_sleep(300) is null as slept").to_table()
    timer.join()
    extractor.close()
    sleeping = "select count(*) from pg_stat_activity where query like '%pg_sleep(300)%' and state = 'active'"
    assert gone(postgres_server, database, sleeping + " and pid <> pg_backend_pid()")


def test_statement_timeout(postgres_server, database):
    with PostgresExtractor(connection(postgres_server, database, statement_timeout_s=1)) as extractor:
        with pytest.raises(TimeoutExceededError, match="statement_timeout_s"):
            extractor.extract_stream("select pg_sleep(60) is null as slept").to_table()


def test_memory_stays_bounded(postgres_server, database):
    """400 MB of rows, of which no more than a few batches may be held."""
    before = rss_bytes()
    query = "select repeat('x', 1000) as t, generate_series(1, 400000) as i"
    peak = 0
    with PostgresExtractor(connection(postgres_server, database)) as extractor:
        with extractor.extract_stream(query) as stream:
            for batch in stream.batches():
                assert batch.nbytes < 40 * 1024 * 1024
                peak = max(peak, rss_bytes())
            assert stream.rows_read == 400_000
    assert peak - before < 200 * 1024 * 1024


def rss_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def gone(server, database, count) -> bool:
    for _ in range(100):
        if server.psql(database, count) == "0":
            return True
        time.sleep(0.1)
    return False


def test_a_value_of_a_hundred_megabytes(postgres_server, database, extractor):
    query = "select repeat('ab', 50000000) as v, 1 as k"
    with extractor.extract_stream(query) as stream:
        value = stream.to_table()["v"][0].as_py()
    assert len(value) == 100_000_000
    assert value == "ab" * 50_000_000


def test_same_place_whatever_the_name_of_the_host(postgres_server, database):
    first = connection(postgres_server, database)
    output = postgres_server.output(database) | {"host": "LOCALHOST", "schema": "other"}
    from dvt.federation.registry import open_connection

    assert open_connection("other", output).place == first.place
    assert open_connection("other", output | {"dbname": "else"}).place != first.place


def test_a_large_table_and_wide_rows_come_in_whole_blocks(postgres_server, database, extractor):
    """A table from which libpq reads more at a time, and rows of which a hundred are more than a block."""
    postgres_server.psql(
        database,
        "create table many_blocks as select i, repeat('x', 900) || i as note from generate_series(1, 10000) i;"
        "create table wide_rows as select i, repeat('x', (i % 3) * 600000) || i as note from generate_series(1, 90) i;",
    )
    for name, blocks_at_most in (("many_blocks", 4000), ("wide_rows", 40)):
        with extractor.scan(table(name, batch_size=4000)) as stream:
            batches = list(stream.batches())
        assert max(batch.num_rows for batch in batches) <= blocks_at_most
        found = pa.Table.from_batches(batches).sort_by("i")
        figures = postgres_server.psql(
            database, f"select count(*), md5(string_agg(note, ',' order by i)) from {name}"
        ).split("|")
        notes = ",".join(found["note"].to_pylist())
        assert [str(found.num_rows), hashlib.md5(notes.encode()).hexdigest()] == figures
