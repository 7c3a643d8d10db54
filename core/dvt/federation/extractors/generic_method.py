"""What the four ways to read a generic connection have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig
from dvt.types.generic import Reading


@dataclass(frozen=True)
class Statement:
    """What is sent.

    Args:
        sql: The query.
        describing: One with the same columns and, where that can be had without parsing a user's query, no rows.
        declared: Types that the project declares, by column name.
        batch_rows: Rows in one batch.
        limit: Rows that are wanted; None for all.
        request: What it was made for, where that is to be cut into parts.
    """

    sql: str
    describing: str
    declared: Mapping[str, str] = field(default_factory=dict)
    batch_rows: int = 50_000
    limit: int | None = None
    request: ExtractionConfig | None = None


@dataclass(frozen=True)
class Opened:
    """A query that runs.

    Args:
        columns: How each column is read, in the query's order.
        batches: The columns' values as the driver gives them, one array for each column.
    """

    columns: list[Reading]
    batches: Iterator[list[pa.Array]]


class Method(ABC):
    """One session through one kind of driver."""

    name: str

    def __init__(self, connection: Connection, dialect: str) -> None:
        self.connection = connection
        self.dialect = dialect

    @property
    @abstractmethod
    def errors(self) -> tuple[type[BaseException], ...]:
        """What the driver raises."""

    @abstractmethod
    def connect(self) -> None:
        """Log in; does nothing when that was done."""

    @abstractmethod
    def version(self) -> str:
        """What the database or the driver calls itself."""

    @abstractmethod
    def open(self, statement: Statement) -> Opened:
        """Run a query; what is read of it is read batch by batch."""

    @abstractmethod
    def cancel(self) -> None:
        """End a running query from another thread, as far as the driver can."""

    @abstractmethod
    def close(self) -> None:
        """End the session; closing twice is allowed."""

    def describe(self, statement: Statement) -> list[Reading]:
        """The columns of a query, from the driver's description of its result."""
        return self.open(statement).columns
