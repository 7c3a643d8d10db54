"""A session for dbt over an extractor: for engines that are only read, and whose client is not used as DB-API."""

from __future__ import annotations

from typing import Any

from dvt.dbt_bridge.shim.read_only import HeldRows, ReadOnlyDialect, is_bracket
from dvt.errors import UnsupportedError
from dvt.federation.extractors.base import BaseExtractor


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


class ReadingCursor(HeldRows):
    """A cursor over what an extractor reads."""

    def __init__(self, extractor: BaseExtractor) -> None:
        super().__init__()
        self.extractor = extractor

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one query."""
        self._rows, self.description = [], []
        if is_bracket(sql):
            return
        if bindings:
            raise UnsupportedError(f"statements on type {self.extractor.connection.type} take no bindings")
        with self.extractor.extract_stream(sql) as stream:
            self.description = [(c.name, c.native_type, None, None, None, None, None) for c in stream.columns]
            for batch in stream.batches():
                columns = [column.to_pylist() for column in batch.columns]
                self._rows += zip(*columns, strict=True)


class ReadingDialect(ReadOnlyDialect):
    """What is the same for all engines that are read by their extractors."""

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

    def cancel(self, handle: Any, connection: Any) -> None:
        """End what runs."""
        handle.extractor.cancel()
