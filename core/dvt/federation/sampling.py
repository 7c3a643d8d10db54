"""Which relation is small enough for another one to wait for its keys: a bounded sample tells, where figures do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dvt.federation.engines.base import Handle
from dvt.federation.plan.key_filters import MOST_KEYS, KeyFilter, is_worth_waiting
from dvt.federation.plan.model import ScanPlan
from dvt.federation.stream import RowStream

# A sample that ends before the relation does says that the relation has few keys when it has so many times more rows.
_ROWS_PER_KEY = 10


@dataclass(frozen=True)
class Sample:
    """Some rows of a scan, as many as a list of keys may be long.

    Args:
        rows: How many came, one more than `MOST_KEYS` at most.
        keys: How many different values each of the columns has in them, by lower-case name.
        bytes: Arrow bytes that came.
    """

    rows: int
    keys: Mapping[str, int]
    bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the scan has no other rows."""
        return self.rows <= MOST_KEYS

    def has_few(self, column: str) -> bool:
        """Whether a column is expected to have few enough values."""
        return self.is_whole or self.keys.get(column.lower(), self.rows) * _ROWS_PER_KEY <= self.rows


@dataclass(frozen=True)
class SampleRequest:
    """A sample to read.

    Args:
        scan: Its rows.
        columns: Whose values are counted, by lower-case name.
    """

    scan: ScanPlan
    columns: frozenset[str]


def samples_wanted(scans: Sequence[ScanPlan]) -> dict[Handle, SampleRequest]:
    """The sample to read of each relation whose size decides who waits: the keys of its first rows.

    Groups are not sampled: their source would make all of them first.
    """
    columns: dict[Handle, set[str]] = {}
    for scan in scans:
        for key in scan.key_filters:
            if key.is_sampled and not (key.provider_rows is not None and key.provider_rows <= MOST_KEYS):
                columns.setdefault(key.provider, set()).add(key.provider_column.lower())
            if key.is_sampled and key.rows is None:
                columns.setdefault(scan.input.handle, set()).add(key.column.lower())
    return {
        scan.input.handle: _first_rows(scan, frozenset(columns[scan.input.handle]))
        for scan in scans
        if scan.input.handle in columns and not (scan.input.block is not None and scan.input.block.is_grouped)
    }


def _first_rows(scan: ScanPlan, columns: frozenset[str]) -> SampleRequest:
    kept = None if scan.columns is None else tuple(name for name in scan.columns if name.lower() in columns)
    limit = MOST_KEYS + 1 if scan.limit is None else min(scan.limit, MOST_KEYS + 1)
    return SampleRequest(replace(scan, columns=kept, limit=limit, order=(), key_filters=()), columns)


def sample_of(stream: RowStream, columns: frozenset[str]) -> Sample:
    """What a sample's rows say of some columns, which are such as keys may be made of."""
    table = stream.to_reader().read_all()
    names = [name for name in table.column_names if name.lower() in columns]
    keys = {name.lower(): len(table.column(name).drop_null().unique()) for name in names}
    return Sample(table.num_rows, keys, stream.bytes_read)


def settled(scans: Iterable[ScanPlan], samples: Mapping[Handle, Sample]) -> list[ScanPlan]:
    """The scans with those of their key filters that are worth waiting for.

    Each relation counts with one number, and waits only for one with a number so much less: nothing waits in a circle.

    Args:
        scans: With all filters that are possible.
        samples: By handle.
    """
    scans = list(scans)
    figures = {scan.input.handle: key.rows for scan in scans for key in scan.key_filters}
    figures.update({key.provider: key.provider_rows for scan in scans for key in scan.key_filters})
    rows = {handle: _counted(samples.get(handle), figure) for handle, figure in figures.items()}

    waiting: set[Handle] = set()

    def is_kept(scan: ScanPlan, key: KeyFilter) -> bool:
        sample = samples.get(key.provider)
        is_small = key.provider_rows is not None and key.provider_rows <= MOST_KEYS
        has_few = sample.has_few(key.provider_column) if sample is not None else is_small or not key.is_sampled
        # What waits for others has fewer rows than its sample says.
        may_have = has_few or key.provider in waiting
        return may_have and is_worth_waiting(rows[scan.input.handle], rows[key.provider])

    found = {}
    for scan in sorted(scans, key=lambda scan: rows.get(scan.input.handle) or 0):
        kept = tuple(key for key in scan.key_filters if is_kept(scan, key))
        found[scan.input.handle] = replace(scan, key_filters=kept)
        if kept:
            waiting.add(scan.input.handle)
    return [found[scan.input.handle] for scan in scans]


def _counted(sample: Sample | None, figure: int | None) -> int | None:
    if sample is None:
        return figure
    return sample.rows if sample.is_whole else max(sample.rows, figure or 0)
