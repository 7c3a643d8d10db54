"""Reading MySQL: shapes, snapshots, early ends, and errors of the right family."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest
from integration.mysql_kit import DRIVERS, connect, read
from servers.mariadb import MariaDBServer, numbers
from sqlglot import exp

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.identifiers import Relation, quote

pytestmark = pytest.mark.mysql

NASTY = ("a`b", "dot.ted", " leading", "select", 'quo"te', "per%s{x}", "semi;colon", "new\nline", "Ünïcode", "x" * 64)


@pytest.fixture(scope="module")
def shop(mariadb_server: MariaDBServer) -> MariaDBServer:
    mariadb_server.create_database("reading")
    mariadb_server.execute(
        "create table numbers (id int primary key, word varchar(20) not null, f float);"
        f"insert into numbers select seq, concat('w', seq), seq / 8 from {numbers(1000)};"
        "create table none (id bigint unsigned, word text);"
        "create view pairs as select id, word from numbers where id <= 2;"
        "create table wide (id int, filler char(200));"
        f"insert into wide select seq, repeat('x', 200) from {numbers(200000)}",
        "reading",
    )
    return mariadb_server


@pytest.mark.parametrize("driver", DRIVERS)
def test_ping_and_count(shop: MariaDBServer, driver: str) -> None:
    with MySQLExtractor(connect(shop, "reading", driver=driver)) as extractor:
        assert extractor.ping() == shop.query("select version()")
        assert extractor.get_row_count(Relation("numbers")) == 1000


@pytest.mark.parametrize("driver", DRIVERS)
def test_columns_predicates_and_limit(shop: MariaDBServer, driver: str) -> None:
    table = read(
        connect(shop, "reading", driver=driver),
        "numbers",
        columns=("f", "id"),
        predicates=(exp.column("id", quoted=True) > 990,),
        limit=3,
    )
    assert table.to_pylist() == [{"f": n / 8, "id": n} for n in (991, 992, 993)]


def test_batches_are_of_the_asked_size(shop: MariaDBServer) -> None:
    with MySQLExtractor(connect(shop, "reading", batch_rows=300)) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation("numbers"))) as rows:
            sizes = [batch.num_rows for batch in rows.batches()]
    assert sum(sizes) == 1000
    assert max(sizes) <= 300


def test_no_rows_keep_the_schema(shop: MariaDBServer) -> None:
    table = read(connect(shop, "reading"), "none")
    assert table.schema.types == [pa.uint64(), pa.string()]
    assert table.num_rows == 0


def test_describe_says_what_scan_gives(shop: MariaDBServer) -> None:
    with MySQLExtractor(connect(shop, "reading")) as extractor:
        for request in (
            ExtractionConfig(relation=Relation("numbers")),
            ExtractionConfig(relation=Relation("pairs", "reading")),
            ExtractionConfig(query="select f, count(*) as n from numbers group by f"),
            ExtractionConfig(query="select sum(id), word from numbers group by word limit 5", columns=("word",)),
        ):
            described = extractor.describe(request)
            with extractor.scan(request) as rows:
                assert rows.columns == described
                assert [name for name, *_ in map(list, rows.to_table().to_pylist()[:1])] == [described[0].name]


def test_floats_of_a_query_are_exact(shop: MariaDBServer) -> None:
    shop.execute(
        "drop table if exists floats; create table floats (f float); insert into floats values (16777217), (1.1)",
        "reading",
    )
    assert read(connect(shop, "reading"), query="select f from floats").to_pylist() == [
        {"f": 16777216.0},
        {"f": 1.100000023841858},
    ]
    with pytest.raises(errors.QueryError, match="different names"):
        read(connect(shop, "reading"), query="select f, f from floats")


@pytest.mark.parametrize("name", NASTY)
def test_nasty_identifiers(shop: MariaDBServer, name: str) -> None:
    table, column = quote(name, "mysql"), quote(name[:60] + "_c", "mysql")
    shop.execute(
        f"drop table if exists {table}; create table {table} ({column} float); insert into {table} values (0.5)",
        "reading",
    )
    assert read(connect(shop, "reading"), name).to_pylist() == [{name[:60] + "_c": 0.5}]


def test_all_scans_see_one_snapshot(shop: MariaDBServer) -> None:
    shop.execute(
        "drop table if exists changing; create table changing (id int); insert into changing values (1)", "reading"
    )
    with MySQLExtractor(connect(shop, "reading")) as extractor:
        extractor.ping()
        shop.execute("insert into changing values (2)", "reading")
        for _ in range(2):
            with extractor.scan(ExtractionConfig(relation=Relation("changing"))) as rows:
                assert rows.to_table()["id"].to_pylist() == [1]
    assert read(connect(shop, "reading"), "changing").num_rows == 2


def test_nothing_can_be_written(shop: MariaDBServer) -> None:
    with pytest.raises(errors.QueryError):
        read(connect(shop, "reading"), query="delete from numbers")
    assert shop.query("select count(*) from numbers", "reading") == "1000"


def running(server: MariaDBServer) -> list[str]:
    found = server.query(
        "select info from information_schema.processlist where user = 'dvt' and id <> connection_id()"
        " and command = 'Query'"
    )
    return [line for line in found.split("\n") if line]


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_early_end_stops_the_query_and_keeps_the_snapshot(shop: MariaDBServer, driver: str) -> None:
    with MySQLExtractor(connect(shop, "reading", driver=driver)) as extractor:
        rows = extractor.scan(ExtractionConfig(query="select a.* from wide a, wide b"))
        assert rows.read_batch(10).num_rows == 10  # type: ignore[union-attr]
        rows.close()
        assert running(shop) == []
        with extractor.scan(ExtractionConfig(relation=Relation("pairs"))) as more:
            assert more.to_table()["id"].to_pylist() == [1, 2]


def test_closing_the_extractor_stops_the_query(shop: MariaDBServer) -> None:
    extractor = MySQLExtractor(connect(shop, "reading"))
    extractor.scan(ExtractionConfig(query="select a.* from wide a, wide b")).read_batch(1)
    extractor.close()
    deadline = time.monotonic() + 20
    while running(shop):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_cancel_ends_a_running_scan(shop: MariaDBServer) -> None:
    extractor = MySQLExtractor(connect(shop, "reading"))
    rows = extractor.scan(ExtractionConfig(query="select a.* from wide a, wide b"))
    timer = threading.Timer(0.3, extractor.cancel)
    timer.start()
    with pytest.raises(errors.InterruptedRunError):
        for _ in rows.batches():
            pass
    timer.join()
    assert running(shop) == []
    with pytest.raises(errors.InterruptedRunError):
        extractor.scan(ExtractionConfig(relation=Relation("pairs")))
    extractor.close()


def test_cancel_between_two_batches_is_what_is_told(shop: MariaDBServer) -> None:
    """What is left of the result cannot be thrown away then: the session is gone."""
    with (  # noqa: PT012 - the batches before it are read too
        MySQLExtractor(connect(shop, "reading")) as extractor,
        pytest.raises(errors.InterruptedRunError),
        extractor.scan(ExtractionConfig(query="select a.* from wide a, wide b")) as rows,
    ):
        for _ in rows.batches():
            extractor.cancel()


def test_closed_from_another_thread_is_not_the_end(shop: MariaDBServer) -> None:
    """What came would else be taken for all rows."""
    extractor = MySQLExtractor(connect(shop, "reading"))
    batches = extractor.scan(ExtractionConfig(query="select a.* from wide a, wide b")).batches()
    next(batches)
    closing = threading.Thread(target=extractor.close)
    closing.start()
    closing.join()
    with pytest.raises(errors.InterruptedRunError):
        next(batches)
    assert running(shop) == []


def test_a_killed_session_is_a_lost_connection(shop: MariaDBServer) -> None:
    extractor = MySQLExtractor(connect(shop, "reading"))
    rows = extractor.scan(ExtractionConfig(query="select a.*, connection_id() as me from wide a, wide b"))
    first = rows.read_batch(1)
    assert first is not None
    shop.execute(f"kill connection {first.column('me')[0].as_py()}")
    with pytest.raises(errors.ConnectionLostError):
        for _ in rows.batches():
            pass
    extractor.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_statement_may_not_run_longer_than_allowed(shop: MariaDBServer, driver: str) -> None:
    connection = connect(shop, "reading", driver=driver, statement_timeout_s=1)
    with pytest.raises(errors.TimeoutExceededError):
        read(connection, query="select count(*) from wide a, wide b where a.filler < b.filler")


@pytest.mark.parametrize(
    ("request_", "family"),
    [
        (ExtractionConfig(relation=Relation("missing")), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("numbers", "nowhere")), errors.RelationNotFoundError),
        (ExtractionConfig(relation=Relation("numbers"), columns=("wrod",)), errors.RelationNotFoundError),
        (ExtractionConfig(query="select nope from numbers"), errors.RelationNotFoundError),
        (ExtractionConfig(query="selec 1"), errors.QueryError),
    ],
)
def test_what_does_not_exist(shop: MariaDBServer, request_: ExtractionConfig, family: type[errors.DvtError]) -> None:
    with MySQLExtractor(connect(shop, "reading")) as extractor:
        for act in (extractor.scan, extractor.describe):
            with pytest.raises(family) as caught:
                act(request_)
            assert caught.value.connection == "shop"
        assert extractor.get_row_count(Relation("numbers")) == 1000


@pytest.mark.parametrize("driver", DRIVERS)
def test_bad_credentials_tell_no_secret(shop: MariaDBServer, driver: str) -> None:
    output = shop.output("reading", password="wrong-geheim", dvt={"driver": driver})
    with pytest.raises(errors.AuthenticationError) as caught:
        MySQLExtractor(Connection.from_output("shop", output, SPEC)).ping()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "wrong-geheim" not in shown
    assert shop.password not in shown


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("change", "family"),
    [
        ({"schema": "nowhere"}, errors.ConfigurationError),
        ({"port": 1}, errors.ConnectionFailedError),
        ({"ssl_verify_cert": True}, errors.ConnectionFailedError),
        ({"ssl_ca": "missing.pem"}, errors.ConfigurationError),
    ],
)
def test_connections_that_cannot_be(
    shop: MariaDBServer, driver: str, change: dict[str, object], family: type[errors.DvtError]
) -> None:
    output = {**shop.output("reading", dvt={"driver": driver}), **change}
    with pytest.raises(family):
        MySQLExtractor(Connection.from_output("shop", output, SPEC)).ping()


@pytest.mark.parametrize("driver", DRIVERS)
def test_values_longer_than_a_packet(shop: MariaDBServer, driver: str) -> None:
    table = read(connect(shop, "reading", driver=driver), query="select 1 as a, repeat('ab', 10000000) as t, 2 as b")
    assert [len(table["t"][0].as_py()), table["a"][0].as_py(), table["b"][0].as_py()] == [20_000_000, 1, 2]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("settings", "is_encrypted"),
    [
        ({"ssl_disabled": True}, False),
        ({"ssl_ca": "ca.pem"}, True),
        ({"ssl_ca": "ca.pem", "ssl_verify_identity": True}, True),
        ({"ssl_ca": "ca.pem", "ssl_verify_cert": False}, True),
    ],
)
def test_tls_is_as_asked(shop: MariaDBServer, driver: str, settings: dict[str, object], is_encrypted: bool) -> None:
    if not (shop.folder / "ca.pem").exists():
        pytest.skip("openssl is not installed, the server has no certificate")
    output = {**shop.output("reading", dvt={"driver": driver}), **settings}
    connection = Connection.from_output("shop", output, SPEC, shop.folder)
    shop.query("select 1")  # MySQL then knows the password, and mysql-connector need not send it
    of = "information_schema" if shop.is_mariadb else "performance_schema"
    query = f"select variable_value as v from {of}.session_status where variable_name = 'ssl_cipher'"
    assert (read(connection, query=query)["v"][0].as_py() != "") is is_encrypted
    assert read(connection, "wide").num_rows == 200_000


@pytest.mark.parametrize("driver", DRIVERS)
def test_tls_with_a_wrong_authority_or_name_is_refused(shop: MariaDBServer, driver: str) -> None:
    if not (shop.folder / "ca.pem").exists():
        pytest.skip("openssl is not installed, the server has no certificate")
    for settings in (
        {"ssl_verify_cert": True},
        {"server": "localhost", "ssl_ca": "ca.pem", "ssl_verify_identity": True},
    ):
        output = {**shop.output("reading", dvt={"driver": driver}), **settings}
        with pytest.raises(errors.ConnectionFailedError):
            MySQLExtractor(Connection.from_output("shop", output, SPEC, shop.folder)).ping()


def test_a_session_is_asked_once_whether_it_hashes(shop: MariaDBServer) -> None:
    with MySQLExtractor(connect(shop, "reading")) as extractor:
        for _ in range(2):  # the next session may be another server's
            asked = []
            for _ in range(3):
                asked.append(int(extractor._opened().rows("show session status like 'Com_select'")[0][1]))
                assert extractor.hash_words() is not None
            assert [number - asked[0] for number in asked] == [0, 1, 1]
            extractor.close()
