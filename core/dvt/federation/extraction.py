"""Reading a query's scans into an engine: one session per connection, connections side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.federation.cancel import CancelScope
from dvt.federation.engines.base import BaseEngine, Handle
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.keys import keys_predicate
from dvt.federation.plan.key_filters import levels
from dvt.federation.plan.model import ScanPlan
from dvt.federation.sampling import Sample, SampleRequest, sample_of, samples_wanted, settled
from dvt.federation.staging.address import ScanUnit
from dvt.federation.staging.parquet import StagedScan, scan_errors, stage_unit
from dvt.federation.staging.shared import SharedScans
from dvt.federation.stream import ColumnSchema, HowRead, RowStream

ExtractorFactory = Callable[[Connection], BaseExtractor]
_T = TypeVar("_T")

_MOST_CONNECTIONS_AT_A_TIME = 8
_WAKE_UP_S = 0.2


@dataclass(frozen=True)
class ScanStats:
    """What one scan of a query did.

    Args:
        scan: The scan.
        rows: Rows that the engine was given.
        bytes: Arrow bytes that came from the source, those of its sample among them.
        method: How the source was read, for example "copy_streaming".
        seconds: Wall time until the rows were at the engine.
        shared: Whether the rows come from a scan that was staged for several queries.
        how: In which parts they were read, and which methods were not taken.
    """

    scan: ScanPlan
    rows: int
    bytes: int
    method: str
    seconds: float
    shared: bool
    how: HowRead


class Extraction:
    """The extraction of one query.

    Args:
        engine: Takes the rows.
        factory: Makes an extractor of a connection.
        shared: The run's staged scans.
        scope: Cancelled to end it.
        can_share: Whether a unit may be staged.
    """

    def __init__(
        self,
        engine: BaseEngine,
        factory: ExtractorFactory,
        shared: SharedScans,
        scope: CancelScope,
        can_share: Callable[[ScanUnit], bool],
    ) -> None:
        self._engine = engine
        self._factory = factory
        self._shared = shared
        self._scope = scope
        self._can_share = can_share
        self._known: Mapping[Handle, pa.Table] = {}
        self._levels: Mapping[Handle, int] = {}
        self._arrived: Mapping[Handle, threading.Event] = {}
        self._samples: dict[Handle, Sample] = {}

    @contextmanager
    def extracted(
        self, units: list[ScanUnit], known: Mapping[Handle, pa.Table] | None = None
    ) -> Iterator[list[ScanStats]]:
        """Read all units into the engine; staged files stay in place while the body runs.

        Args:
            units: What to read.
            known: Rows that were read already, by handle.

        The first failure ends the other scans and is raised.
        """
        self._known = known or {}
        with ExitStack() as files:
            groups = self._groups(units, files)
            groups = self._settled(groups)
            scans = [scan for group in groups for unit in group.units for scan in unit.scans]
            self._levels = levels({scan.input.handle: [key.provider for key in scan.key_filters] for scan in scans})
            self._arrived = {scan.input.handle: threading.Event() for scan in scans}
            # Scans that wait for others must not keep these from their turn.
            threads = len(groups) if any(self._levels.values()) else _MOST_CONNECTIONS_AT_A_TIME
            found = self._side_by_side(groups, lambda group: self._read(group, files), threads)
            yield [stats for group in found for stats in group]

    def _groups(self, units: list[ScanUnit], stack: ExitStack) -> list[_Group]:
        by_connection: dict[str, list[ScanUnit]] = {}
        for unit in units:
            by_connection.setdefault(unit.connection.name, []).append(unit)
        found = []
        for of_one in by_connection.values():
            session = stack.enter_context(_Session(of_one[0].connection, self._factory, self._scope))
            found.append(_Group(of_one, session))
        return found

    def _settled(self, groups: list[_Group]) -> list[_Group]:
        """The groups with the waiting that samples speak for."""
        scans = [scan for group in groups for unit in group.units for scan in unit.scans]
        wanted = {handle: asked for handle, asked in samples_wanted(scans).items() if handle not in self._known}

        def sampled(group: _Group) -> dict[Handle, Sample]:
            handles = [scan.input.handle for unit in group.units for scan in unit.scans]
            return {handle: group.session.sample(wanted[handle]) for handle in handles if handle in wanted}

        asked = [group for group in groups if any(s.input.handle in wanted for u in group.units for s in u.scans)]
        self._samples = {}
        for found in self._side_by_side(asked, sampled, _MOST_CONNECTIONS_AT_A_TIME):
            self._samples.update(found)
        kept = {scan.input.handle: scan for scan in settled(scans, self._samples)}
        return [replace(group, units=[_with_scans(unit, kept) for unit in group.units]) for group in groups]

    def _side_by_side(self, groups: list[_Group], work: Callable[[_Group], _T], threads: int) -> list[_T]:
        """What the work gives for each group. The first failure ends all of them."""
        if len(groups) <= 1:
            return [work(group) for group in groups]
        with ThreadPoolExecutor(min(len(groups), threads), "dvt-extract") as pool:
            running = [pool.submit(work, group) for group in groups]
            try:
                for future in as_completed(running):
                    future.result()
            except BaseException:
                for future in running:
                    future.cancel()
                self._scope.cancel()
                raise
        return [future.result() for future in running]

    def _read(self, group: _Group, files: ExitStack) -> list[ScanStats]:
        """Read the units of one connection, one after the other, on one session."""
        with group.session as session:
            # Who waits for others comes after those who wait for less: so no two wait for each other.
            if any(self._levels[scan.input.handle] for unit in group.units for scan in unit.scans):
                return self._in_turn(group.units, session)
            return [stats for unit in group.units for stats in self._read_unit(unit, session, files)]

    def _in_turn(self, units: list[ScanUnit], session: _Session) -> list[ScanStats]:
        scans = sorted((scan for unit in units for scan in unit.scans), key=lambda s: self._levels[s.input.handle])
        return [self._stream(self._with_keys(scan), session) for scan in scans]

    def _with_keys(self, scan: ScanPlan) -> ScanPlan:
        """The scan with the keys of the relations that it waited for, where these are few."""
        for key in scan.key_filters:
            while not self._arrived[key.provider].wait(_WAKE_UP_S):
                self._scope.check()
            predicate = keys_predicate(self._engine, key, scan.input.connection.dialect)
            if predicate is not None:
                scan = replace(scan, predicates=(*scan.predicates, predicate))
        return scan

    def _read_unit(self, unit: ScanUnit, session: _Session, files: ExitStack) -> list[ScanStats]:
        started = time.monotonic()
        if any(scan.input.handle in self._known for scan in unit.scans):
            return [self._stream(scan, session) for scan in unit.scans]

        def stage(whole: ScanUnit, folder: Path) -> tuple[StagedScan, ...]:
            return stage_unit(whole, folder, session.scan)

        can_share = self._can_share(self._shared.whole(unit))
        shared = self._shared.take(unit, stage, self._scope.check) if can_share else None
        if shared is None:
            return [self._stream(scan, session) for scan in unit.scans]
        files.callback(self._shared.give_back, shared)
        parts = [shared.staged(scan) for scan in unit.scans]
        for scan, staged in zip(unit.scans, parts, strict=True):
            self._engine.register_parquet(scan.input.handle, [shared.folder / staged.file])
            self._arrived[scan.input.handle].set()
        seconds = time.monotonic() - started
        return [
            ScanStats(scan, staged.rows, staged.bytes, staged.method, seconds, True, staged.how)
            for scan, staged in zip(unit.scans, parts, strict=True)
        ]

    def _stream(self, scan: ScanPlan, session: _Session) -> ScanStats:
        started = time.monotonic()
        if scan.input.handle in self._known:
            table = self._known[scan.input.handle]
            columns = [ColumnSchema(field.name, field.type, field.nullable) for field in table.schema]
            rows = self._engine.register(scan.input.handle, RowStream(columns, iter(table.to_batches())))
            self._arrived[scan.input.handle].set()
            return ScanStats(scan, rows, table.nbytes, "known", time.monotonic() - started, False, HowRead())
        with scan_errors(scan), session.scan(scan) as stream:
            rows = self._engine.register(scan.input.handle, stream)
            self._arrived[scan.input.handle].set()
            seconds = time.monotonic() - started
        sample = self._samples.get(scan.input.handle)
        moved = stream.bytes_read + (sample.bytes if sample is not None else 0)
        return ScanStats(scan, rows, moved, stream.method, seconds, False, stream.how)


def scanned(extractor: BaseExtractor, request: ExtractionConfig) -> RowStream:
    """A scan that says why it is one, where more parts were asked for."""
    stream = extractor.scan(request)
    if extractor.parts_wanted(request) > 1 and stream.how.parts == 1 and not stream.how.whole_because:
        stream.how = replace(stream.how, whole_because=extractor.whole_because)
    return stream


def _with_scans(unit: ScanUnit, kept: Mapping[Handle, ScanPlan]) -> ScanUnit:
    return replace(unit, scans=tuple(kept[scan.input.handle] for scan in unit.scans))


class _Session:
    """One extractor, opened with its first scan, so that a staged unit needs no connection at all."""

    def __init__(self, connection: Connection, factory: ExtractorFactory, scope: CancelScope) -> None:
        self._connection = connection
        self._factory = factory
        self._scope = scope
        self._extractor: BaseExtractor | None = None
        self._stack = ExitStack()

    def scan(self, scan: ScanPlan) -> RowStream:
        if self._extractor is None:
            extractor = self._stack.enter_context(self._factory(self._connection))
            self._stack.enter_context(self._scope.running(extractor.cancel))
            self._extractor = extractor
        self._scope.check()
        return scanned(self._extractor, scan.request())

    def sample(self, request: SampleRequest) -> Sample:
        """Read a sample; an error is the scan's own."""
        with scan_errors(request.scan), self.scan(request.scan) as stream:
            return sample_of(stream, request.columns)

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()


@dataclass(frozen=True)
class _Group:
    """What one connection is asked for, and by which session."""

    units: list[ScanUnit]
    session: _Session
