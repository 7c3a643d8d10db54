"""The conformance kit against a real MySQL 9. The tests of MySQL run against it too: `hatch run slow-tests`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from integration.mysql_kit import DRIVERS
from servers.mysql9 import MySQLServer

from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC
from dvt.errors import AuthenticationError, MissingDriverError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.identifiers import Relation
from dvt.testing import ExtractorContract, Place, Tag

pytestmark = [pytest.mark.mysql, pytest.mark.slow]


class TestMySQL9(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def place(cls, mysql9_server: MySQLServer) -> Place:
        server = mysql9_server
        name = server.create_database("dvt_contract")
        own = f"db = '{name}' and command = 'Query'"
        return Place(
            "mysql",
            Tag.REAL,
            server.output(name),
            lambda sql: server.execute(sql, name),
            schema=name,
            refused=server.output(name, password="wr0ng-pass"),
            running=lambda: int(server.query(f"select count(*) from information_schema.processlist where {own}")),
            name="mysql (MySQL 9)",
        )


@contextmanager
def _overheard(port: int) -> Iterator[tuple[int, bytearray]]:
    """The port of a proxy before a server, and what clients send through it."""
    listener, heard = socket.create_server(("127.0.0.1", 0)), bytearray()

    def carry(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection(("127.0.0.1", port))
                for source, sink, kept in ((client, behind, heard), (behind, client, None)):
                    threading.Thread(target=carry, args=(source, sink, kept), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with listener:
        yield listener.getsockname()[1], heard


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_first_login_never_sends_the_password_in_the_clear(
    mysql9_server: MySQLServer, driver: str, encrypted: bool
) -> None:
    # A user whom the server has not seen since its start: it knows a hash of the password only, and asks for it.
    who = "fresh@'127.0.0.1'"
    mysql9_server.execute(f"drop user if exists {who}; create user {who} identified by 'offen geheim'")
    with _overheard(mysql9_server.port) as (port, heard):
        output = mysql9_server.output("", username="fresh", password="offen geheim", port=port, dvt={"driver": driver})
        connection = Connection.from_output("shop", {**output, "schema": "x", "ssl_disabled": not encrypted}, SPEC)
        if driver == "mysql-connector" and not encrypted:
            with pytest.raises(AuthenticationError, match="use TLS, or the driver pymysql"):
                _version(connection)
        else:
            assert _version(connection) == mysql9_server.query("select version()")
    assert b"fresh" in heard or encrypted
    assert b"offen geheim" not in heard


def _version(connection: Connection) -> str:
    from dvt.connections.mysql import open_session

    session = open_session(connection, None)
    session.close()
    return session.server.version


def test_hashes_are_made_here_until_the_server_has_md5(mysql9_server: MySQLServer) -> None:
    name = mysql9_server.create_database("hashing")
    mysql9_server.execute(
        "create table t (id int, d decimal(9,2), s text); insert into t values (1, 2.50, 'a|b')", name
    )
    config = ExtractionConfig(relation=Relation("t"), key_columns=("id",))

    def found() -> tuple[bool, dict[str | None, str]]:
        with MySQLExtractor(Connection.from_output("shop", mysql9_server.output(name), SPEC)) as extractor:
            return extractor.hash_words() is None, extractor.extract_hashes(config)

    here = found()
    mysql9_server.execute("install component 'file://component_classic_hashing'")
    try:
        there = found()
    finally:
        mysql9_server.execute("uninstall component 'file://component_classic_hashing'")
    assert (here[0], there[0]) == (True, False)
    assert here[1] == there[1]


def test_without_its_package_the_driver_is_said_to_be_missing(
    mysql9_server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymysql import _auth

    monkeypatch.setattr(_auth, "_have_cryptography", False)  # as where it is not installed
    who = "fresh@'127.0.0.1'"
    mysql9_server.execute(f"drop user if exists {who}; create user {who} identified by 'geheim'")
    output = mysql9_server.output("x", username="fresh", password="geheim", ssl_disabled=True)
    with pytest.raises(MissingDriverError, match="cryptography"):
        _version(Connection.from_output("shop", {**output, "dvt": {"driver": "pymysql"}}, SPEC))
