"""PostgreSQL extractor: `COPY (query) TO STDOUT` in one read-only snapshot, decoded by PyArrow."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.postgres import SPEC, cancel, connect, read_unconverted, translate
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConnectionLostError, DvtError, InterruptedRunError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.extractors.methods import BUFFERED, STREAMING, Chosen, Method
from dvt.federation.extractors.postgres_catalog import (
    RelationFacts,
    columns_of,
    missing_relation,
    primary_key,
    relation_facts,
    table_statistics,
)
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_cursor import buffered_batches, cursor_batches
from dvt.federation.extractors.postgres_methods import methods_of
from dvt.federation.extractors.postgres_parallel import ParallelCopy
from dvt.federation.extractors.postgres_raw import copied_blocks, raw_rows
from dvt.federation.extractors.postgres_split import parts_of
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.raw import RawRows
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection

# A block of wide rows ends at this size, before it has `batch_rows` rows.
_BLOCK_BYTES = 16 * 1024 * 1024
_MANY_BLOCKS = 1000  # 8 MB: what follows is worth another statement
_SAVEPOINT = "dvt_scan"
_UNDEFINED_TABLE = "42P01"
_NO_COPY = "only COPY reads parts side by side"


class PostgresExtractor(BaseExtractor):
    """Reads PostgreSQL.

    The first scan begins a READ ONLY REPEATABLE READ transaction; all scans see its snapshot, also after one of them
    failed or was closed early, because each runs behind a savepoint.
    """

    spec: ClassVar[ConnectionSpec] = SPEC
    whole_because = ""
    kinds = frozenset({STREAMING, BUFFERED})

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: psycopg.Connection[Any] | None = None
        self._snapshot: str | None = None
        self._chosen: Chosen | None = None
        self._parallel: ParallelCopy | None = None
        self._is_cancelled = threading.Event()

    def ping(self) -> str:
        """Log in and give the server's version."""
        import psycopg

        session = self._open()
        try:
            row = session.execute("show server_version").fetchone()
        except psycopg.Error as error:
            raise self._translated(error, "connect", None) from error
        return f"PostgreSQL {row[0] if row else ''}"

    def methods(self) -> Sequence[Method]:
        """COPY, a server-side cursor, or the whole result at once."""
        return methods_of(self._open(), self.connection)

    def chosen(self) -> Chosen:
        """As the server, or what stands before it, allows; asked once a session, before its snapshot."""
        import psycopg

        if self._chosen is None:
            try:
                self._chosen = super().chosen()
            except psycopg.Error as error:
                raise self._translated(error, "extract", None) from error
        return self._chosen

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns of a request, from the catalogue and the server's description of the statement."""
        import psycopg

        session = self._open()
        in_snapshot = self._snapshot is not None
        try:
            if in_snapshot:
                session.execute(f"savepoint {_SAVEPOINT}")
            columns = list(self._described(session, request)[1].columns)
        except (psycopg.Error, DvtError) as error:
            if in_snapshot:
                self._rewind(session)
            raise self._translated(error, "describe", request) from error
        if in_snapshot:
            self._rewind(session)
        return columns

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows by the last ANALYZE, and bytes on disk, summed over partitions; no rows when one was never analysed."""
        import psycopg

        if request.relation is None:
            return None
        try:
            return table_statistics(self._open(), request.relation)
        except psycopg.Error as error:
            raise self._translated(error, "describe", request) from error

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the primary key, from the catalogue."""
        import psycopg

        try:
            return primary_key(self._open(), relation)
        except psycopg.Error as error:
            raise self._translated(error, "describe", ExtractionConfig(relation=relation)) from error

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading, by the first method that can."""
        import psycopg

        chosen, session = self.chosen(), self._open()
        try:
            self._begin(session, is_shared=self.parts_wanted(request) > 1)
            session.execute(f"savepoint {_SAVEPOINT}")
        except psycopg.Error as error:
            raise self._translated(error, "extract", request) from error
        try:
            sql, decoder, facts = self._described(session, request)
            batches, reason = self._start(session, chosen.method, request, sql, decoder, facts)
        except (psycopg.Error, DvtError) as error:
            self._rewind(session)
            raise self._translated(error, "extract", request) from error
        return RowStream(
            list(decoder.columns),
            self._guarded(batches, request),
            close=lambda: self._end_scan(session),
            estimated_row_count=_estimate(request, facts),
            method=chosen.method,
            how=HowRead(len(self._parallel) if self._parallel is not None else 1, reason, chosen.passed_over),
        )

    def raw(self, request: ExtractionConfig) -> RawRows | None:
        """The rows as PostgreSQL's binary COPY, for a landing that takes them undecoded."""
        import psycopg

        if self.chosen().method != "copy_streaming":
            return None
        session = self._open()
        try:
            self._begin(session)
            session.execute(f"savepoint {_SAVEPOINT}")
            offer = raw_rows(session, request, lambda statement: self._raw_blocks(session, statement, request))
        except (psycopg.Error, DvtError) as error:
            self._rewind(session)
            raise self._translated(error, "extract", request) from error
        self._rewind(session)
        return offer

    def _raw_blocks(
        self, session: psycopg.Connection[Any], statement: str, request: ExtractionConfig
    ) -> Generator[bytes, None, int]:
        import psycopg

        try:
            session.execute(f"savepoint {_SAVEPOINT}")
            blocks = copied_blocks(session, statement)
            while True:
                if self._is_cancelled.is_set():
                    raise InterruptedRunError("the scan was cancelled")
                try:
                    block = next(blocks)
                except StopIteration as end:
                    return int(end.value)
                yield block
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "extract", request) from error
        finally:
            self._end_scan(session)

    def close(self) -> None:
        """End the session; a transaction that is open is rolled back by the server."""
        if self._parallel is not None:
            self._parallel.close()
            self._parallel = None
        if self._session is not None:
            self._session.close()
        self._session = self._snapshot = None

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too; the scan raises `InterruptedRunError`."""
        self._is_cancelled.set()
        parallel, session = self._parallel, self._session
        if parallel is not None:
            parallel.cancel()
        if session is not None:
            cancel(session)

    def _open(self) -> psycopg.Connection[Any]:
        if self._is_cancelled.is_set():
            raise InterruptedRunError("the extractor was cancelled", connection=self.connection.name)
        if self._session is None:
            self._session = connect(self.connection, cancelled=self._is_cancelled)
            if self._is_cancelled.is_set():  # while it logged in, when there was nothing to cancel
                raise InterruptedRunError("the extractor was cancelled", connection=self.connection.name)
        return self._session

    def _begin(self, session: psycopg.Connection[Any], *, is_shared: bool = False) -> None:
        if self._snapshot is None:
            session.execute("begin isolation level repeatable read read only")
            # The first statement that reads takes the snapshot: it must stand before the first savepoint.
            session.execute("select ''")
            self._snapshot = ""
        if is_shared and not self._snapshot:  # no savepoint exports one
            row = session.execute("select pg_export_snapshot()").fetchone()
            self._snapshot = str(row[0]) if row else ""

    def _described(
        self, session: psycopg.Connection[Any], request: ExtractionConfig
    ) -> tuple[str, CsvDecoder, RelationFacts | None]:
        """The statement to send, what decodes it, and the relation's facts."""
        sql = scan_sql(request, "postgres")
        columns, carriers = columns_of(session, Wire(session).describe(sql), request, self.connection)
        if request.columns is None and request.relation is not None:
            # By name from here on: a column that is added meanwhile must not shift the others.
            sql = scan_sql(replace(request, columns=tuple(column.name for column in columns)), "postgres")
        facts = relation_facts(session, request.relation) if request.relation is not None else None
        return sql, CsvDecoder(columns, carriers, request.label), facts

    def _start(
        self,
        session: psycopg.Connection[Any],
        method: str,
        request: ExtractionConfig,
        sql: str,
        decoder: CsvDecoder,
        facts: RelationFacts | None,
    ) -> tuple[Iterator[pa.RecordBatch], str]:
        """Batches, and why they are read by one session where more were asked for."""
        rows, wanted, reason = self.batch_rows(request), self.parts_wanted(request), ""
        read_unconverted(session)
        if wanted > 1 and method != "copy_streaming":
            reason = _NO_COPY
        elif wanted > 1:
            request = replace(request, columns=tuple(column.name for column in decoder.columns))
            ranges, reason = parts_of(session, request, wanted, self.connection)
            if ranges:
                requests = [replace(request, predicates=(*request.predicates, part)) for part in ranges]
                statements = [copy_sql(scan_sql(one, "postgres")) for one in requests]
                limits = (rows, _BLOCK_BYTES)
                self._parallel = ParallelCopy(self.connection, str(self._snapshot), statements, decoder, *limits)
                return self._parallel.batches(), ""
        if method == BUFFERED:
            return buffered_batches(session, sql, decoder, rows), reason
        if method == "cursor_streaming":
            return cursor_batches(session, sql, decoder, rows), reason
        wire = Wire(session)
        if facts is not None and facts.blocks >= _MANY_BLOCKS:
            wire.widen()
        wire.start_copy(copy_sql(sql))
        return (decoder.decode(block) for block in wire.copy_rows(rows, _BLOCK_BYTES)), reason

    def _guarded(self, batches: Iterator[pa.RecordBatch], request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        """The batches, with the driver's errors translated."""
        import psycopg

        try:
            for batch in batches:
                if self._is_cancelled.is_set():
                    raise InterruptedRunError("the scan was cancelled")
                yield batch
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "extract", request) from error

    def _end_scan(self, session: psycopg.Connection[Any]) -> None:
        """Stop what still runs on the server, and go back behind the savepoint; the snapshot stays."""
        import psycopg
        from psycopg.pq import TransactionStatus

        if self._parallel is not None:
            self._parallel.close()
            self._parallel = None
        if session.closed:
            return
        try:
            if session.pgconn.transaction_status == TransactionStatus.ACTIVE:
                cancel(session)
                Wire(session).discard_copy()
            self._rewind(session)
        except psycopg.Error:
            # The scan is over either way; a session that broke is opened anew by the next one.
            self.close()

    def _rewind(self, session: psycopg.Connection[Any]) -> None:
        import psycopg

        try:
            session.execute(f"rollback to savepoint {_SAVEPOINT}")
            session.execute(f"release savepoint {_SAVEPOINT}")
        except psycopg.Error:
            self.close()

    def _translated(self, error: BaseException, phase: str, request: ExtractionConfig | None) -> DvtError:
        label = request.label if request is not None else None
        found = translate(error, self.connection, phase=phase, relation=label, is_cancelled=self._is_cancelled.is_set())
        if isinstance(found, ConnectionLostError):
            self.close()
        if (
            getattr(error, "sqlstate", None) == _UNDEFINED_TABLE
            and request is not None
            and request.relation is not None
        ):
            assert self._session is not None, "the server answered a moment ago"
            return missing_relation(self._session, request.relation, self.connection, phase)
        return found


def copy_sql(query: str) -> str:
    """The COPY statement around a query; the line break ends a comment on the query's last line."""
    return f"copy ({query}\n) to stdout (format csv)"


def _estimate(request: ExtractionConfig, facts: RelationFacts | None) -> int | None:
    if facts is None or facts.estimated_rows is None or request.predicates:
        return None
    return facts.estimated_rows if request.limit is None else min(facts.estimated_rows, request.limit)
