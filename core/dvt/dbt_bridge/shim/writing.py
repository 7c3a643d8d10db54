"""A session for dbt over an extractor and a loader: for engines on which models land, not through a DB-API client."""

from __future__ import annotations

import re
from typing import Any

from dvt.dbt_bridge.shim.read_only import bracket
from dvt.dbt_bridge.shim.reading import ReadingCursor, ReadingDialect, ReadingSession
from dvt.federation.loaders.sql import SQLLoader

_QUERY = re.compile(r"(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*\(*\s*(?:select|with)\b")


class WritingSession(ReadingSession):
    """Queries go to the extractor, other statements to the loader.

    A query sees nothing of a transaction that is open: nothing that dbt runs between a landing's statements asks.

    Args:
        extractor: What reads; the session ends it.
        loader: What writes; the session ends it too.
    """

    def __init__(self, extractor: Any, loader: SQLLoader) -> None:
        super().__init__(extractor)
        self.loader = loader
        self._is_open = False

    def cursor(self) -> WritingCursor:
        """A new cursor."""
        return WritingCursor(self)

    def run(self, sql: str) -> None:
        """Run one statement that gives no rows."""
        with self.loader.guarded("land", None):
            word = bracket(sql)
            if word is None:
                self.loader.run(sql)
            elif (word == "begin") is not self._is_open:
                {"begin": self.loader.begin, "commit": self.loader.commit, "rollback": self.loader.roll_back}[word]()
                self._is_open = word == "begin"

    def rollback(self) -> None:
        """Undo what is open."""
        self.run("rollback")

    def close(self) -> None:
        """End both."""
        self.loader.close()
        super().close()


class WritingCursor(ReadingCursor):
    """A cursor of such a session."""

    def __init__(self, session: WritingSession) -> None:
        super().__init__(session.extractor)
        self._session = session
        self.loader = session.loader

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if bindings or _QUERY.match(sql):
            super().execute(sql, bindings)
            return
        self._rows, self.description = [], []
        self._session.run(sql)


class WritingDialect(ReadingDialect):
    """What is the same for all engines that are written by their loaders."""

    def open(self, connection: Any) -> ReadingSession:
        """A session, logged in."""
        from dvt.federation.registry import loader_class

        loader: Any = loader_class(self.type)(connection)
        return WritingSession(super().open(connection).extractor, loader)

    def cancel(self, handle: Any, connection: Any) -> None:
        """End what runs."""
        handle.loader.cancel()
        handle.extractor.cancel()

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create schema if not exists " + quoted

    def truncate_sql(self, quoted: str) -> str:
        # Not TRUNCATE, which commits: readers could see an empty table.
        return " ".join(["delete from", quoted])

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["create or replace view " + quoted + " as", query])]
