"""The rows of a copy: undecoded where both ends can, through the engine or the disk only where it cannot be without."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from dvt.connections.connection import Connection
from dvt.federation.cancel import CancelScope
from dvt.federation.conditions import parsed_condition, verbatim
from dvt.federation.direct import direct_rows
from dvt.federation.engines.base import Handle
from dvt.federation.extraction import ScanStats
from dvt.federation.machine import memory_bytes
from dvt.federation.plan.model import DirectScan, Input, ScanPlan
from dvt.federation.registry import new_extractor
from dvt.federation.session import RunSession
from dvt.federation.staging.parquet import disk_errors, scan_errors
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import quote, quote_all

if TYPE_CHECKING:
    from dvt.federation.copying import CopyRequest

_HANDLE = Handle("c_source", "copy", "source")
Rows = tuple[RowStream, list[ScanStats]]


def scan_of(request: CopyRequest, source: Connection, columns: tuple[ColumnSchema, ...]) -> ScanPlan:
    """The read that a copy needs.

    Args:
        request: The copy.
        source: Its source's connection, with the options of this copy.
        columns: The columns that are copied.
    """
    end = request.source
    read = Input(_HANDLE, source, end.relation, source_name=str(end.relation), file_options=end.file_options)
    names = tuple(column.name for column in columns)
    # Files have no words of their own: their condition is evaluated here, by its meaning.
    reads = verbatim if source.spec.runs_sql else parsed_condition
    predicates = (reads(request.where, source.dialect),) if request.where else ()
    return ScanPlan(read, names, "", predicates=predicates, limit=request.limit)


@contextmanager
def copied_rows(
    request: CopyRequest, source: Connection, columns: tuple[ColumnSchema, ...], scope: CancelScope
) -> Iterator[Rows]:
    """The rows of a copy; what the scan did is known when they have been read.

    Args:
        request: The copy.
        source: Its source's connection, with the options of this copy.
        columns: The columns that are copied, as the source describes them.
        scope: Cancelled to end it.
    """
    scan = scan_of(request, source, columns)
    target = request.target.connection
    with scope.child() as own:
        if scan.predicates and not source.spec.runs_sql:
            rows = _filtered(request, scan, own)
        elif source.spec.readers_block_writers and source.place == target.place:
            rows = _staged(scan, columns, own)
        else:
            names = tuple(column.name for column in columns)
            rows = direct_rows(DirectScan(scan, names, names, columns), new_extractor, own)
        with rows as found:
            yield found


@contextmanager
def _filtered(request: CopyRequest, scan: ScanPlan, scope: CancelScope) -> Iterator[Rows]:
    """The rows of files under a condition: what files cannot filter, the engine does."""
    handle = ".".join(quote(part, "duckdb") for part in (_HANDLE.catalog, _HANDLE.schema, _HANDLE.name))
    query = ["select", quote_all(scan.columns or (), "duckdb"), "from", handle, "where", f"({request.where}\n)"]
    if request.limit is not None:
        query += ["limit", str(request.limit)]
    half = memory_bytes() // 2
    with (
        tempfile.TemporaryDirectory(prefix="dvt-copy-") as folder,
        RunSession(Path(folder), memory_bytes=half, threads=2, parallel_queries=1, run_id=request.run_id) as session,
        scope.running(session.cancel),
        session.query(" ".join(query), [scan.input], direct=True) as run,
    ):
        yield run.stream, run.scans


@contextmanager
def _staged(scan: ScanPlan, columns: tuple[ColumnSchema, ...], scope: CancelScope) -> Iterator[Rows]:
    """The rows by way of a file, for a database that takes none while it is read."""
    with tempfile.TemporaryDirectory(prefix="dvt-copy-") as folder:
        path, started = Path(folder) / "rows.parquet", time.monotonic()
        with new_extractor(scan.input.connection) as extractor, scope.running(extractor.cancel):
            with scan_errors(scan), disk_errors(path):
                done = extractor.extract(scan.request(), path)
        seconds = time.monotonic() - started
        stats = ScanStats(
            scan, done.rows, done.bytes, done.method, seconds, False, HowRead(passed_over=done.passed_over)
        )
        # Read ahead, a file's bytes are held until its end.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield RowStream(list(columns), file.iter_batches(), method=done.method), [stats]
