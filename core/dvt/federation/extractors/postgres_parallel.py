"""One table read by several sessions under one exported snapshot, cut by physical block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.postgres import cancel, connect, read_unconverted
from dvt.federation.extractors.part_readers import TURN_OVER, PartReaders, TurnOver
from dvt.federation.extractors.postgres_lanes import Copy, Lane
from dvt.federation.extractors.postgres_wire import Wire

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection
    from dvt.federation.extractors.postgres_catalog import RelationFacts

# Below PostgreSQL 14 a range of ctid is a filter on a scan of the whole table: each session would read all of it.
_TID_RANGE_SCAN = 140000
SMALLEST_PART_BLOCKS = 128


def ctid_ranges(own: RelationFacts, parts: int, server_version: int) -> list[exp.Expr]:
    """Conditions that cut what is stored as one table into `parts`; empty where blocks are no good parts.

    The first range has no lower and the last no upper bound, so that together they hold every row, also those of
    blocks that were added since, and of tables that inherit.
    """
    if own.kind not in ("r", "m") or server_version < _TID_RANGE_SCAN:
        return []
    parts = min(parts, own.blocks // SMALLEST_PART_BLOCKS)
    marks = [own.blocks * number // parts for number in range(1, parts)] if parts > 1 else []
    ranges: list[exp.Expr] = []
    for lower, upper in zip([None, *marks], [*marks, None], strict=True):
        bounds: list[exp.Expr] = []
        if lower is not None:
            bounds.append(exp.GTE(this=_ctid(), expression=_tid(lower)))
        if upper is not None:
            bounds.append(exp.LT(this=_ctid(), expression=_tid(upper)))
        if bounds:
            ranges.append(exp.and_(*bounds))
    return ranges


def _ctid() -> exp.Expr:
    return exp.column(exp.to_identifier("ctid"))


def _tid(block: int) -> exp.Expr:
    return exp.Cast(this=exp.Literal.string(f"({block:d},0)"), to=exp.DataType.build("tid", udt=True))


class ParallelCopy:
    """Several COPY statements at once.

    Args:
        connection: Where to open the sessions.
        snapshot: The exported snapshot that all of them import.
        statements: COPY statements.
        lane: By which their rows come.
        limits: Rows of one batch, and the bytes soon after which a batch of wide rows ends.
        sessions: How many run them; they are dealt round, as cards are.
        in_turn: Whether the rows come in the statements' order; else they come in any.
    """

    def __init__(
        self,
        connection: Connection,
        snapshot: str,
        statements: Sequence[str],
        lane: Lane,
        limits: tuple[int, int],
        *,
        sessions: int,
        in_turn: bool,
    ) -> None:
        self._connection = connection
        self._lane, self._limits = lane, limits
        self._sessions: list[psycopg.Connection[Any]] = []
        self._readers: PartReaders | None = None
        try:
            parts = [self._begin(snapshot, statements[number::sessions]) for number in range(sessions)]
        except BaseException:
            self.close()
            raise
        # A generator's own frame is in the thread that takes from it: blocks are decoded there.
        self._readers = PartReaders(parts, self.cancel, in_turn=in_turn)

    def __len__(self) -> int:
        return len(self._sessions)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every session is through; the first failure of any of them is raised."""
        assert self._readers is not None, "made with the object"
        return self._readers.batches()

    def cancel(self) -> None:
        """Stop all statements on the server."""
        for session in list(self._sessions):
            cancel(session)

    def close(self) -> None:
        """Stop all statements, end the threads and the sessions."""
        if self._readers is not None:
            self._readers.close()
        for session in self._sessions:
            session.close()

    def _begin(self, snapshot: str, statements: Sequence[str]) -> Iterator[pa.RecordBatch | TurnOver]:
        from psycopg import sql

        session = connect(self._connection)
        self._sessions.append(session)
        session.execute("begin isolation level repeatable read read only")
        session.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        read_unconverted(session)
        Wire(session).widen()
        return self._batches(session, self._started(session, statements[0]), statements[1:])

    def _started(self, session: psycopg.Connection[Any], statement: str) -> Copy:
        copy = self._lane.copy(session, "rollback")
        Wire(session).start_copy(statement)
        return copy

    def _batches(
        self, session: psycopg.Connection[Any], first: Copy, others: Sequence[str]
    ) -> Iterator[pa.RecordBatch | TurnOver]:
        yield from first.batches(*self._limits)
        for statement in others:
            yield TURN_OVER
            yield from self._started(session, statement).batches(*self._limits)
        yield TURN_OVER
