"""MariaDB in parts by key: each row once while keys move, one snapshot, and nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from integration.mysql_kit import DRIVERS, connect
from servers.mariadb import MariaDBServer

from dvt import errors
from dvt.connections.mysql import open_session
from dvt.federation.extractors.base import ExtractionConfig, Split
from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.identifiers import Relation

pytestmark = pytest.mark.mysql

NAME = "dvt_parts"
ROWS = 30_000
MADE = f"""
create table moved (id bigint primary key, v int, filler varchar(200));
insert into moved select seq * 7, seq, repeat('x', 150) from seq_1_to_{ROWS};
create table skewed (k int, v int primary key, f float, d datetime(6));
insert into skewed select case when seq % 10 = 0 then null when seq % 10 < 8 then 5 else seq end, seq, seq / 7,
  '2024-01-01' + interval seq * seq second from seq_1_to_5000;
create table outlier (id bigint unsigned primary key);
insert into outlier select seq from seq_1_to_30000; insert into outlier values (18446744073709551615);
create table old (id int primary key) engine = MyISAM; insert into old select seq from seq_1_to_100;
create table words (id varchar(20) primary key); insert into words select concat('w', seq) from seq_1_to_100;
create table zero (d date); insert into zero values ('2024-01-01'), (null);
create table bare (a int); insert into bare values (1), (2), (null);
create table one_key (k int); insert into one_key select 7 from seq_1_to_100;
create view seen as select v, k from skewed;
analyze table moved, skewed, outlier;
"""


@pytest.fixture(scope="module")
def server(mariadb_server: MariaDBServer) -> MariaDBServer:
    mariadb_server.create_database(NAME)
    mariadb_server.execute(MADE, NAME)
    return mariadb_server


def _read(
    server: MariaDBServer, table: str, split: Split | None, **options: object
) -> tuple[list[str], int, str, list[int]]:
    """The rows in one order, the number of parts, why there is but one, and rows of a batch."""
    request = ExtractionConfig(relation=Relation(table), split=split)
    with MySQLExtractor(connect(server, NAME, **options)) as extractor, extractor.scan(request) as stream:
        batches = list(stream.batches())
        rows = sorted(repr(row) for batch in batches for row in batch.to_pylist())
        return rows, stream.how.parts, stream.how.whole_because, [batch.num_rows for batch in batches]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("table", "column", "parts"),
    [
        ("skewed", "k", 2),
        ("skewed", "v", 3),
        ("skewed", "d", 3),
        ("moved", "", 3),
        ("outlier", "", 3),
    ],
)
def test_parts_by_key_hold_every_row_once(server, table, column, parts, driver):
    whole, one, why, _ = _read(server, table, None, driver=driver)
    assert (one, why) == (1, "")
    split, found, why, _ = _read(server, table, Split(column, 3), driver=driver)
    assert split == whole
    assert why == ""
    assert parts <= found <= 3


def test_an_outlier_does_not_leave_one_session_all_rows(server):
    _, parts, _, batches = _read(server, "outlier", Split("id", 3), batch_rows=100_000)
    assert parts == len(batches) == 3
    assert max(batches) < 18_000


@pytest.mark.parametrize(
    ("table", "column", "reason"),
    [
        ("old", "id", "this is MyISAM"),
        ("seen", "v", "this is view"),
        ("words", "", "no ranges are made of id"),
        ("bare", "", "no primary key"),
        ("one_key", "k", "ranges of k make no parts"),
    ],
)
def test_what_is_read_whole_and_why(server, table, column, reason):
    whole, _, _, _ = _read(server, table, None)
    rows, parts, why, _ = _read(server, table, Split(column, 3))
    assert (rows == whole, parts) == (True, 1)
    assert reason in why


def test_the_option_splits_large_tables_only(server):
    assert _read(server, "outlier", None, parallel=2)[1:3] == (2, "")
    assert _read(server, "bare", None, parallel=4)[1:3] == (1, "it is small")


def test_a_transaction_that_has_written_keeps_it_whole(server):
    """Between two snapshots it might end."""
    writer = open_session(connect(server, NAME), NAME)
    try:
        writer.run("begin")
        writer.run("update moved set v = -1 where id = 7")
        rows, parts, why, _ = _read(server, "moved", Split("id", 3))
    finally:
        writer.run("rollback")
        writer.close()
    assert (len(rows), parts) == (ROWS, 1)
    assert "did not end within a second" in why


def test_a_cascade_that_has_not_ended_keeps_it_whole(server):
    """It has written to the table without naming it."""
    server.execute(
        "create or replace table elders (id int primary key); insert into elders select seq from seq_1_to_50; "
        "create or replace table heirs (id int primary key, elder int, "
        "  foreign key (elder) references elders (id) on delete cascade); "
        "insert into heirs select seq, 1 + seq % 50 from seq_1_to_2000",
        NAME,
    )
    writer = open_session(connect(server, NAME), NAME)
    try:
        writer.run("begin")
        writer.run("delete from elders where id = 7")
        rows, parts, why, _ = _read(server, "heirs", Split("id", 3))
    finally:
        writer.run("rollback")
        writer.close()
    assert (len(rows), parts) == (2000, 1)
    assert "did not end within a second" in why


def test_a_login_that_may_not_lock_reads_whole(server):
    server.execute(
        "create or replace user 'reader'@'127.0.0.1' identified by 'r'; "
        f"grant select on {NAME}.* to 'reader'@'127.0.0.1'"
    )
    request = ExtractionConfig(relation=Relation("skewed"), split=Split("v", 3))
    output = server.output(NAME, username="reader", password="r")
    connection = connect(server, NAME)
    connection = type(connection).from_output("shop", output, connection.spec)
    with MySQLExtractor(connection) as extractor, extractor.scan(request) as stream:
        assert stream.to_table().num_rows == 5000
        assert (stream.how.parts, "LOCK TABLES" in stream.how.whole_because) == (1, True)


@contextmanager
def moving(server: MariaDBServer) -> Iterator[None]:
    """While the body runs, keys of `moved` go from one range to another and back, in one transaction each."""
    stop = threading.Event()

    def move() -> None:
        session = open_session(connect(server, NAME), NAME)
        while not stop.is_set():
            session.run("update moved set id = id + 1000000 where id <= 7000")
            session.run("begin")
            session.run("update moved set id = id - 1000000 where id > 1003500")
            session.run("update moved set id = id - 1000000 where id > 1000000")
            session.run("commit")
        session.close()

    writer = threading.Thread(target=move)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_each_row_once_while_keys_move(server):
    split = 0
    with moving(server):
        for _ in range(5):
            request = ExtractionConfig(relation=Relation("moved"), columns=("id", "v"), split=Split("id", 4))
            with MySQLExtractor(connect(server, NAME, batch_rows=500)) as extractor:
                with extractor.scan(request) as stream:
                    split += stream.how.parts == 4
                    rows = stream.to_table()
                # The session that led them sees what they saw; a second scan is its own.
                with extractor.scan(request) as stream:
                    assert "snapshot began with its first scan" in stream.how.whole_because
                    assert sorted(stream.to_table().column("id").to_pylist()) == sorted(rows.column("id").to_pylist())
            assert sorted(rows.column("v").to_pylist()) == list(range(1, ROWS + 1))
    assert split


def test_later_scans_see_the_first_one_s_state_in_one_session(server):
    """A writer changes both tables together between the scans; what the second table has is of before, too."""
    server.execute(
        "create or replace table paid (id int primary key, v int); insert into paid select seq, 1 from seq_1_to_3000; "
        "create or replace table owed (id int primary key, v int); insert into owed select seq, 0 from seq_1_to_3000",
        NAME,
    )
    paid, owed = (ExtractionConfig(relation=Relation(name), split=Split("id", 3)) for name in ("paid", "owed"))
    swap = "start transaction; update paid set v = 1 - v, id = id + 5000; update owed set v = 1 - v; commit"
    with MySQLExtractor(connect(server, NAME)) as extractor:
        with extractor.scan(paid) as stream:
            assert stream.parts == 3
            first = stream.to_table()
        server.execute(swap, NAME)
        found = []
        for request in (owed, paid):
            with extractor.scan(request) as stream:
                found.append(stream.to_table())
            assert (stream.parts, "snapshot began with its first scan" in stream.whole_because) == (1, True)
    assert sorted(first["id"].to_pylist()) == sorted(found[1]["id"].to_pylist()) == list(range(1, 3001))
    assert [set(table["v"].to_pylist()) for table in (first, *found)] == [{1}, {0}, {1}]
    with MySQLExtractor(connect(server, NAME)) as extractor, extractor.scan(owed) as stream:  # in parts, and of after
        assert (stream.parts, set(stream.to_table()["v"].to_pylist())) == (3, {1})


def _sessions(server: MariaDBServer) -> int:
    asked = f"select count(*) from information_schema.processlist where db = '{NAME}' and id <> connection_id()"
    return int(server.query(asked))


def _gone(server: MariaDBServer, but: int = 0) -> bool:
    """Whether sessions that were ended have gone; the server takes its time."""
    deadline = time.monotonic() + 30
    while (found := _sessions(server)) != but and time.monotonic() < deadline:
        time.sleep(0.1)
    return found == but


def test_an_early_stop_and_a_cancel_leave_no_session(server):
    request = ExtractionConfig(relation=Relation("moved"), split=Split("id", 3))
    extractor = MySQLExtractor(connect(server, NAME, batch_rows=10))
    with extractor.scan(request) as stream:
        assert stream.read_batch(10).num_rows == 10
        assert _gone(server, but=4)
    assert _gone(server, but=1)
    assert extractor.get_row_count(Relation("moved")) == ROWS
    extractor.close()
    assert _gone(server)
    extractor = MySQLExtractor(connect(server, NAME, batch_rows=10))
    with extractor.scan(request) as stream:
        stream.read_batch(10)
        extractor.cancel()
        with pytest.raises(errors.InterruptedRunError):
            stream.to_table()
    extractor.close()
    assert _gone(server)


def test_a_part_that_fails_ends_all(server):
    """A zero date in the last part, which is refused by name."""
    server.execute(
        "create or replace table fails (id int primary key, d date, filler varchar(200)); set sql_mode = ''; "
        "insert into fails select seq, if(seq = 2999, '2024-00-00', '2024-01-01'), repeat('x', 150) from seq_1_to_3000",
        NAME,
    )
    request = ExtractionConfig(relation=Relation("fails"), split=Split("id", 3))
    with MySQLExtractor(connect(server, NAME, batch_rows=10)) as extractor:
        with extractor.scan(request) as stream:
            assert stream.how.parts == 3
            with pytest.raises(errors.DataError, match="2024-00-00"):
                stream.to_table()
        assert extractor.get_row_count(Relation("moved")) == ROWS
    assert _gone(server)
