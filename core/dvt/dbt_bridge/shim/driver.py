"""A session for dbt over a driver, of an engine that is only read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dvt.dbt_bridge.shim.read_only import ReadOnlyDialect, is_bracket


class DriverCursor:
    """A driver's cursor, past which dbt's brackets go."""

    def __init__(self, cursor: Any, said: Callable[[str], str]) -> None:
        self.driver = cursor
        self._said = said

    def execute(self, sql: str, bindings: Any = None) -> None:
        """Run one statement."""
        if not is_bracket(sql):
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


class DriverDialect(ReadOnlyDialect):
    """A dialect over a driver, which takes bindings as a list."""

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return list(values)
