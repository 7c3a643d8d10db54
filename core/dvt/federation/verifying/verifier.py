"""Compares what was sent with what the database holds, before anybody sees it."""

from __future__ import annotations

from collections.abc import Container, Iterator

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.errors import UnsupportedError, VerificationError
from dvt.federation.hashing.statement import family
from dvt.federation.hashing.words import HASH_WORDS, HashWords
from dvt.federation.registry import new_extractor
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.federation.verifying.checksum import Compared, Tally
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.question import checksum_of
from dvt.federation.verifying.words import SUM_WORDS, SumWords
from dvt.identifiers import Relation

# Differences that a message names.
_MOST_SHOWN = 3


class Verifier:
    """One load's comparison: `watched` goes to the loader, then `check` asks the database.

    Args:
        level: SUMS or HASH.
        connection: Where the rows land.
        declared: The columns whose type a contract declares: their values may become others, and only those that are
            not NULL are counted.

    Raises:
        UnsupportedError: The engine has no words for the level.
    """

    def __init__(self, level: Verify, connection: Connection, declared: Container[str] = ()) -> None:
        self._sums, self._hashes = words_of(level, connection)
        self._level, self._connection, self._declared = level, connection, declared
        self._columns: list[Compared] = []
        self._tally = Tally(())

    def watched(self, stream: RowStream) -> RowStream:
        """The same rows, added up as they pass; they are decoded, also where they might go through as they are."""
        self._columns = [self._compared(column) for column in stream.columns]
        self._tally = Tally(self._columns)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in stream.batches():
                self._tally.add(batch)
                yield batch

        return RowStream(
            stream.columns,
            batches(),
            close=stream.close,
            estimated_row_count=stream.estimated_row_count,
            method=stream.method,
            how=stream.how,
        )

    def check(self, relation: Relation, target: Relation) -> None:
        """Compare what passed with what lies in a private relation.

        Args:
            relation: Where it lies; another session can see it.
            target: What it is to become, for the message.

        Raises:
            VerificationError: They differ; the first column is named.
        """
        with new_extractor(self._connection) as extractor:
            there = checksum_of(extractor, relation, self._columns, self._sums, self._hashes)
        found = self._tally.checksum.differences(there)
        if found:
            raise VerificationError(
                "; ".join(found[:_MOST_SHOWN]),
                connection=self._connection.name,
                relation=str(target),
                phase="verify",
                remedy="Nothing was put in place. Run again; if it stays, report it with the columns' types",
            )

    def _compared(self, column: ColumnSchema) -> Compared:
        is_boolean = pa.types.is_boolean(column.type)
        kind = family(column.type)
        is_number = is_boolean and not self._sums.has_booleans
        if column.name in self._declared:
            return Compared(column.name, column.type)
        said = "integer" if is_number else kind
        has_same_text = bool(said) and said != "double" and said not in self._sums.unlike
        is_hashed = self._level is Verify.HASH and has_same_text and bool(getattr(self._hashes, said))
        return Compared(column.name, column.type, self._scale(column.type), is_hashed, is_number)

    def _scale(self, type_: pa.DataType) -> int | None:
        if pa.types.is_integer(type_):
            return 0
        if pa.types.is_decimal(type_) and type_.scale >= 0 and type_.precision <= self._sums.most_digits:
            return int(type_.scale)
        return None


def words_of(level: Verify, connection: Connection) -> tuple[SumWords, HashWords]:
    """What is said in the engine's own SQL for a level.

    Raises:
        UnsupportedError: The engine has no words for it.
    """
    sums, hashes = SUM_WORDS.get(connection.type), HASH_WORDS.get(connection.type)
    if sums is None or hashes is None:
        raise UnsupportedError(
            f"tables of type {connection.type} cannot be compared by {level.value}",
            connection=connection.name,
            phase="plan",
            remedy="Ask for `count`, which every load does",
        )
    return sums, hashes
