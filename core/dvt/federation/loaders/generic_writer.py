"""What the four ways to write to a generic connection have in common: each is the method of reading, and writes too."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.federation.extractors.generic_method import Method
from dvt.federation.extractors.methods import BUFFERED
from dvt.identifiers import Relation
from dvt.types.generic import Convert
from dvt.types.generic_landing import Family, checked
from dvt.types.landing_texts import named
from dvt.types.native_fits import Check


@dataclass(frozen=True)
class Sending:
    """How a column's values are sent.

    Args:
        name: The column.
        fits: Raises ValueError for a value that has no place in its type.
        family: What is known of the database's types.
    """

    name: str
    fits: Check
    family: Family

    def sent(self, array: pa.Array, values: Convert) -> pa.Array:
        """What the driver is given.

        Args:
            array: The values.
            values: What the method makes of them.

        Raises:
            DataError: A value has no place; the column is named.
        """

        def checked_values(array: pa.Array) -> pa.Array:
            return values(checked(self.fits(array), self.family))

        return named(checked_values, array, self.name, "the column's type")


@dataclass(frozen=True)
class Rows:
    """Rows on their way into a table.

    Args:
        relation: The table.
        schema: Its columns.
        batches: Their values, in batches of which none is large.
        check: Raises when the load was cancelled.
        columns: How each column is sent.
    """

    relation: Relation
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    check: Callable[[], None]
    columns: Sequence[Sending]

    def sent(self, values: Convert, batch: pa.RecordBatch) -> list[pa.Array]:
        """A batch as the driver is given it."""
        return [column.sent(array, values) for column, array in zip(self.columns, batch.columns, strict=True)]


class Writer(Method):
    """One session, in which a statement is a transaction of its own until one is begun."""

    load_name: str
    kind: str = BUFFERED
    family: Family
    _session: Any
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

    def commit(self) -> None:
        """End the transaction."""
        self._session.commit()
        self._is_open = False

    def roll_back(self) -> None:
        """Undo the transaction."""
        self._session.rollback()
        self._is_open = False
