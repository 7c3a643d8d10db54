"""Scans as Parquet files, published by rename together with a manifest."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dvt.errors import PrivilegeError, QueryError, ResourceError, TimeoutExceededError, located
from dvt.federation.plan.model import ScanPlan
from dvt.federation.staging.address import ScanUnit
from dvt.federation.stream import ColumnSchema, HowRead, RowStream

MANIFEST = "manifest.json"
# Code of a source's refusal of a statement with conditions that were moved to it.
REFUSED_FILTER = "DVT341"
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@dataclass(frozen=True)
class StagedScan:
    """One scan on disk, as its manifest says.

    Args:
        file: Name of the Parquet file in the unit's folder.
        relation: What was read.
        rows: Rows in the file.
        bytes: Arrow bytes that came from the source.
        method: How the source was read.
        schema: Column names and Arrow types, for a person who reads the manifest.
        how: In which parts they were read, and which methods were not taken.
    """

    file: str
    relation: str
    rows: int
    bytes: int
    method: str
    schema: dict[str, str]
    how: HowRead

    def manifest(self) -> dict[str, Any]:
        """Its entry in the manifest, which is flat."""
        told = asdict(self)
        return {**{name: value for name, value in told.items() if name != "how"}, **told["how"]}


@contextmanager
def scan_errors(scan: ScanPlan) -> Iterator[None]:
    """Errors in the body say which connection and relation they are about.

    A source that refuses a filter was asked for something that it should not have been: that is the planner's fault,
    and nothing is read without the filter in silence.
    """
    try:
        with located(connection=scan.input.connection.name, relation=scan.input.read, phase="extract"):
            yield
    except QueryError as error:
        if (scan.predicates or scan.input.block is not None) and not isinstance(
            error, (PrivilegeError, TimeoutExceededError)
        ):
            error.code = REFUSED_FILTER
            error.remedy = (
                f"dvt asked it for rows with {_asked(scan)}. If it refuses that, set meta.dvt_pushdown: off for "
                "the source or the model, and report it"
            )
        raise


def _asked(scan: ScanPlan) -> str:
    """The filters that were sent, each with what the planner thought of it."""
    sent = [decision for decision in scan.decisions if decision.is_pushed]
    if not sent:
        return " and ".join(predicate.sql(dialect="duckdb") for predicate in scan.predicates)
    return ", ".join(f"{d.condition} [{f'{d.reason.code}: {d.reason.text}' if d.reason else 'exact'}]" for d in sent)


def can_stage(columns: list[ColumnSchema]) -> bool:
    """Whether Parquet holds all the columns' types; it has no interval of months, days and nanoseconds."""
    return not any(_holds_interval(column.type) for column in columns)


def stage_unit(unit: ScanUnit, folder: Path, scan: Callable[[ScanPlan], RowStream]) -> tuple[StagedScan, ...]:
    """Read a unit's scans into a folder that appears whole, with its manifest, or not at all.

    Args:
        unit: What to read.
        folder: Must not exist; only a folder with a manifest counts.
        scan: Starts reading one scan, on the unit's session.

    Raises:
        ResourceError: The disk is full.
    """
    partial = folder.with_name(folder.name + ".part")
    partial.mkdir(mode=0o700)
    try:
        with disk_errors(folder):
            staged = tuple(_write(part, partial, number, scan) for number, part in enumerate(unit.scans))
            manifest = json.dumps({"address": unit.address, "scans": [item.manifest() for item in staged]}, indent=1)
            with _private_file(partial / MANIFEST) as file:
                file.write(manifest.encode())
            partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return staged


def _write(part: ScanPlan, folder: Path, number: int, scan: Callable[[ScanPlan], RowStream]) -> StagedScan:
    import pyarrow.parquet as pq

    name = f"part_{number}.parquet"
    with scan_errors(part), scan(part) as stream, _private_file(folder / name) as file:
        # Without statistics: Parquet's leave NaN out, and DuckDB would skip row groups that hold one.
        with pq.ParquetWriter(file, stream.schema, compression="zstd", write_statistics=False) as writer:
            for batch in stream.batches():
                writer.write_batch(batch)
        schema = {field.name: str(field.type) for field in stream.schema}
        relation = part.input.read
        rows, size = stream.rows_read, stream.bytes_read
        return StagedScan(name, relation, rows, size, stream.method, schema, stream.how)


@contextmanager
def _private_file(path: Path) -> Iterator[pa.PythonFile]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Within it, a disk that takes no more is said to be that."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        raise ResourceError(
            f"the disk takes no more while staging into {folder.parent} ({error.strerror})",
            phase="stage",
            remedy="Free disk space, or set staging_folder in dvt.yml to a larger disk",
        ) from error


def _holds_interval(type_: pa.DataType) -> bool:
    if pa.types.is_interval(type_) or pa.types.is_duration(type_):
        return True
    return any(_holds_interval(type_.field(index).type) for index in range(type_.num_fields))
