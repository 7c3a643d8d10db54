"""Whether a port answers, asked before a driver that would try for minutes."""

from __future__ import annotations

import socket
import time

from dvt.connections.connection import Connection
from dvt.errors import ConnectionFailedError


def require_port(connection: Connection, host: str, port: int) -> None:
    """Open and close a connection to a port; as often as the output's `connect_retries` says.

    Raises:
        ConnectionFailedError: Nothing answers within `dvt.connect_timeout_s`, or the name is unknown.
    """
    wait_s = int(connection.options["connect_timeout_s"])
    attempts = 1 + int(connection.first("connect_retries", default=0))
    for attempt in range(1, attempts + 1):
        try:
            socket.create_connection((host, port), timeout=wait_s).close()
        except OSError as error:
            if attempt == attempts:
                raise ConnectionFailedError(
                    f"{host}:{port} does not answer: {error}",
                    connection=connection.name,
                    phase="connect",
                    remedy="Check host, port and network",
                ) from error
            time.sleep(min(int(connection.first("connect_timeout", default=1)), wait_s))
        else:
            return
