"""How many sessions read a table of PostgreSQL where dvt decides it, and the order of what several read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from integration.postgres_kit import connection
from servers.postgres import PostgresServer

from dvt import errors
from dvt.federation.extractors import degree, postgres_split
from dvt.federation.extractors.base import ExtractionConfig, Split
from dvt.federation.extractors.postgres import PostgresExtractor
from dvt.federation.registry import open_connection
from dvt.federation.stream import HowRead
from dvt.identifiers import Relation

pytestmark = pytest.mark.postgres

# Rows whose order on disk is no order of their values; a tenth of the blocks hold a row that was updated there.
MADE = """
create table heap (id bigint, t text);
insert into heap select (n * 7919) % 60000, repeat('x', 300) from generate_series(1, 60000) n;
update heap set t = 'changed' where id % 100 = 0;
create table parent (k int, t text); create table child () inherits (parent);
insert into parent select n, repeat('x', 900) from generate_series(1, 9000) n; insert into child values (1, 'a');
create table by_range (id int primary key, t text) partition by range (id);
create table by_range_1 partition of by_range for values from (0) to (90000);
insert into by_range select n, repeat('x', 300) from generate_series(1, 60000) n;
create table few (i int); insert into few select generate_series(1, 100);
analyze;
"""


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    name = postgres_server.create_database("dvt_degree")
    postgres_server.psql(name, MADE)
    return name


@pytest.fixture
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred blocks are a large table."""
    monkeypatch.setattr(postgres_split, "LEAST_OF_AUTOMATIC_BLOCKS", 500)
    monkeypatch.setattr(postgres_split, "_TURN_BLOCKS", 150)


def read(
    server: PostgresServer, database: str, table: str, split: Split | None = None, **options: Any
) -> tuple[pa.Table, HowRead]:
    request = ExtractionConfig(relation=Relation(table, "public"), split=split)
    with PostgresExtractor(connection(server, database, **options)) as extractor, extractor.scan(request) as stream:
        return stream.to_table(), stream.how


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize("method", ["auto", "copy"])
@pytest.mark.parametrize("sessions", [2, 3])
def test_rows_keep_the_tables_order(postgres_server, database, method, sessions):
    whole, _ = read(postgres_server, database, "heap")
    options = {"keep_order": True, "batch_rows": 700, "method": method}
    found, how = read(postgres_server, database, "heap", parallel=sessions, **options)
    assert how == HowRead(sessions, passed_over=how.passed_over)
    assert found.equals(whole)
    ids = whole.column("id").to_pylist()
    assert ids != sorted(ids)


@pytest.mark.usefixtures("small_stretches")
def test_without_it_they_come_in_any_order(postgres_server, database):
    whole, _ = read(postgres_server, database, "heap")
    found, how = read(postgres_server, database, "heap", parallel=3, batch_rows=700)
    assert how.parts == 3
    assert found.sort_by([("id", "ascending"), ("t", "ascending")]).equals(
        whole.sort_by([("id", "ascending"), ("t", "ascending")])
    )


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize(("table", "split"), [("parent", None), ("by_range", None), ("heap", Split("id", 2))])
def test_what_has_no_order_of_blocks_is_read_whole(postgres_server, database, table, split):
    found, how = read(postgres_server, database, table, split, parallel=2, keep_order=True)
    assert (how.parts, how.whole_because) == (
        1,
        "dvt.keep_order is set, and only the blocks of one table have an order",
    )
    assert found.equals(read(postgres_server, database, table)[0])


@pytest.mark.usefixtures("small_stretches")
def test_a_stretch_that_fails_ends_all(postgres_server, database):
    postgres_server.psql(
        database,
        "create table fails as select n as id, (case when n = 55000 then 'NaN' else '1' end)::numeric as v,"
        " repeat('x', 300) as t from generate_series(1, 60000) n",
    )
    with pytest.raises(errors.DataError, match="'NaN' of type numeric"):
        read(postgres_server, database, "fails", parallel=3, keep_order=True)
    count = "select count(*) from pg_stat_activity where application_name = 'dvt' and datname = 'dvt_degree'"
    assert postgres_server.psql(database, count) == "0"


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize(("cores", "parts"), [(1, 1), (2, 2), (4, 4), (64, 5)])
def test_as_many_sessions_as_cores_and_size_say(postgres_server, database, monkeypatch, cores, parts):
    """The table has about 2,600 blocks."""
    monkeypatch.setattr(degree, "cores", lambda: cores)
    found, how = read(postgres_server, database, "heap", parallel="auto")
    assert (how.parts, how.whole_because, found.num_rows) == (parts, "", 60_000)


def test_a_small_table_has_one(postgres_server, database, monkeypatch):
    monkeypatch.setattr(degree, "cores", lambda: 4)
    for table in ("few", "heap"):
        _, how = read(postgres_server, database, table, parallel="auto")
        assert (how.parts, how.whole_because) == (1, "it is small")


@pytest.mark.usefixtures("small_stretches")
def test_sessions_that_are_refused(postgres_server, database, monkeypatch):
    monkeypatch.setattr(degree, "cores", lambda: 4)
    postgres_server.psql(
        database,
        "create role one_only login password 'pw' connection limit 2; grant select on heap to one_only",
    )

    def login(parallel: int | str) -> PostgresExtractor:
        output = {**postgres_server.output(database, dvt={"parallel": parallel}), "user": "one_only", "password": "pw"}
        return PostgresExtractor(open_connection("warehouse", output))

    request = ExtractionConfig(relation=Relation("heap", "public"))
    with login("auto") as extractor:
        with extractor.scan(request) as stream:
            assert stream.how.parts == 1
            assert "too many connections for role" in stream.how.whole_because
            assert stream.to_table().num_rows == 60_000
    with login(3) as extractor:
        with pytest.raises(errors.ConnectionFailedError, match="too many connections for role"):
            extractor.scan(request)


def test_what_is_neither_a_number_nor_auto(postgres_server, database):
    with pytest.raises(errors.ConfigurationError, match="parallel is 'many'") as raised:
        connection(postgres_server, database, parallel="many")
    assert "a whole number or auto" in str(raised.value.remedy)


@pytest.mark.usefixtures("small_stretches")
def test_a_scan_beside_one_in_parts_has_its_own_rows(postgres_server, database):
    with PostgresExtractor(connection(postgres_server, database, parallel=2, batch_rows=700)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("heap", "public"))) as parts:
            assert parts.read_batch(1).num_rows == 1
            with extractor.scan(ExtractionConfig(relation=Relation("few", "public"))) as few:
                assert sorted(few.to_table().column("i").to_pylist()) == list(range(1, 101))
