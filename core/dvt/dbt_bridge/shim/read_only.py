"""What sessions for dbt share of engines that are only read: small results, and refusals of all that writes."""

from __future__ import annotations

import re
from typing import Any

from dvt.errors import UnsupportedError

_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


def is_bracket(sql: str) -> bool:
    """Whether a statement is one of those that dbt brackets what it runs with.

    Where nothing lands there is nothing to bracket, and the words may mean something else.
    """
    return bracket(sql) is not None


def bracket(sql: str) -> str | None:
    """Which of them a statement is: "begin", "commit" or "rollback"; None for another one."""
    found = _BRACKETS.match(sql)
    return None if found is None else found.group(1).lower()


class HeldRows:
    """A cursor over small results, which are held whole."""

    rowcount = -1

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self.description: list[tuple[Any, ...]] = []

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
        """Nothing is held at the server."""


class ReadOnlyDialect:
    """The parts of a dialect that would write, refused.

    Args:
        type_: The connection type.
    """

    quote_character = '"'

    def __init__(self, type_: str) -> None:
        self.type = type_

    def bindings(self, values: Any) -> Any:
        """As they are."""
        return values

    def create_schema_sql(self, quoted: str) -> str | None:
        raise self._refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise self._refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise self._refusal()

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(f"nothing can land on type {self.type}: dvt only reads it")
