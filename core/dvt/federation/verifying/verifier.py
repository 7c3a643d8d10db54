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
from dvt.types.vocabulary import MICROS

# Differences that a message names.
_MOST_SHOWN = 3
_ASK_FOR_COUNT = "Ask for `count`, which every load does"
_OR_A_DIALECT = ", or name in the output's `dialect` that of a known engine, if the server speaks it"
# Of a family that a value lands as, though it was sent as another.
_CARRIERS = {"integer": pa.int8(), "text": pa.string(), "timestamp": MICROS}


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
        if column.name in self._declared:
            return Compared(column.name, column.type)
        kind = family(column.type)
        said = self._sums.lands_as.get(kind, kind)
        has_same_text = said not in ("", "double", *self._sums.unlike) and not _has_nanoseconds(column.type)
        words = self._hashes if self._level is Verify.HASH else None
        is_hashed = words is not None and has_same_text and bool(getattr(words, said))
        lands_as = _CARRIERS[said] if said != kind else None
        return Compared(column.name, column.type, self._scale(column.type), is_hashed, lands_as)

    def _scale(self, type_: pa.DataType) -> int | None:
        if pa.types.is_integer(type_):
            return 0
        if pa.types.is_decimal(type_) and type_.scale >= 0 and type_.precision <= self._sums.most_digits:
            return int(type_.scale)
        return None


def _has_nanoseconds(type_: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(type_) and type_.unit == "ns")


def words_of(level: Verify, connection: Connection) -> tuple[SumWords, HashWords | None]:
    """What is said in the engine's own SQL for a level.

    Raises:
        UnsupportedError: The engine has no words for it.
    """
    is_generic = connection.type == "generic"
    engine = _engine_of(connection.dialect) if is_generic else connection.type
    sums, hashes = SUM_WORDS.get(engine), HASH_WORDS.get(engine)
    # In which types the driver of a generic connection lands values is not known well enough for their texts.
    has_hashes = sums is not None and bool(sums.number) and hashes is not None and not is_generic
    if sums is None or (level is Verify.HASH and not has_hashes):
        raise UnsupportedError(
            f"tables of type {connection.type} cannot be compared by {level.value}",
            connection=connection.name,
            phase="plan",
            remedy="Ask for `sums`" if sums else _ASK_FOR_COUNT + (_OR_A_DIALECT if is_generic else ""),
        )
    return sums, hashes


def _engine_of(dialect: str) -> str:
    """Whose words a dialect is asked in; SQLite's are for types that its own loader gives."""
    return {"tsql": "sqlserver", "sqlite": ""}.get(dialect, dialect)
