"""Scans that several queries of a run read: staged by the first, used by the others, gone after the last."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvt.federation.staging.address import ScanUnit
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


class SharedScans:
    """Who reads what, and what is staged. Thread-safe.

    Args:
        folder: Gives the run's private folder.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._changed = threading.Condition()
        self._expected: Counter[str] = Counter()
        self._staged: dict[str, Shared] = {}
        self._numbers = itertools.count()

    def announce(self, unit: ScanUnit) -> None:
        """One query more will read this unit."""
        with self._changed:
            self._expected[unit.address] += 1

    def is_shared(self, unit: ScanUnit) -> bool:
        """Whether a unit is staged, or will be because several queries read it."""
        with self._changed:
            return unit.address in self._staged or self._expected[unit.address] > 1

    def take(
        self, unit: ScanUnit, stage: Callable[[Path], tuple[StagedScan, ...]], check: Callable[[], None]
    ) -> Shared | None:
        """The staged unit, staged now if this is the first of several readers; None when it is not worth it.

        Who comes while another query stages waits for it; if that fails, each tries for itself. What was taken is
        to be given back.

        Args:
            unit: What to read.
            stage: Writes the unit into a folder.
            check: Raises when waiting is no longer wanted.
        """
        with self._changed:
            while True:
                shared = self._staged.get(unit.address)
                if shared is None:
                    if self._expected[unit.address] < 2:
                        return None
                    shared = Shared(unit, self._folder() / f"{unit.address[:24]}_{next(self._numbers)}", readers=1)
                    self._staged[unit.address] = shared
                    break
                if shared.scans:
                    shared.readers += 1
                    return shared
                check()
                self._changed.wait(_WAKE_UP_S)
        try:
            scans = stage(shared.folder)
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
            shared = self._staged.get(unit.address)
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
        is_wanted = shared.is_current and self._expected[shared.unit.address] > 0
        if shared.readers == 0 and not is_wanted:
            self._remove(shared)

    def _remove(self, shared: Shared) -> None:
        if self._staged.get(shared.unit.address) is shared:
            del self._staged[shared.unit.address]
        shutil.rmtree(shared.folder, ignore_errors=True)
