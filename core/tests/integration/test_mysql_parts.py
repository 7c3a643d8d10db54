"""MariaDB in parts by key: each row once while keys move, one snapshot, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from integration.mysql_kit import DRIVERS, connect
from integration.parts_kit import (
    Side,
    ends_all_when_one_fails,
    holds_every_row_once,
    is_cancelled,
    is_read_whole,
    stops_early,
    writing,
)
from servers.mariadb import MariaDBServer

from dvt.connections.mysql import open_session
from dvt.errors import DataError
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


@pytest.fixture(scope="module")
def side(server: MariaDBServer) -> Side:
    asked = f"select count(*) from information_schema.processlist where db = '{NAME}' and id <> connection_id()"
    return Side(
        lambda **options: MySQLExtractor(connect(server, NAME, **options)), None, lambda: int(server.query(asked))
    )


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
def test_parts_by_key_hold_every_row_once(side, table, column, parts, driver):
    holds_every_row_once(side, table, column, parts, driver=driver)


def test_an_outlier_does_not_leave_one_session_all_rows(side):
    found = side.read("outlier", Split("id", 3), batch_rows=100_000)
    assert found.how.parts == len(found.batches) == 3
    assert max(found.batches) < 18_000


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
def test_what_is_read_whole_and_why(side, table, column, reason):
    is_read_whole(side, table, column, reason)


def test_the_option_splits_large_tables_only(side):
    assert side.read("outlier", parallel=2).told == (2, "")
    assert side.read("bare", parallel=4).told == (1, "it is small")


def test_a_transaction_that_has_written_keeps_it_whole(server, side):
    """Between two snapshots it might end."""
    writer = open_session(connect(server, NAME), NAME)
    try:
        writer.run("begin")
        writer.run("update moved set v = -1 where id = 7")
        found = side.read("moved", Split("id", 3))
    finally:
        writer.run("rollback")
        writer.close()
    assert (len(found.rows), found.how.parts) == (ROWS, 1)
    assert "did not end within a second" in found.how.whole_because


def test_a_cascade_that_has_not_ended_keeps_it_whole(server, side):
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
        found = side.read("heirs", Split("id", 3))
    finally:
        writer.run("rollback")
        writer.close()
    assert (len(found.rows), found.how.parts) == (2000, 1)
    assert "did not end within a second" in found.how.whole_because


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


def test_each_row_once_while_keys_move(server, side):
    def move(is_over: Callable[[], bool]) -> None:
        """Keys go from one range to another and back, in one transaction each."""
        session = open_session(connect(server, NAME), NAME)
        while not is_over():
            session.run("update moved set id = id + 1000000 where id <= 7000")
            session.run("begin")
            session.run("update moved set id = id - 1000000 where id > 1003500")
            session.run("update moved set id = id - 1000000 where id > 1000000")
            session.run("commit")
        session.close()

    split = 0
    with writing(move):
        for _ in range(5):
            request = side.request("moved", Split("id", 4), "id", "v")
            with side.opened(batch_rows=500) as extractor:
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
            assert stream.how.parts == 3
            first = stream.to_table()
        server.execute(swap, NAME)
        found = []
        for request in (owed, paid):
            with extractor.scan(request) as stream:
                found.append(stream.to_table())
            assert (stream.how.parts, "snapshot began with its first scan" in stream.how.whole_because) == (1, True)
    assert sorted(first["id"].to_pylist()) == sorted(found[1]["id"].to_pylist()) == list(range(1, 3001))
    assert [set(table["v"].to_pylist()) for table in (first, *found)] == [{1}, {0}, {1}]
    with MySQLExtractor(connect(server, NAME)) as extractor, extractor.scan(owed) as stream:  # in parts, and of after
        assert (stream.how.parts, set(stream.to_table()["v"].to_pylist())) == (3, {1})


def test_an_early_stop_leaves_no_session(side):
    stops_early(side, "moved", ROWS)


def test_a_cancel_leaves_no_session(side):
    is_cancelled(side, "moved")


def test_a_part_that_fails_ends_all(server, side):
    """A zero date in the last part, which is refused by name."""
    server.execute(
        "create or replace table fails (id int primary key, d date, filler varchar(200)); set sql_mode = ''; "
        "insert into fails select seq, if(seq = 2999, '2024-00-00', '2024-01-01'), repeat('x', 150) from seq_1_to_3000",
        NAME,
    )
    ends_all_when_one_fails(side, "fails", (DataError, "2024-00-00"), "moved", ROWS)
