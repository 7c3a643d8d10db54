"""What the four ways to write to a generic connection have in common: each is the method of reading, and writes too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.federation.extractors.generic_method import Method
from dvt.identifiers import Relation
from dvt.types.generic_landing import Family


@dataclass(frozen=True)
class Rows:
    """Rows on their way into a table.

    Args:
        relation: The table.
        schema: Its columns.
        batches: Their values, in batches of which none is large.
        batch_rows: Rows in one batch, at most.
        check: Raises when the load was cancelled.
        named: What makes of a column's values what is sent, or an error with the column's name.
    """

    relation: Relation
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    batch_rows: int
    check: Callable[[], None]
    named: Callable[[Callable[[pa.Array], pa.Array], pa.RecordBatch], list[pa.Array]]


class Writer(Method):
    """One session, in which a statement is a transaction of its own until one is begun."""

    load_name: str
    family: Family
    _is_open = False

    @abstractmethod
    def run(self, sql: str) -> None:
        """Run one statement."""

    @abstractmethod
    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""

    @abstractmethod
    def insert(self, rows: Rows) -> int | None:
        """Send rows; all of them are committed afterwards. Gives how many the driver says it took."""

    @abstractmethod
    def begin(self) -> None:
        """Open a transaction."""

    @abstractmethod
    def commit(self) -> None:
        """End the transaction."""

    @abstractmethod
    def roll_back(self) -> None:
        """Undo the transaction."""
