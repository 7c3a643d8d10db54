"""A session for dbt over an extractor: for engines that are only read, and whose client is not used as DB-API."""

from __future__ import annotations

import re
from typing import Any

from dvt.errors import UnsupportedError
from dvt.federation.extractors.base import BaseExtractor

# dbt brackets what it runs; where nothing lands there is nothing to bracket.
_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


class ReadingSession:
    """As much of a DB-API connection as dbt asks for.

    Args:
        extractor: What reads; the session ends it.
    """

    def __init__(self, extractor: BaseExtractor) -> None:
        self.extractor = extractor

    def cursor(self) -> ReadingCursor:
        """A new cursor."""
        return ReadingCursor(self.extractor)

    def commit(self) -> None:
        """Nothing is written."""

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
        if bindings:
            raise UnsupportedError(f"statements on type {self._extractor.connection.type} take no bindings")
        with self._extractor.extract_stream(sql) as stream:
            self.description = [(c.name, c.native_type, None, None, None, None, None) for c in stream.columns]
            for batch in stream.batches():
                columns = [column.to_pylist() for column in batch.columns]
                self._rows += zip(*columns, strict=True)

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


class ReadingDialect:
    """What is the same for all engines that are only read.

    Args:
        type_: The connection type.
    """

    quote_character = '"'

    def __init__(self, type_: str) -> None:
        self.type = type_

    def open(self, connection: Any) -> ReadingSession:
        """A session over the engine's extractor, logged in."""
        from dvt.federation.registry import extractor_class

        extractor = extractor_class(self.type)(connection)
        try:
            extractor.ping()
        except BaseException:
            extractor.close()
            raise
        return ReadingSession(extractor)

    def translate(self, error: BaseException, connection: Any) -> None:
        """Extractors raise dvt's errors."""
        return

    def bindings(self, values: Any) -> Any:
        """They are refused."""
        return values

    def create_schema_sql(self, quoted: str) -> str | None:
        raise self._refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise self._refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise self._refusal()

    def cancel(self, handle: Any, connection: Any) -> None:
        """End what runs."""
        handle.extractor.cancel()

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(f"nothing can land on type {self.type}: dvt only reads it")
