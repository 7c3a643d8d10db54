"""Scans that several queries of a run read: staged by the first, used by the others, gone after the last."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dvt.federation.plan.model import ScanPlan
from dvt.federation.staging.address import ScanUnit
from dvt.federation.staging.covering import Cost, WithSql, covers, relation_key
from dvt.federation.staging.parquet import StagedScan

_WAKE_UP_S = 0.2


@dataclass(eq=False)
class Shared:
    """A staged unit.

    Attributes:
        unit: What was read.
        folder: Where it lies.
        scans: In the unit's order; empty until the folder is published.
        readers: Queries that read it at present.
        is_current: False when the relation was written since.
    """

    unit: ScanUnit
    folder: Path
    scans: tuple[StagedScan, ...] = ()
    readers: int = 0
    is_current: bool = True

    def staged(self, scan: ScanPlan) -> StagedScan:
        """What holds the rows of a scan that this unit covers."""
        keys = [relation_key(each) for each in self.unit.scans]
        return self.scans[keys.index(relation_key(scan))]


class SharedScans:
    """Who reads what, and what is staged. Thread-safe.

    Args:
        folder: Gives the run's private folder.
        cost: About how many bytes a scan moves.
        with_sql: Gives a scan the statement that is sent for it.
    """

    def __init__(self, folder: Callable[[], Path], cost: Cost, with_sql: WithSql) -> None:
        self._folder = folder
        self._cost = cost
        self._with_sql = with_sql
        self._changed = threading.Condition()
        self._changed = threading.Condition()
        self._expected: Counter[str] = Counter()
        self._announced: dict[str, ScanUnit] = {}
        self._covers: Mapping[str, ScanUnit] | None = None
        self._staged: dict[str, Shared] = {}
        self._numbers = itertools.count()

    def announce(self, unit: ScanUnit) -> None:
        """One query more will read this unit."""
        for scan in unit.scans:
            self._cost(scan)  # sources are asked while nobody has to wait for it
        with self._changed:
            self._expected[unit.address] += 1
            self._announced[unit.address] = unit
            self._covers = None

    def whole(self, unit: ScanUnit) -> ScanUnit:
        """What is read when this unit is wanted: it, or one that has what other queries want, too."""
        with self._changed:
            return self._whole(unit)

    def _whole(self, unit: ScanUnit) -> ScanUnit:
        if self._covers is None:
            self._covers = covers(list(self._announced.values()), self._cost, self._with_sql)
        return self._covers.get(unit.address, unit)

    def _readers_to_come(self, whole: ScanUnit) -> int:
        announced = self._announced.values()
        return sum(self._expected[unit.address] for unit in announced if self._whole(unit).address == whole.address)

    def is_shared(self, unit: ScanUnit) -> bool:
        """Whether a unit is staged, or will be because several queries read it."""
        with self._changed:
            whole = self._whole(unit)
            return whole.address in self._staged or self._readers_to_come(whole) > 1

    def take(
        self, unit: ScanUnit, stage: Callable[[ScanUnit, Path], tuple[StagedScan, ...]], check: Callable[[], None]
    ) -> Shared | None:
        """The staged unit, staged now if this is the first of several readers; None when it is not worth it.

        Who comes while another query stages waits for it; if that fails, each tries for itself. What was taken is
        to be given back.

        Args:
            unit: What to read.
            stage: Writes a unit into a folder.
            check: Raises when waiting is no longer wanted.
        """
        with self._changed:
            whole = self._whole(unit)
            while True:
                shared = self._staged.get(whole.address)
                if shared is None:
                    if self._readers_to_come(whole) < 2:
                        return None
                    shared = Shared(whole, self._folder() / f"{whole.address[:24]}_{next(self._numbers)}", readers=1)
                    self._staged[whole.address] = shared
                    break
                if shared.scans:
                    shared.readers += 1
                    return shared
                check()
                self._changed.wait(_WAKE_UP_S)
        try:
            scans = stage(whole, shared.folder)
        except BaseException:
            with self._changed:
                self._remove(shared)
                self._changed.notify_all()
            raise
        with self._changed:
            shared.scans = scans
            self._changed.notify_all()
        return shared

    def give_back(self, shared: Shared) -> None:
        """This reader has finished with the files."""
        with self._changed:
            shared.readers -= 1
            self._sweep(shared)

    def done(self, unit: ScanUnit) -> None:
        """An announced query will not read this unit any more, whether it succeeded or not."""
        with self._changed:
            if self._expected[unit.address] > 0:
                self._expected[unit.address] -= 1
            shared = self._staged.get(self._whole(unit).address)
            if shared is not None:
                self._sweep(shared)

    def forget(self, is_outdated: Callable[[ScanUnit], bool]) -> None:
        """Units that are outdated are staged anew; who reads one at present keeps it until it is done."""
        with self._changed:
            for shared in [shared for shared in self._staged.values() if is_outdated(shared.unit)]:
                shared.is_current = False
                del self._staged[shared.unit.address]
                self._sweep(shared)

    def _sweep(self, shared: Shared) -> None:
        is_wanted = shared.is_current and self._readers_to_come(shared.unit) > 0
        if shared.readers == 0 and not is_wanted:
            self._remove(shared)

    def _remove(self, shared: Shared) -> None:
        if self._staged.get(shared.unit.address) is shared:
            del self._staged[shared.unit.address]
        shutil.rmtree(shared.folder, ignore_errors=True)
