"""PostgreSQL in parts by key: each row once while keys move, one snapshot, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from integration.parts_kit import (
    Side,
    ends_all_when_one_fails,
    holds_every_row_once,
    is_cancelled,
    is_read_whole,
    stops_early,
    writing,
)
from integration.postgres_kit import connection
from servers.postgres import PostgresServer

from dvt.errors import DvtError
from dvt.federation.engines.base import Handle
from dvt.federation.extractors import postgres_parallel
from dvt.federation.extractors.base import Split
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.plan.model import Input
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.session import RunSession
from dvt.identifiers import Relation

pytestmark = pytest.mark.postgres

ROWS = 30_000
MADE = f"""
create table moved (id bigint primary key, v int);
insert into moved select n * 7, n from generate_series(1, {ROWS}) n;
create table parts (id int, v text, primary key (id)) partition by range (id);
create table parts_1 partition of parts for values from (0) to (9000);
create table parts_2 partition of parts for values from (9000) to (1000000);
insert into parts select n, repeat('x', 300) from generate_series(1, 20000) n;
create table skewed as
  select case when n % 10 = 0 then null when n % 10 < 8 then 5 else n end as k, n as v from generate_series(1, 5000) n;
create table doubles as select v::float8 as k, v from skewed;
insert into doubles values ('nan', 1), ('inf', 2), (null, 3);
create view plain as select s.k, s.v, p.v as w from skewed s left join parts p on p.id = s.v where s.v > 10;
create view above as select k, v from plain;
create view shaky as select k, v, random() as r from skewed;
create view over_shaky as select k, v from shaky;
create view numbered as select row_number() over () as k, v from skewed;
create table endless as select case when n < 3000 then '2024-01-01'::date else 'infinity' end as k
  from generate_series(1, 4000) n;
