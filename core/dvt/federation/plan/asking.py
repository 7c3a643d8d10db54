"""Questions to DuckDB about SQL itself: what a constant is, how a text is parsed. No data is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

_lock = threading.Lock()
_session: Any = None


def ask(sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
    """The first row of an answer; None when there is none. In UTC, in one session of the process. Thread-safe.

    To open a session costs more than to plan most queries.

    Raises:
        duckdb.Error: DuckDB refuses the question.
    """
    import duckdb

    global _session
    with _lock:
        if _session is None:
            _session = duckdb.connect(config={"threads": 1})
            _session.execute("set timezone = 'UTC'")
        found: tuple[Any, ...] | None = _session.execute(sql, list(parameters)).fetchone()
    return found
