"""What a session of the SQL Server fake does beside answering queries: transactions, renames, bulk loads."""

from __future__ import annotations

import re
from collections.abc import Callable

from servers import tds
from servers.fake_cursor import FakeCursor
from servers.sqlserver_sql import Engine
from servers.tds_bulk import bulk_answer, bulk_rows

_SETTING = re.compile(r"(?i)^\s*(set|use)\b")
_TRANSACTION = re.compile(r"(?i)^\s*(?:if @@trancount > 0 )?(begin|commit|rollback)(?: tran(?:saction)?)?\s*$")
_RENAME = re.compile(r"(?s)^exec (?:\[\w+\]\.)?sys\.sp_rename N'((?:[^']|'')*)', N'((?:[^']|'')*)', 'OBJECT'$")
_BULK_TABLE = re.compile(r"(?s)^SELECT @@TRANCOUNT;.*? INT = OBJECT_ID\(N'((?:[^']|'')*)'\)")
_DROPPED = re.compile(r"(?s)^drop table (?:if exists )?(.*)$")


class Locks:
    """Tables into which a bulk load goes, by session: nobody drops them meanwhile."""

    def __init__(self) -> None:
        self.loading: dict[int, str] = {}

    def holds(self, sql: str) -> bool:
        """Whether a statement would drop such a table."""
        dropped = _DROPPED.match(sql)
        return dropped is not None and _bare(dropped.group(1)) in map(_bare, list(self.loading.values()))


class Writing:
    """One session's transaction and bulk load.

    Args:
        engine: The database.
        locks: Of all sessions.
        number: The session's.
    """

    def __init__(self, engine: Engine, locks: Locks, number: int) -> None:
        self._engine, self._locks, self._number = engine, locks, number
        self._when_committed: list[Callable[[], None]] = []
        self._bulk_table = ""
        self.cursor: FakeCursor | None = None

    @property
    def is_loading(self) -> bool:
        """Whether a bulk load is to come."""
        return self._number in self._locks.loading

    def begin(self) -> None:
        """Begin a transaction."""
        self.cursor = self.cursor or self._engine.begun()

    def end(self, word: str) -> None:
        """Commit or roll back."""
        cursor, self.cursor = self.cursor, None
        due, self._when_committed = self._when_committed, []
        if cursor is None:
            return
        self._engine.ended(cursor, word)
        if word == "commit":
            for act in due:
                act()

    def over(self) -> None:
        """The session is gone, or its bulk load is off."""
        self._locks.loading.pop(self._number, None)

    def loaded(self, body: bytes) -> bytes:
        """The answer to a bulk load's rows, which are there then, all of them."""
        try:
            return tds.done(self._engine.loaded(self._bulk_table, bulk_rows(body)))
        finally:
            self.over()

    def answer(self, sql: str) -> bytes | None:
        """The answer to a statement that is none of DuckDB's; None for all others."""
        if bracket := _TRANSACTION.match(sql):
            word = bracket.group(1).lower()
            self.begin() if word == "begin" else self.end(word)
        elif renaming := _RENAME.match(sql):
            self._rename(*(text.replace("''", "'") for text in renaming.groups()))
        elif asked := _BULK_TABLE.match(sql):
            self._bulk_table = asked.group(1).replace("''", "'")
            return bulk_answer(self._engine.query(f"select top 0 * from {self._bulk_table}", self.cursor)[0])
        elif sql.startswith("INSERT BULK "):
            self._locks.loading[self._number] = self._bulk_table
        elif sql.strip() and not _SETTING.match(sql):
            return None
        return tds.done()

    def _rename(self, name: str, new: str) -> None:
        done = self._engine.renamed(name, new, self.cursor)
        done() if self.cursor is None else self._when_committed.append(done)


def _bare(name: str) -> str:
    return re.sub(r'[\[\]"]', "", name)
