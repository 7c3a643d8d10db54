"""One statement on its way through the stand-in for Databricks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes

from servers.fake_sql import FakeCursor

STATE = ttypes.TOperationState


@dataclass
class Operation:
    """One statement on its way."""

    statement: str
    cursor: FakeCursor
    state: int = STATE.RUNNING_STATE
    error: tuple[str, str] = ("", "")
    table: pa.Table | None = None
    offset: int = 0
    is_lz4: bool = False
    is_linked: bool = False
    is_closed: bool = False
    is_staging: bool = False
    given: Mapping[str, str] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ended(self, state: int, error: tuple[str, str] = ("", "")) -> None:
        """It has come to an end, unless it was cancelled before."""
        with self.lock:
            if self.state != STATE.CANCELED_STATE:
                self.state, self.error = state, error
        self.done.set()
