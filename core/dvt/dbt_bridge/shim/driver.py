"""A session for dbt over a driver, of an engine that is only read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from dvt.errors import UnsupportedError

# dbt brackets what it runs. A session that only reads has nothing to commit, and these words may mean something else.
_BRACKETS = re.compile(r"(?i)^\s*(begin|commit|rollback)\s*;?\s*$")


class DriverCursor:
    """A driver's cursor, past which dbt's brackets go."""

    def __init__(self, cursor: Any, said: Callable[[str], str]) -> None:
        self.driver = cursor
        self._said = said

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if not _BRACKETS.match(sql):
            self.driver.execute(self._said(sql), *([] if bindings is None else [bindings]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)


class DriverSession:
    """A driver's session, and the cursor that it was asked for last.

    Args:
        driver: The driver's own session.
        said: Puts a statement of dbt's into words that the engine takes.
    """

    def __init__(self, driver: Any, said: Callable[[str], str] = str) -> None:
        self.driver = driver
        self._said = said
        self.last: Any = None

    def cursor(self) -> DriverCursor:
        """A new cursor."""
        self.last = self.driver.cursor()
        return DriverCursor(self.last, self._said)

    def rollback(self) -> None:
        """There is nothing to undo."""

    def close(self) -> None:
        """End the session."""
        self.driver.close()


class DriverDialect:
    """The parts of a dialect that would write, refused."""

    name = ""
    quote_character = '"'

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return list(values)

    def create_schema_sql(self, quoted: str) -> str | None:
        raise self._refusal()

    def truncate_sql(self, quoted: str) -> str:
        raise self._refusal()

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise self._refusal()

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(f"nothing can land on type {self.name}: dvt only reads it")
