"""An engine read through its JDBC driver, because its own client is not there or not wanted: the last method."""

from __future__ import annotations

from collections.abc import Sequence

from dvt.connections.connection import Connection
from dvt.connections.jdbc_ways import jdbc_connection
from dvt.federation.extractors.generic import GenericExtractor
from dvt.federation.extractors.methods import BUFFERED, JDBC, STREAMING, Method


class JdbcExtractor(GenericExtractor):
    """Reads an engine's own output over JDBC.

    Args:
        connection: The engine's own.
        why: Why its own client does not read.
    """

    kinds = frozenset({JDBC})

    def __init__(self, connection: Connection, why: str) -> None:
        super().__init__(jdbc_connection(connection))
        self._why = why

    def methods(self) -> Sequence[Method]:
        """The engine's own client, of which it is known that it does not read, then JDBC."""
        return (
            Method(STREAMING, STREAMING, lambda: self._why),
            Method(BUFFERED, BUFFERED, lambda: self._why),
            Method(JDBC, JDBC),
        )
