"""Whether a generic connection holds what it was sent: each value is read back, and columns are compared by hashes.

A driver that nobody knows may round, cut, pad or move a value without a word. So what a table holds is summed up,
column by column and row by row, once while it is sent and once while it is read, by sums that no order changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import pyarrow as pa

from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.extractors.generic import GenericExtractor
from dvt.federation.extractors.generic_method import Method
from dvt.identifiers import Relation
from dvt.types.generic_compare import comparable, declared_for, read_as

_REMEDY = "Mend the value in the model, declare another type, or use the engine's own connection type"
_UNREAD = "Cast the column in the model, or say dvt.check_loads: count, which trusts the driver"


class Sums:
    """What batches add up to: by column the values that are there and their hashes, and the hashes of rows."""

    def __init__(self, width: int) -> None:
        import duckdb

        self._session = duckdb.connect(":memory:", config={"threads": "1"})
        columns = [f"v{number}" for number in range(width)]
        asked = [f"count({name})" for name in columns]
        asked += [f"coalesce(sum(hash({name}) // 2), 0)" for name in columns]
        asked.append("".join(["coalesce(sum(hash(", ", ".join(columns), ") // 2), 0)"]))
        self._names, self._sql = columns, " ".join(["select", ", ".join(asked), "from batch"])
        self.found: list[Decimal] = [Decimal(0)] * len(asked)

    def add(self, columns: Sequence[pa.Array]) -> None:
        """Count a batch in."""
        self._session.register("batch", pa.RecordBatch.from_arrays(list(columns), self._names))
        (row,) = self._session.execute(self._sql).fetchall()
        self._session.unregister("batch")
        self.found = [total + Decimal(more) for total, more in zip(self.found, row, strict=True)]

    def first_difference(self, other: Sums) -> int | None:
        """The first column that differs; as many as there are columns for rows of which the columns do not differ."""
        width = len(self._names)
        for number in range(width):
            if (self.found[number], self.found[width + number]) != (other.found[number], other.found[width + number]):
                return number
        return None if self.found[-1] == other.found[-1] else width


class ReadBack:
    """One load's comparison: `passing` sees what is sent, `check` reads it back.

    Args:
        schema: Of what is sent.
        truth_is_a_number: Whether a truth value lands as a number.
        remedy: What to do about a table that holds something else.
        unread: What to do about one that cannot be read back.
    """

    def __init__(
        self, schema: pa.Schema, *, truth_is_a_number: bool, remedy: str = _REMEDY, unread: str = _UNREAD
    ) -> None:
        self._schema, self._remedy, self._unread = schema, remedy, unread
        self._sent = Sums(len(schema))
        said = ((field.name, declared_for(field.type, truth_is_a_number=truth_is_a_number)) for field in schema)
        self._declared: Mapping[str, str] = {name: type_ for name, type_ in said if type_}

    def passing(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches."""
        for batch in batches:
            self._sent.add([comparable(column) for column in batch.columns])
            yield batch

    def check(self, extractor: BaseExtractor, relation: Relation) -> None:
        """Read a table and compare.

        Raises:
            DataError: It holds other values; the column is named.
            UnsupportedError: A column cannot be read, so that nobody knows what it holds.
        """
        names = tuple(self._schema.names)
        found = Sums(len(names))
        for batch in self._read(extractor, ExtractionConfig(relation=relation, columns=names, declared=self._declared)):
            found.add([self._as_sent(*pair) for pair in zip(batch.columns, self._schema, strict=True)])
        place = self._sent.first_difference(found)
        if place is not None:
            column = names[place] if place < len(names) else ", ".join(names)
            raise DataError("the database does not hold the values that were sent", column=column, remedy=self._remedy)

    def _read(self, extractor: BaseExtractor, request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        try:
            with extractor.scan(request) as stream:
                yield from stream.batches()
        except (DataError, UnsupportedError) as error:
            if error.phase == "load":  # it was read, and is another
                raise
            raise UnsupportedError(
                f"what was loaded cannot be read back, so that it is not known whether it is right: {error.message}",
                column=error.column,
                remedy=self._unread,
            ) from error

    def _as_sent(self, array: pa.Array, field: pa.Field) -> pa.Array:
        try:
            return comparable(read_as(array, field.type))
        except (ValueError, pa.ArrowException) as error:
            raise DataError(
                f"the database does not hold the values of type {field.type} that were sent: {error}",
                column=field.name,
                phase="load",
                remedy=self._remedy,
            ) from error


class SameSession(GenericExtractor):
    """Reads through a session that another one has opened, and leaves it open.

    A database in a file may not be opened twice, and what a session has not committed no other one sees.
    """

    def __init__(self, method: Method) -> None:
        super().__init__(method.connection)
        self._method = method

    def _opened(self) -> Method:
        assert self._method is not None, "it is never dropped"
        return self._method

    def _drop(self) -> None:
        """The session is another's."""

    def _abandon(self, method: Method) -> None:
        """The session is another's."""
