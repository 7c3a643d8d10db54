"""Filling a private table: what a method is given, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from dvt.federation.extractors.methods import Method
from dvt.federation.loaders.pieces import halved
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation
from dvt.types.landing_texts import named
from dvt.types.native_fits import fits


@dataclass(frozen=True)
class Filling:
    """A private table that is made and empty, and the rows for it.

    Args:
        relation: The table.
        stream: Read once, to its end, by one method.
        types: The native types of its columns, in the stream's order.
        batch_rows: Rows sent at a time.
        check: Raises when the load was cancelled.
        declared: Those of the types that a contract declares.
    """

    relation: Relation
    stream: RowStream
    types: list[str]
    batch_rows: int
    check: Callable[[], None]
    declared: Mapping[str, str]

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self.stream.schema

    def fitting(self, batch: pa.RecordBatch, dialect: str) -> pa.RecordBatch:
        """The same batch, for methods over which the server does not name the column of a value that does not fit.

        Raises:
            DataError: A value has no place in its column's type, as far as its name says.
        """
        for column, name, native in zip(batch.columns, self.schema.names, self.types, strict=True):
            named(fits(native, dialect), column, name, f"a column of type {native}")
        return batch

    def batches(self, most_bytes: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `batch_rows`; asks before each whether the load is still wanted.

        Args:
            most_bytes: Batches that are larger are cut again, for rows that are wide.
        """
        self.check()
        while (batch := self.stream.read_batch(self.batch_rows)) is not None:
            for piece in halved(batch, most_bytes):
                self.check()
                yield piece


@dataclass(frozen=True)
class Filled:
    """What a method did.

    Args:
        taken: Rows that the engine said it took, None where it says nothing.
        bytes: Bytes sent; the stream's own when not given.
        given: Rows that were sent, where the stream's batches were not read (undecoded rows).
        is_count: Whether what it took is what the relation holds, by the engine itself; else the base counts the rows.
    """

    taken: int | None = None
    bytes: int | None = None
    given: int | None = None
    is_count: bool = False


@dataclass(frozen=True)
class LoadMethod(Method):
    """One method of a loader's chain streaming -> buffered -> JDBC. The first that lacks nothing is taken.

    Args:
        fill: Sends the rows. After it has begun no other method is tried.
    """

    fill: Callable[[Filling], Filled] = field(kw_only=True)
