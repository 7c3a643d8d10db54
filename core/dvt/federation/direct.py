"""The direct lane: a source's rows as the answer of a query, without an engine between source and landing."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.errors import PlanError
from dvt.federation.cancel import CancelScope
from dvt.federation.extraction import ScanStats, scanned
from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.plan.model import DirectScan
from dvt.federation.raw import GivesRaw, RawRows
from dvt.federation.staging.parquet import scan_errors
from dvt.federation.stream import HowRead, RowStream

_UNDECODED = "rows that are not decoded on their way come through one session"


@contextmanager
def direct_rows(
    direct: DirectScan, factory: Callable[[Connection], BaseExtractor], scope: CancelScope
) -> Iterator[tuple[RowStream, list[ScanStats]]]:
    """The rows of a scan as a query's result; what the scan did is known when they have been read.

    Args:
        direct: The scan, with the columns that the engine would give.
        factory: Makes an extractor of a connection.
        scope: Cancelled to end it.
    """
    scan = direct.scan
    stats: list[ScanStats] = []
    with factory(scan.input.connection) as extractor, scope.running(extractor.cancel):
        reading = _Reading(direct, extractor, stats)
        with scan_errors(scan):
            raw = reading.raw_offer()
        stream = RowStream(list(direct.columns), reading.batches(), method="direct", raw=raw)
        reading.stream = stream
        with stream:
            yield stream, stats


class _Reading:
    def __init__(self, direct: DirectScan, extractor: BaseExtractor, stats: list[ScanStats]) -> None:
        self.stream: RowStream | None = None
        self._direct = direct
        self._extractor = extractor
        self._stats = stats
        self._schema = pa.schema([pa.field(column.name, column.type) for column in direct.columns])

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The scan's batches under the query's names; the scan begins with the first one that is asked for."""
        started = time.monotonic()
        scan = self._direct.scan
        with scan_errors(scan), scanned(self._extractor, scan.request()) as source:
            places = [source.schema.get_field_index(name) for name in self._direct.sources]
            if -1 in places or [source.schema.field(place).type for place in places] != self._schema.types:
                raise PlanError(
                    "the relation's columns have changed since the query was planned", remedy="Run the model again"
                )
            for batch in source.batches():
                yield pa.RecordBatch.from_arrays([batch.column(place) for place in places], schema=self._schema)
            seconds = time.monotonic() - started
            rows, size = source.rows_read, source.bytes_read
            self._stats.append(ScanStats(scan, rows, size, source.method, seconds, False, source.how))

    def raw_offer(self) -> RawRows | None:
        """The source's offer to give the same rows undecoded."""
        sources, extractor = self._direct.sources, self._extractor
        if not isinstance(extractor, GivesRaw) or len(set(sources)) < len(sources):
            return None
        offer = extractor.raw(replace(self._direct.scan.request(), columns=sources))
        if offer is None or [column.name for column in offer.columns] != list(sources):
            return None

        def start(types: Sequence[str]) -> Generator[bytes | memoryview, None, int]:
            return self._counted(offer, types)

        return replace(offer, start=start)

    def _counted(self, offer: RawRows, types: Sequence[str]) -> Generator[bytes | memoryview, None, int]:
        started, size = time.monotonic(), 0
        scan = self._direct.scan
        with scan_errors(scan):
            blocks = offer.start(types)
            try:
                while True:
                    block = next(blocks)
                    size += len(block)
                    yield block
            except StopIteration as end:
                rows = int(end.value)
            finally:
                blocks.close()
        assert self.stream is not None
        self.stream.rows_read, self.stream.bytes_read = rows, size
        is_split = self._extractor.parts_wanted(scan.request()) > 1
        how = HowRead(whole_because=_UNDECODED if is_split else "")
        self._stats.append(ScanStats(scan, rows, size, offer.format, time.monotonic() - started, False, how))
        return rows