create table one_key as select 7 as k from generate_series(1, 3000) n;
create table parent (k int); create table child () inherits (parent);
insert into parent select n from generate_series(1, 40) n; insert into child select n from generate_series(30, 90) n;
analyze;
"""


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    name = postgres_server.create_database("dvt_parts")
    postgres_server.psql(name, MADE)
    return name


def _side(server: PostgresServer, database: str) -> Side:
    asked = f"select count(*) from pg_stat_activity where application_name = 'dvt' and datname = '{database}'"
    return Side(
        lambda **options: PostgresExtractor(connection(server, database, **options)),
        "public",
        lambda: int(server.psql(database, asked)),
    )


@pytest.fixture(scope="module")
def side(postgres_server: PostgresServer, database: str) -> Side:
    return _side(postgres_server, database)


@pytest.mark.parametrize(
    ("table", "column", "parts"),
    [
        ("skewed", "k", 2),  # most rows have one key, which is one part
        ("skewed", "v", 3),
        ("plain", "v", 3),
        ("above", "k", 2),
        ("parts", "", 3),
        ("parts", "id", 3),
        ("parent", "k", 3),
        ("moved", "v", 3),
    ],
)
def test_parts_by_key_hold_every_row_once(side, table, column, parts):
    holds_every_row_once(side, table, column, parts)


@pytest.mark.parametrize(
    ("table", "column", "reason"),
    [
        ("shaky", "k", "the view's rows may differ"),
        ("over_shaky", "k", "the view's rows may differ"),
        ("numbered", "k", "the view's rows may differ"),
        ("plain", "", "no primary key"),
        ("parts", "v", "no ranges are made of v, which is text"),
        ("endless", "k", "no ranges"),
        ("doubles", "k", "no ranges"),
        ("one_key", "k", "ranges of k make no parts"),
    ],
)
def test_what_is_read_whole_and_why(side, table, column, reason):
    is_read_whole(side, table, column, reason, are_steady=table != "shaky")


def test_a_foreign_table_is_read_whole(postgres_server, database, side):
    """Each of our sessions would have another snapshot at the foreign server."""
    postgres_server.psql(
        database,
        "create extension if not exists file_fdw; create server if not exists files foreign data wrapper file_fdw; "
        "create foreign table far (id int) server files options (program 'seq 1 90', format 'csv'); "
        "create view over_far as select id from far",
    )
    for table in ("far", "over_far"):
        found = side.read(table, Split("id", 3))
        assert (len(found.rows), found.how.parts) == (90, 1)
        assert "foreign" in found.how.whole_because


def test_a_server_before_14_reads_ranges_of_its_primary_key(side, monkeypatch):
    monkeypatch.setattr(postgres_parallel, "_TID_RANGE_SCAN", 10**9)
    monkeypatch.setattr("dvt.federation.extractors.postgres_split.SMALLEST_PART_BLOCKS", 16)
    whole, found = side.read("moved"), side.read("moved", parallel=4)
    assert (found.rows == whole.rows, *found.told) == (True, 4, "")


def test_an_option_alone_leaves_small_tables_whole(side):
    assert side.read("one_key", parallel=4).told == (1, "it is small")


def test_each_row_once_while_keys_move(postgres_server, database, side):
    def move(is_over: Callable[[], bool]) -> None:
        """Keys go from one range to another and back, in one transaction each."""
        while not is_over():
            for change in ("1000000 + id where id <= 70000", "id - 1000000 where id > 1000000"):
                postgres_server.psql(database, f"update moved set id = {change}")

    with writing(move):
        for _ in range(6):
            with side.opened(batch_rows=500) as extractor:
                with extractor.scan(side.request("moved", Split("id", 4))) as stream:
                    assert stream.how.parts == 4
                    rows = stream.to_table()
                # The session that led them sees what they saw.
                with extractor.extract_stream("select sum(id)::bigint as s from moved") as whole:
                    assert sum(rows.column("id").to_pylist()) == next(iter(whole))["s"]
            assert sorted(rows.column("v").to_pylist()) == list(range(1, ROWS + 1))


def test_an_early_stop_leaves_no_session(side):
    stops_early(side, "moved", ROWS)


def test_a_cancel_leaves_no_session(side):
    is_cancelled(side, "moved")


def test_a_part_that_fails_ends_all(postgres_server, database, side):
    postgres_server.psql(
        database,
        "create or replace view fails as "
        "select id, case when id > 190000 then v / (id - id) else v end as v from moved",
    )
    ends_all_when_one_fails(side, "fails", (DvtError, "division by zero"), "moved", ROWS)


def test_a_run_tells_how_many_parts_there_were_and_why_one(postgres_server, database, tmp_path):
    postgres_server.psql(database, "create table large as select v as n, repeat('x', 300) as t from moved")
    source = connection(postgres_server, database, parallel=2)
    inputs = [Input(Handle("pg", "s", name), source, Relation(name, "public")) for name in ("large", "one_key")]
    limits = {"memory_bytes": 256 << 20, "threads": 1, "parallel_queries": 1, "run_id": "1"}
    sql = "select count(*) as c, count(distinct n) as d, (select count(*) from pg.s.one_key) as o from pg.s.large"
    with RunSession(tmp_path, **limits) as session:
        with session.query(sql, inputs, pushdown=Pushdown.OFF) as run:
            assert list(run.stream) == [{"c": ROWS, "d": ROWS, "o": 3000}]
            told = {stats.scan.input.handle.name: (stats.how.parts, stats.how.whole_because) for stats in run.scans}
    assert told == {"large": (2, ""), "one_key": (1, "it is small")}


def test_a_database_without_an_encoding_is_read_in_parts(postgres_server):
    """What the catalogue says there would come as bytes, once values do."""
    name = postgres_server.create_database("dvt_parts_ascii", encoding="SQL_ASCII")
    postgres_server.psql(
        name,
        "create table stored (k int primary key, v text);"
        "insert into stored select n, repeat('x', 300) from generate_series(1, 20000) n;"
        "create view plain as select k, v from stored where k > 10; analyze",
    )
    for table, column in (("stored", ""), ("stored", "k"), ("plain", "k")):
        holds_every_row_once(_side(postgres_server, name), table, column, 3)
