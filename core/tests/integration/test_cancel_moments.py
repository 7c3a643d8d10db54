"""A cancellation at each moment of a load: between two statements, among its rows, and while its table is dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyarrow as pa
import pymysql
import pytest
from integration.mysql_kit import connect
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.connections import postgres
from dvt.connections.connection import Connection
from dvt.connections.mysql_session import Session
from dvt.dbt_bridge.shim.dialects import DIALECTS
from dvt.errors import InterruptedRunError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.mysql import MySQLLoader
from dvt.federation.loaders.postgres import PostgresLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

_AT_MOST_S = 60
_COLUMNS = [ColumnSchema("id", pa.int32())]


@pytest.fixture
def database(mariadb_server: MariaDBServer) -> str:
    return mariadb_server.create_database("landing")


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _AT_MOST_S
    while not condition():
        assert time.monotonic() < deadline, f"never {what}"
        time.sleep(0.05)


def _rows(count: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(range(count), pa.int32())], schema=pa.schema([("id", pa.int32())]))


def _tables(server: MariaDBServer) -> str:
    return server.query("select table_name from information_schema.tables where table_schema = 'landing'")


def _kills(server: MariaDBServer) -> str:
    return server.query("show global status like 'Com_kill'")


def _running(server: MariaDBServer, words: str) -> str:
    return server.query(f"select id from information_schema.processlist where info like '{words}%'")


@pytest.mark.mysql
@pytest.mark.parametrize("local_infile", [True, False])
def test_a_load_that_stops_is_not_undone(mariadb_server: MariaDBServer, database: str, local_infile: bool) -> None:
    """It would take as long as the load did, and the table could not be dropped before."""
    before = _kills(mariadb_server)
    with MySQLLoader(connect(mariadb_server, "landing", local_infile=local_infile)) as loader:

        def rows() -> Iterator[pa.RecordBatch]:
            yield _rows(1000)
            loader.cancel()
            yield _rows(1000)

        with pytest.raises(InterruptedRunError):
            loader.load(RowStream(_COLUMNS, rows()), LoadConfig(Relation("t")))
    assert _tables(mariadb_server) == ""
    assert _kills(mariadb_server) == before


@pytest.mark.mysql
@pytest.mark.parametrize("local_infile", [True, False])
def test_a_load_that_does_not_stop_is_killed(mariadb_server: MariaDBServer, database: str, local_infile: bool) -> None:
    with MySQLLoader(connect(mariadb_server, "landing", local_infile=local_infile)) as loader:
        session: Session = loader.session()

        def rows() -> Iterator[pa.RecordBatch]:
            yield _rows(1000)
            loader.cancel()
            number = session.server.session_id
            mine = f"select id from information_schema.processlist where id = {number}"
            _until(lambda: not mariadb_server.query(mine), "killed")
            yield _rows(1000)

        with pytest.raises(InterruptedRunError):
            loader.load(RowStream(_COLUMNS, rows()), LoadConfig(Relation("t")))
    assert _tables(mariadb_server) == ""


@pytest.mark.mysql
def test_the_line_that_was_begun_is_sent_to_its_end(mariadb_server: MariaDBServer, database: str) -> None:
    mariadb_server.execute("create table t (id int, word longtext)", "landing")
    session = Session(connect(mariadb_server, "landing"), "landing")

    def payloads() -> Iterator[bytes]:
        yield b"1\ta\n2\tb\n"
        session.interrupt()
        yield b"3\t" + b"x" * 1_000_000 + b"\n4\td\n"
        raise AssertionError("it was asked for more")

    with pytest.raises(InterruptedRunError):
        session.load_local("load data local infile 'dvt' into table t", payloads())
    session.close()
    found = mariadb_server.query("select group_concat(concat(id, ':', length(word)) order by id) from t", "landing")
    assert found == "1:1,2:1,3:1000000"


@pytest.mark.mysql
def test_while_the_table_is_dropped(mariadb_server: MariaDBServer, database: str) -> None:
    """The drop waits for a reader; the one that the cancel ends is not the last."""
    mariadb_server.execute("create table t__dvt_x (id int)", "landing")
    with MySQLLoader(connect(mariadb_server, "landing")) as loader, ThreadPoolExecutor(1) as pool:
        reader = _reader(mariadb_server)
        try:
            loader.session()
            running = pool.submit(loader.drop, Relation("t__dvt_x"))
            _until(lambda: _running(mariadb_server, "drop table"), "dropped")
            first = _running(mariadb_server, "drop table")
            loader.cancel()
            _until(lambda: _running(mariadb_server, "drop table") not in ("", first), "dropped again")
        finally:
            reader.close()
        running.result(_AT_MOST_S)
    assert _tables(mariadb_server) == ""


def _reader(server: MariaDBServer) -> Any:
    """A session that has read the table in a transaction, which is open."""
    keys = {"host": server.host, "port": server.port, "user": server.user, "password": server.password.encode()}
    reader = pymysql.connect(**keys, database="landing")
    reader.cursor().execute("select * from t__dvt_x")
    return reader


@pytest.mark.mysql
def test_between_two_statements_of_dbts_session(mariadb_server: MariaDBServer, database: str) -> None:
    connection, dialect = connect(mariadb_server, "landing"), DIALECTS["mysql"]
    handle = dialect.open(connection)
    dialect.cancel(handle, connection)
    with pytest.raises(pymysql.err.Error):
        handle.cursor().execute("select 1")
    dialect.cancel(handle, connection)  # it has gone


@pytest.mark.postgres
def test_between_two_statements_of_a_loader(postgres_server: PostgresServer) -> None:
    """The loader has seen that it is wanted, and its statement has not reached the server."""
    connection = Connection.from_output("shop", postgres_server.output(), postgres.SPEC)
    with PostgresLoader(connection) as loader:
        session = loader.session()
        loader.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            session.execute(f"select pg_sleep({_AT_MOST_S})")
