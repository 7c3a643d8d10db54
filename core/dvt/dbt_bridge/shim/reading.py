"""A DB-API connection over an extractor: what dbt asks of an engine that dvt only reads, through the same reader."""

from __future__ import annotations

import re
from typing import Any

from dvt.connections.connection import Connection
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.registry import extractor_class

# dbt brackets what it runs; each reading is a statement of its own.
_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


class ReadingSession:
    """As much of a DB-API connection as dbt asks for."""

    def __init__(self, connection: Connection) -> None:
        self.extractor: BaseExtractor = extractor_class(connection.type)(connection)
        self.extractor.ping()

    def cursor(self) -> ReadingCursor:
        """A new cursor."""
        return ReadingCursor(self.extractor)

    def commit(self) -> None:
        """There is nothing to commit."""

    def close(self) -> None:
        """End the session."""
        self.extractor.close()


class ReadingCursor:
    """A cursor over small results, which are read whole."""

    rowcount = -1

    def __init__(self, extractor: BaseExtractor) -> None:
        self._extractor = extractor
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] = []

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one query."""
        self._rows, self.description = [], []
        if _BRACKETS.match(sql):
            return
        with self._extractor.scan(ExtractionConfig(query=sql)) as stream:
            self.description = [(c.name, c.native_type, None, None, None, None, None) for c in stream.columns]
            for batch in stream.batches():
                self._rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))

    def fetchone(self) -> Any:
        """The next row, None at the end."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> list[Any]:
        """The next rows."""
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> list[Any]:
        """All remaining rows."""
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        """Nothing is held."""
