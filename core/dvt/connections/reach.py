"""Whether a port answers, asked before a driver that would try for minutes."""

from __future__ import annotations

import socket
import threading

from dvt.connections.connection import Connection
from dvt.connections.retrying import NETWORK_WORDS, Retries, always, attempts, says, squares
from dvt.errors import ConnectionFailedError

_MAY_PASS = says(*NETWORK_WORDS)


def require_port(
    connection: Connection,
    host: str,
    port: int,
    *,
    retries: int = 0,
    wait_s: float | None = 10,
    cancelled: threading.Event | None = None,
) -> None:
    """Open and close a connection to a port; again as often as the output's `connect_retries` says.

    Args:
        connection: Its `connect_timeout` is the wait between two attempts, as in the stock adapters.
        host: Where.
        port: And on which port.
        retries: The adapter's default for `connect_retries`.
        wait_s: Its default for `connect_timeout`; None for waits that grow.
        cancelled: Ends the waiting for another attempt.

    Raises:
        ConnectionFailedError: Nothing answers within `dvt.connect_timeout_s`, or the name is unknown.
        InterruptedRunError: It was cancelled while it waited.
    """
    timeout_s = int(connection.options["connect_timeout_s"])

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=timeout_s).close()
        except OSError as error:
            raise ConnectionFailedError(
                f"{host}:{port} does not answer: {error}",
                connection=connection.name,
                phase="connect",
                remedy="Check host, port and network",
            ) from error

    pause_s = connection.first("connect_timeout", default=wait_s)
    policy = Retries(
        int(connection.first("connect_retries", default=retries)),
        _MAY_PASS,
        squares if pause_s is None else always(float(pause_s)),
    )
    attempts(attempt, policy, connection, cancelled=cancelled)
