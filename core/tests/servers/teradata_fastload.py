"""FastLoad in the double of Teradata's driver, as the driver's "FastLoad" chapter has it.

It fills empty tables only, in several batches while nothing commits by itself; drops rows that are equal in all
columns, and tells of it in its warnings; takes each column's type from the first row, where a NULL is one of texts, as
a column of NULLs alone is in any batch; goes on past rows that do not fit, which it tells of as errors; keeps two error
tables beside the table. What it tells is kept until the next batch, commit or rollback, for who asks with the text of
the INSERT. The words of its errors are guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from servers.driver_double import parts
from servers.teradata_driver import _DATABASE, _DRIVER, _STACK, OperationalError

LOADS = frozenset({"teradata_require_fastload", "teradata_try_fastload"})
_ENDINGS = ("_ERR_1", "_ERR_2")


@dataclass
class FastLoading:
    """How FastLoads go in a system.

    Args:
        breaks_after: Rows after which the connection breaks; None for never.
        misfit: A value whose rows do not fit.
        misfits_when_applied: Whether that is found at the commit only.
        drops: Rows at the end that are dropped at the commit, as if they were there twice.
        tables: Those that are being loaded.
    """

    breaks_after: int | None = None
    misfit: Any = None
    misfits_when_applied: bool = False
    drops: int = 0
    tables: set[str] = field(default_factory=set)


class SessionLoad:
    """The FastLoad of one session.

    Args:
        server: The system.
        insert: Inserts rows as a batch does that is none of FastLoad.
    """

    def __init__(self, server: Any, insert: Callable[[str, list[list[Any]]], None]) -> None:
        self._server, self._insert = server, insert
        self._sql = self._table = self._errors = self._warnings = ""
        self._kinds: list[type] = []
        self._rows: list[list[Any]] = []
        self.is_open = False

    def send(self, sql: str, table: str, rows: list[list[Any]]) -> None:
        """One batch; the first begins it."""
        if not self.is_open:
            self._begin(sql, table, rows[0])
        assert sql == self._sql, "one FastLoad has one INSERT"
        self._errors = self._warnings = ""
        self._wait()
        how = self._server.fastloading
        for place, column in enumerate(zip(*rows, strict=True)):
            kinds = {type(value) for value in column if value is not None} or {str}
            if kinds != {self._kinds[place]}:
                words = f"parameter {place + 1} is {kinds}, and was {self._kinds[place].__name__} in the first row"
                raise OperationalError(f"{_DRIVER}{words}{_STACK}")
        if how.breaks_after is not None and len(self._rows) + len(rows) > how.breaks_after:
            raise OperationalError(f"{_DRIVER}EOF reading response message, connection reset by peer{_STACK}")
        self._rows += rows if how.misfits_when_applied else self._fitting(rows)

    def tells(self, function: str, sql: str) -> str:
        """What is kept for who asks with the text of the INSERT."""
        if sql != self._sql:
            return ""
        told = {"teradata_get_errors": self._errors, "teradata_get_warnings": self._warnings}
        return told.get(function, "4242")

    def end(self, word: str) -> None:
        """COMMIT or ROLLBACK; of the error tables those without rows go at a commit."""
        if not self.is_open:
            return
        self.is_open = False
        name = parts(self._table)[-1]
        self._server.fastloading.tables.discard(name)
        if word == "rollback":
            return
        self._errors = self._warnings = ""
        rows = self._fitting(self._rows)
        kept = [list(row) for row in dict.fromkeys(map(tuple, rows))]
        kept = kept[: len(kept) - self._server.fastloading.drops]
        if len(kept) < len(rows):
            self._warnings = f"{_DATABASE}[Error 2816] {len(rows) - len(kept)} rows were dropped as duplicates."
        self._insert(self._sql, kept)
        if not self._errors:
            for ending in _ENDINGS:
                self._server.execute(f'drop table "{name}{ending}"')

    def _begin(self, sql: str, table: str, first: list[Any]) -> None:
        server, name = self._server, parts(table)[-1]
        if name not in server.listed():
            raise OperationalError(f"{_DATABASE}[Error 3807] Object '{name}' does not exist.{_STACK}")
        if server.content(name):
            raise OperationalError(f"{_DATABASE}[Error 2636] {name} must be empty for Fast Loading.{_STACK}")
        self._sql, self._table, self._rows = sql, table, []
        self._kinds = [str if value is None else type(value) for value in first]
        for ending in _ENDINGS:
            server.execute(f'create multiset table "{name}{ending}" ("ErrorCode" INTEGER)')
        server.fastloading.tables.add(name)
        self.is_open = True

    def _fitting(self, rows: list[list[Any]]) -> list[list[Any]]:
        misfit = self._server.fastloading.misfit
        found = [place for row in rows for place, value in enumerate(row) if misfit is not None and value == misfit]
        if not found:
            return rows
        names = list(self._server.sql.natives("kit", parts(self._table)[-1]))
        words = f"{len(found)} rows do not fit, ErrorFieldName {names[found[0]]}"
        self._errors = f"{_DATABASE}[Error 2673] {words}{_STACK}"
        return [row for row in rows if misfit not in row]

    def _wait(self) -> None:
        server = self._server
        while server.hangs.is_set():
            server.is_hanging.set()
            if server.cancelled.wait(0.005):
                raise OperationalError(f"{_DATABASE}[Error 3110] The transaction was aborted by the user.{_STACK}")
