"""A cancellation that comes while a session logs in, when there is nothing yet to be ended on the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from servers.cut_off import cut_off
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.connections import mysql, postgres
from dvt.connections.connection import Connection
from dvt.connections.spec import ConnectionSpec
from dvt.errors import InterruptedRunError
from dvt.federation.registry import extractor_class, loader_class
from dvt.identifiers import Relation


def _check(spec: ConnectionSpec, port: int, output: dict[str, Any], part: str) -> None:
    gate = threading.Event()
    with cut_off(port, 1 << 30, of_the_client=False, gate=gate) as proxy:
        connection = Connection.from_output("shop", {**output, "port": proxy}, spec)
        made = (extractor_class if part == "extractor" else loader_class)(spec.type)(connection)
        ask: Callable[[], object] = made.ping if part == "extractor" else lambda: made.describe(Relation("t"))
        with made, ThreadPoolExecutor(1) as pool:
            running = pool.submit(ask)
            time.sleep(0.5)
            made.cancel()
            gate.set()
            with pytest.raises(InterruptedRunError):
                running.result(30)


@pytest.mark.mysql
@pytest.mark.parametrize("part", ["extractor", "loader"])
def test_mysql(mariadb_server: MariaDBServer, part: str) -> None:
    _check(mysql.SPEC, mariadb_server.port, mariadb_server.output("mysql"), part)


@pytest.mark.postgres
@pytest.mark.parametrize("part", ["extractor", "loader"])
def test_postgres(postgres_server: PostgresServer, part: str) -> None:
    _check(postgres.SPEC, postgres_server.port, postgres_server.output(), part)
