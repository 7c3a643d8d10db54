"""Whether a port answers, asked before a driver that would try for minutes; and how often a log-in is tried again."""

from __future__ import annotations

import socket

from dvt.connections.connection import Connection
from dvt.connections.retrying import NETWORK_WORDS, Retries, always, says, squares, widened
from dvt.errors import ConnectionFailedError

# The last two: a cluster that starts, in the words by which dbt's adapters of Spark know it.
_MAY_PASS = says(*NETWORK_WORDS, "pending", "temporarily_unavailable")


def tried_again(connection: Connection, *, retries: int = 0, wait_s: float | None = 10) -> Retries:
    """How often a log-in is tried again: `connect_retries`, `connect_timeout` and `retry_all` of the output.

    Args:
        connection: Its `connect_timeout` is the wait between two attempts, as in the stock adapters.
        retries: The adapter's default for `connect_retries`.
        wait_s: Its default for `connect_timeout`; None for waits that grow.
    """
    pause_s = connection.first("connect_timeout", default=wait_s)
    return Retries(
        int(connection.first("connect_retries", default=retries)),
        widened(_MAY_PASS, connection),
        squares if pause_s is None else always(float(pause_s)),
    )


def require_port(connection: Connection, host: str, port: int) -> None:
    """Open and close a connection to a port.

    Raises:
        ConnectionFailedError: Nothing answers within `dvt.connect_timeout_s`, or the name is unknown.
    """
    timeout_s = int(connection.options["connect_timeout_s"])
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError as error:
        raise ConnectionFailedError(
            f"{host}:{port} does not answer: {error}",
            connection=connection.name,
            phase="connect",
            remedy="Check host, port and network",
        ) from error
