"""PostgreSQL extractor: `COPY (query) TO STDOUT` in one read-only snapshot, decoded in C or by PyArrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.postgres import SPEC, cancel, read_unconverted
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConnectionFailedError, DvtError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.degree import AUTO
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.extractors.postgres_catalog import RelationFacts, columns_of, primary_key, table_statistics
from dvt.federation.extractors.postgres_csv import CsvDecoder
from dvt.federation.extractors.postgres_cursor import buffered_batches, cursor_batches
from dvt.federation.extractors.postgres_lanes import Ahead, CsvLane, Lane
from dvt.federation.extractors.postgres_methods import COPY, NATIVE
from dvt.federation.extractors.postgres_native import NativeLane
from dvt.federation.extractors.postgres_parallel import ParallelCopy
from dvt.federation.extractors.postgres_raw import copied_blocks, raw_rows
from dvt.federation.extractors.postgres_snapshot import BEHIND_SCAN, SnapshotExtractor
from dvt.federation.extractors.postgres_split import Cut, cut
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.raw import RawRows
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    import psycopg

    from dvt.native.raw import RawPull

# A block of wide rows ends at this size, before it has `batch_rows` rows.
_BLOCK_BYTES = 16 * 1024 * 1024
_MANY_BLOCKS = 1000  # 8 MB: what follows is worth another statement
_COPIES = (NATIVE, COPY)
_NO_SESSIONS = "the server gave no further sessions"
_NO_COPY = "only COPY reads parts side by side"


class PostgresExtractor(SnapshotExtractor):
    """Reads PostgreSQL."""

    spec: ClassVar[ConnectionSpec] = SPEC
    whole_because = ""

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns of a request, from the catalogue and the server's description of the statement."""
        import psycopg

        session = self._opened()
        in_snapshot = self._snapshot is not None
        try:
            if in_snapshot:
                self._begin(session)
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
            return table_statistics(self._opened(), request.relation)
        except psycopg.Error as error:
            raise self._translated(error, "describe", request) from error

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the primary key, from the catalogue."""
        import psycopg

        try:
            return primary_key(self._opened(), relation)
        except psycopg.Error as error:
            raise self._translated(error, "describe", ExtractionConfig(relation=relation)) from error

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading, by the first method that can."""
        import psycopg

        chosen, session = self.chosen(), self._opened()
        try:
            self._begin(session, is_shared=self.parts_wanted(request) > 1)
        except psycopg.Error as error:
            raise self._translated(error, "extract", request) from error
        try:
            sql, decoder = self._described(session, request)
            found = self._cut(session, chosen.method, request)
            lane: Lane = NativeLane(decoder) if chosen.method == NATIVE else CsvLane(decoder)
            found = self._begin_parts(request, decoder, lane, found)
            if found.ranges:
                assert self._parallel is not None, "it was begun for them"
                batches = self._parallel.batches()
            else:
                batches = self._start(session, chosen.method, request, sql, decoder, lane, found)
        except (psycopg.Error, DvtError) as error:
            self._rewind(session)
            raise self._translated(error, "extract", request) from error
        return RowStream(
            list(decoder.columns),
            self._guarded(batches, request),
            close=lambda: self._end_scan(session),
            estimated_row_count=_estimate(request, found.facts),
            method=chosen.method,
            how=HowRead(found.sessions, found.whole_because, chosen.passed_over),
        )

    def raw(self, request: ExtractionConfig) -> RawRows | None:
        """The rows as PostgreSQL's binary COPY, for a landing that takes them undecoded."""
        import psycopg

        if self.chosen().method not in _COPIES:
            return None
        session = self._opened()
        try:
            self._begin(session)
            offer = raw_rows(
                session,
                request,
                lambda statement, pull: self._raw_blocks(session, statement, pull, request),
                bool(self.connection.options["native"]),
            )
        except (psycopg.Error, DvtError) as error:
            self._rewind(session)
            raise self._translated(error, "extract", request) from error
        self._rewind(session)
        return offer

    def _raw_blocks(
        self, session: psycopg.Connection[Any], statement: str, pull: RawPull | None, request: ExtractionConfig
    ) -> Generator[bytes | memoryview, None, int]:
        import psycopg

        try:
            self._begin(session)
            self._copy = pull
            blocks = copied_blocks(session, statement, pull, request.columns or ())
            while True:
                self._check()
                try:
                    block = next(blocks)
                except StopIteration as end:
                    return int(end.value)
                yield block
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "extract", request) from error
        finally:
            self._end_scan(session)

    def _described(self, session: psycopg.Connection[Any], request: ExtractionConfig) -> tuple[str, CsvDecoder]:
        """The statement to send, and what decodes it."""
        sql = scan_sql(request, "postgres")
        columns, carriers = columns_of(session, Wire(session).describe(sql), request, self.connection)
        if request.columns is None and request.relation is not None:
            # By name from here on: a column that is added meanwhile must not shift the others.
            sql = scan_sql(replace(request, columns=tuple(column.name for column in columns)), "postgres")
        return sql, CsvDecoder(columns, carriers, request.label)

    def _cut(self, session: psycopg.Connection[Any], method: str, request: ExtractionConfig) -> Cut:
        wanted = self.parts_wanted(request)
        found = cut(session, request, wanted if method in _COPIES else 1, self.connection)
        return replace(found, whole_because=_NO_COPY) if wanted > 1 and method not in _COPIES else found

    def _begin_parts(self, request: ExtractionConfig, decoder: CsvDecoder, lane: Lane, found: Cut) -> Cut:
        """Start the parts' sessions, where there are any; without them, where nobody insisted, it is read whole."""
        if not found.ranges:
            return found
        request = replace(request, columns=tuple(column.name for column in decoder.columns))
        requests = [replace(request, predicates=(*request.predicates, part)) for part in found.ranges]
        statements = [lane.statement(scan_sql(one, "postgres")) for one in requests]
        try:
            self._parallel = ParallelCopy(
                self.connection,
                str(self._snapshot),
                statements,
                lane,
                (self.batch_rows(request), _BLOCK_BYTES),
                sessions=found.sessions,
                in_turn=bool(self.connection.options["keep_order"]),
            )
        except ConnectionFailedError as error:
            if self.connection.options["parallel"] != AUTO:
                raise
            return Cut(whole_because=f"{_NO_SESSIONS}: {error.message}", facts=found.facts)
        return found

    def _start(
        self,
        session: psycopg.Connection[Any],
        method: str,
        request: ExtractionConfig,
        sql: str,
        decoder: CsvDecoder,
        lane: Lane,
        found: Cut,
    ) -> Iterator[pa.RecordBatch]:
        rows = self.batch_rows(request)
        read_unconverted(session)
        if method == BUFFERED:
            return buffered_batches(session, sql, decoder, rows)
        if method == "cursor_streaming":
            return cursor_batches(session, sql, decoder, rows)
        wire = Wire(session)
        if found.facts is not None and found.facts.blocks >= _MANY_BLOCKS:
            wire.widen()
        self._copy = copy = lane.copy(session, BEHIND_SCAN)
        wire.start_copy(lane.statement(sql))
        if method == NATIVE:  # C decodes without the GIL: a thread of its own gains where the consumer works
            self._copy = copy = Ahead(copy, partial(cancel, session))
        return copy.batches(rows, _BLOCK_BYTES)

    def _guarded(self, batches: Iterator[pa.RecordBatch], request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        """The batches, with the driver's errors translated."""
        import psycopg

        try:
            for batch in batches:
                self._check()
                yield batch
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "extract", request) from error


def _estimate(request: ExtractionConfig, facts: RelationFacts | None) -> int | None:
    if facts is None or facts.estimated_rows is None or request.predicates:
        return None
    return facts.estimated_rows if request.limit is None else min(facts.estimated_rows, request.limit)
