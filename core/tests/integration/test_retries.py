"""Servers that come a little late, and what is asked once only, on real servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from servers.clickhouse import ClickHouseServer
from servers.late_port import late_port
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt import errors
from dvt.connections.connection import Connection
from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.registry import extractor_class, loader_class, open_connection
from dvt.identifiers import Relation


@dataclass(frozen=True)
class Server:
    """A server as these tests need it.

    Args:
        port: Where it listens.
        output: A profile output for it.
        refusals: How many log-ins it has refused so far; None where it does not count them.
    """

    port: int
    output: dict[str, Any]
    refusals: Callable[[], int] | None

    def extractor(self, **changes: Any) -> BaseExtractor:
        connection = open_connection("shop", {**self.output, **changes})
        return extractor_class(connection.type)(connection)


def _postgres(server: PostgresServer) -> Server:
    log = server.data.parent / "log"
    return Server(server.port, server.output(), lambda: log.read_text().count("password authentication failed"))


def _mysql(server: MariaDBServer) -> Server:
    name = "Access_denied_errors" if server.is_mariadb else "Aborted_connects"
    asked = f"show global status like '{name}'"
    return Server(server.port, server.output("mysql"), lambda: int(server.query(asked).split("\t")[1]))


def _clickhouse(server: ClickHouseServer) -> Server:
    return Server(server.port, server.output("default"), None)


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("pymysql", marks=pytest.mark.mysql),
        pytest.param("mysql-connector", marks=pytest.mark.mysql),
        pytest.param("clickhouse", marks=pytest.mark.clickhouse),
    ]
)
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "postgres":
        return _postgres(request.getfixturevalue("postgres_server"))
    if request.param == "clickhouse":
        return _clickhouse(request.getfixturevalue("clickhouse_server"))
    found = _mysql(request.getfixturevalue("mariadb_server"))
    return Server(found.port, {**found.output, "dvt": {"driver": request.param}}, found.refusals)


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "dvt.connections.retrying"]


def test_a_port_that_opens_a_little_later(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with late_port(server.port) as port:
        with server.extractor(port=port.number, retries=0) as extractor:
            with pytest.raises(errors.ConnectionFailedError):
                extractor.ping()
        assert _told(caplog) == []
        timer = threading.Timer(0.5, port.open)
        timer.start()
        with server.extractor(port=port.number, retries=3) as extractor:
            assert extractor.ping()
        timer.join()
        assert port.taken
    told = _told(caplog)
    assert [line.partition(" failed, again in ")[0] for line in told] == [
        f"connection shop: attempt {number} of 4 to connect" for number in range(1, len(told) + 1)
    ]
    assert "refused" in told[0]


def test_a_wrong_password_is_sent_once(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    before = server.refusals() if server.refusals else 0
    with late_port(server.port) as port:
        port.open()
        with server.extractor(port=port.number, retries=3, password="wr0ng") as extractor:
            with pytest.raises(errors.AuthenticationError):
                extractor.ping()
        if server.refusals is None:
            assert port.taken == 1
        else:
            assert server.refusals() - before == 1
    assert _told(caplog) == []


def _reading(connection: Connection) -> tuple[Callable[[], None], Callable[[], object]]:
    extractor = extractor_class(connection.type)(connection)
    return extractor.cancel, extractor.ping


def _writing(connection: Connection) -> tuple[Callable[[], None], Callable[[], object]]:
    loader = loader_class(connection.type)(connection)
    return loader.cancel, lambda: loader.describe(Relation("t"))


_PARTS = {"extractor": _reading, "loader": _writing}


@pytest.mark.parametrize("part", _PARTS)
def test_a_cancellation_ends_the_wait(server: Server, part: str) -> None:
    with late_port(server.port) as port:
        connection = open_connection("shop", {**server.output, "port": port.number, "retries": 9})
        cancel, ask = _PARTS[part](connection)
        with ThreadPoolExecutor(1) as pool:
            port.open(breaks=True)
            running = pool.submit(ask)
            assert port.was_asked.wait(60)
            cancel()
            with pytest.raises(errors.InterruptedRunError, match="waited for another attempt"):
                running.result(60)  # all the waits together take five minutes


def test_a_duckdb_file_that_another_process_lets_go(tmp_path: Path) -> None:
    import subprocess
    import sys

    file = tmp_path / "shop.duckdb"
    duckdb.connect(str(file)).close()
    held = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", held, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        output = {"type": "duckdb", "path": str(file)}
        with extractor_class("duckdb")(open_connection("shop", output)) as extractor:
            with pytest.raises(errors.ConnectionFailedError):
                extractor.ping()
        timer = threading.Timer(0.5, holder.communicate, ["\n"])
        timer.start()
        output["retries"] = {"connect_attempts": 4}
        with extractor_class("duckdb")(open_connection("shop", output)) as extractor:
            assert extractor.ping()
        timer.join()


def test_a_duckdb_query_whose_file_comes_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, part = tmp_path / "shop.duckdb", tmp_path / "part.csv"
    duckdb.connect(str(file)).close()
    query = f"select n from read_csv('{part}')"
    output = {"type": "duckdb", "path": str(file)}
    with extractor_class("duckdb")(open_connection("shop", output)) as extractor:
        with pytest.raises(errors.ConnectionFailedError, match=r"part\.csv"):
            extractor.extract_stream(query)
    assert _told(caplog) == []
    timer = threading.Timer(0.5, part.write_text, ["n\n42\n"])
    timer.start()
    output["retries"] = {"query_attempts": 4}
    with extractor_class("duckdb")(open_connection("shop", output)) as extractor:
        with extractor.extract_stream(query) as rows:
            assert rows.to_table().to_pylist() == [{"n": 42}]
        told = _told(caplog)
        assert "attempt 1 of 4 to extract failed, again in 1 s" in told[0]
        # Its transaction has been read from: another attempt would see another state.
        with pytest.raises(errors.ConnectionFailedError):
            extractor.extract_stream(query.replace("part.csv", "none.csv"))
        assert _told(caplog) == told
    timer.join()


def test_a_cancellation_ends_the_wait_for_a_duckdb_query(tmp_path: Path) -> None:
    output = {"type": "duckdb", "path": str(tmp_path / "shop.duckdb"), "retries": {"query_attempts": 9}}
    duckdb.connect(output["path"]).close()
    with extractor_class("duckdb")(open_connection("shop", output)) as extractor:
        extractor.ping()
        threading.Timer(0.3, extractor.cancel).start()
        with pytest.raises(errors.InterruptedRunError):  # all the waits together take four minutes
            extractor.extract_stream("select * from read_csv('/nowhere/at/all.csv')")


@pytest.mark.clickhouse
def test_clickhouse_with_as_many_queries_as_it_takes(clickhouse_server: ClickHouseServer) -> None:
    # The server's own error, which the query raises itself until a moment has come.
    def query(free_at: float) -> str:
        moment = f"fromUnixTimestamp64Milli({int(free_at * 1000)})"
        return f"select throwIf(now64(3) < {moment}, 'busy', toInt16(202)) as was_free from numbers(1)"

    settings = {"custom_settings": {"allow_custom_error_code_in_throwif": 1}}
    output = clickhouse_server.output("default", **settings)
    with extractor_class("clickhouse")(open_connection("shop", {**output, "retries": 1})) as extractor:
        extractor.ping()
        with pytest.raises(errors.ResourceError):
            extractor.extract_stream(query(time.time() + 1000))
    with extractor_class("clickhouse")(open_connection("shop", {**output, "retries": 3})) as extractor:
        extractor.ping()
        with extractor.extract_stream(query(time.time() + 1)) as rows:
            assert rows.to_table().to_pylist() == [{"was_free": 0}]
