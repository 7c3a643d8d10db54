"""A ClickHouse server for the tests: chdb's engine behind `clickhouse_http`, on a free loopback port."""

from __future__ import annotations

import http.client
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from servers.process import free_port

_START_S = 60


@dataclass(frozen=True)
class ClickHouseServer:
    """A running server and the user that it knows.

    Args:
        host: Loopback address.
        port: Its port.
        user: The only user.
        password: That user's password.
        pid: Process id of the server.
    """

    host: str
    port: int
    user: str
    password: str
    pid: int

    def create_database(self, name: str) -> str:
        """Create an empty database, dropping one of that name."""
        self.query(f"drop database if exists {name} sync")
        self.query(f"create database {name}")
        return name

    def output(self, database: str, **more: Any) -> dict[str, Any]:
        """A profile output for a database of this server."""
        return {
            "type": "clickhouse",
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "schema": database,
            **more,
        }

    def query(self, sql: str, database: str = "default", **settings: Any) -> str:
        """What the server answers to one statement, in its own text form (TSV unless the statement says FORMAT)."""
        client = http.client.HTTPConnection(self.host, self.port, timeout=120)
        address = "/?" + urlencode({"database": database, "session_timezone": "UTC", **settings})
        headers = {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        client.request("POST", address, sql.encode("utf-8", "surrogateescape"), headers)
        answer = client.getresponse()
        text = answer.read().decode("utf-8", "surrogateescape")
        client.close()
        if answer.status != 200:
            raise AssertionError(f"{sql}\n{text}")
        return text.removesuffix("\n")

    def execute(self, *statements: str, database: str = "default") -> None:
        """Run statements one after the other."""
        for statement in statements:
            self.query(statement, database)


@pytest.fixture(scope="session")
def clickhouse_server() -> Iterator[ClickHouseServer]:
    """A server of its own for this test process."""
    if why := missing():
        pytest.skip(why)
    with running() as server:
        yield server


def missing() -> str:
    """Why there can be no server; empty when there can."""
    return "" if importlib.util.find_spec("chdb") else "chdb is not installed (pip install chdb)"


@contextmanager
def running() -> Iterator[ClickHouseServer]:
    """Start a server in a temporary folder, and remove both at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-clickhouse-"))
    server_file = Path(__file__).with_name("clickhouse_http.py")
    port, user, password = free_port(), "dvt", "pa55 w'or\"d`%\\"
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(server_file), str(port), str(folder / "data")],
            env={**os.environ, "DVT_TEST_USER": user, "DVT_TEST_PASSWORD": password},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        server = ClickHouseServer("127.0.0.1", port, user, password, process.pid)
        _wait_until_up(server, process, log)
        yield server
    finally:
        process.kill()  # its data is thrown away
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_up(server: ClickHouseServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            server.query("select 1")
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the ClickHouse server did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        else:
            return
