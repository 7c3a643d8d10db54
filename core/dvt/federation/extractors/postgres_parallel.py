"""One table read by several sessions under one exported snapshot, cut by physical block."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.postgres import cancel, connect, read_unconverted
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_wire import Wire

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection
    from dvt.federation.extractors.postgres_catalog import RelationFacts

# Below PostgreSQL 14 a range of ctid is a filter on a scan of the whole table: each session would read all of it.
_TID_RANGE_SCAN = 140000
_SMALLEST_PART_BLOCKS = 128
_POLL_S = 0.1


def ctid_ranges(facts: RelationFacts | None, parts: int, server_version: int) -> list[exp.Expr]:
    """Conditions that cut a plain table into `parts`; empty when it is to be read by one session.

    The first range has no lower and the last no upper bound, so that together they hold every row, also those of
    blocks that were added since, and of tables that inherit.
    """
    if facts is None or facts.kind != "r" or server_version < _TID_RANGE_SCAN:
        return []
    parts = min(parts, facts.blocks // _SMALLEST_PART_BLOCKS)
    marks = [facts.blocks * number // parts for number in range(1, parts)] if parts > 1 else []
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
    """Several COPY statements at once; their batches come in no particular order.

    Args:
        connection: Where to open one session per statement.
        snapshot: The exported snapshot that all of them import.
        statements: COPY statements.
        decoder: For their rows.
        rows: Rows of one batch.
        block_bytes: A batch of wide rows ends soon after these bytes.
    """

    def __init__(
        self,
        connection: Connection,
        snapshot: str,
        statements: list[str],
        decoder: CsvDecoder,
        rows: int,
        block_bytes: int,
    ) -> None:
        self._connection = connection
        self._decoder = decoder
        self._limits = (rows, block_bytes)
        self._done = threading.Event()
        # One batch waits per session: memory is bounded by twice as many blocks as there are sessions.
        self._queue: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(maxsize=len(statements))
        self._sessions: list[psycopg.Connection[Any]] = []
        self._threads: list[threading.Thread] = []
        try:
            wires = [self._begin(snapshot, statement) for statement in statements]
        except BaseException:
            self.close()
            raise
        self._threads = [threading.Thread(target=self._read, args=(wire,), daemon=True) for wire in wires]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every session is through; the first failure of any of them is raised."""
        running = len(self._threads)
        while running:
            item = self._queue.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def cancel(self) -> None:
        """Stop all statements on the server."""
        for session in list(self._sessions):
            cancel(session)

    def close(self) -> None:
        """Stop all statements, end the threads and the sessions."""
        self._done.set()
        if any(thread.is_alive() for thread in self._threads):
            self.cancel()
        for thread in self._threads:
            thread.join()
        for session in self._sessions:
            session.close()

    def _begin(self, snapshot: str, statement: str) -> Wire:
        from psycopg import sql

        session = connect(self._connection)
        self._sessions.append(session)
        session.execute("begin isolation level repeatable read read only")
        session.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        read_unconverted(session)
        wire = Wire(session)
        wire.widen()
        wire.start_copy(statement)
        return wire

    def _read(self, wire: Wire) -> None:
        try:
            for block in wire.copy_rows(*self._limits):
                if not self._put(self._decoder.decode(block)):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised in the reading thread
            self._put(error)
        else:
            self._put(None)

    def _put(self, item: pa.RecordBatch | BaseException | None) -> bool:
        """Hand an item over, or give up when the reader has gone."""
        while not self._done.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
