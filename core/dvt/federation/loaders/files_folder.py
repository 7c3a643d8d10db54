"""A managed folder as a table: parts under names of their own, and a manifest that makes them count (plans/0041)."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

from dvt.connections import file_manifest
from dvt.connections.file_manifest import FOLDER, Manifest, Part
from dvt.connections.object_paths import FilePath, ObjectPath, size_bytes
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.files_parquet import parquet_row_count
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.files_lock import alone_in
from dvt.federation.loaders.files_new import sync_folder
from dvt.federation.loaders.files_partitions import Partitions
from dvt.federation.loaders.files_parts import Parts
from dvt.federation.loaders.files_render import Rendering
from dvt.federation.loaders.files_staged import FilesTarget, Staged, check_columns
from dvt.federation.loaders.files_write import MOST_BYTES
from dvt.federation.loaders.filling import Filling
from dvt.federation.stream import ColumnSchema
from dvt.types.declared import declared_arrow_type


class StagedFolder(Staged):
    """Parts in a folder of their own below the target's, which no manifest names yet.

    Args:
        target: The target.
        run_id: Of the run.
    """

    def __init__(self, target: FilesTarget, run_id: str) -> None:
        self._target, self._run_id = target, run_id
        self._base = f"_dvt_{time.time_ns():020d}_{run_id}"
        self._parts: list[Part] = []
        self._columns: tuple[tuple[str, str], ...] = ()
        self._is_kept = False

    def fill(self, filling: Filling) -> int:
        """Write the rows, and give their number."""
        target = self._target
        rendering = Rendering(filling.schema, target.format, filling.declared)
        self._columns = rendering.columns
        most = target.connection.options["part_bytes"]
        parts = Parts(target.folder, self._base, rendering, target.csv_options(), most)
        if isinstance(target.folder, Path):
            target.folder.mkdir(parents=True, exist_ok=True)
        try:
            batches = filling.batches(MOST_BYTES)
            if target.partition_by:
                Partitions(filling.schema, target.partition_by, parts).write(batches)
            else:
                for batch in batches:
                    parts.write("", batch)
            self._parts = parts.finish()
        except BaseException:
            parts.abandon()
            raise
        return sum(part.rows for part in self._parts)

    def count(self) -> int:
        """The rows by the footers, or as they were written; each part has to be there in its size."""
        files = [self._target.folder / part.path for part in self._parts]
        for path, part in zip(files, self._parts, strict=True):
            if size_bytes(path) != part.bytes:
                raise DataError(f"{path} has {size_bytes(path)} bytes, and {part.bytes} were written")
        return parquet_row_count(files) if self._target.format == "parquet" else sum(p.rows for p in self._parts)

    def publish(self, config: LoadConfig) -> None:
        """Write the manifest that makes the parts the table, or a part of it."""
        folder = self._target.folder
        with alone_in(folder):
            self._check_place()
            there = file_manifest.current(folder)
            version = time.time_ns()
            if there is not None:
                version = max(version, there.version + 1)  # also where the other machine's clock is ahead
            made = Manifest(version, self._target.format, self._columns, tuple(self._parts), self._target.partition_by)
            if config.mode == "append" and there is not None:
                made = self._behind(there, made)
            self._write(made)
        with contextlib.suppress(OSError, DvtError):  # the rows are in place; the next load removes what is left
            remove_old(folder, self._target.connection.options["keep_old_s"])

    def remove(self) -> None:
        """Delete the parts, unless a manifest names them, or may."""
        if self._is_kept:
            return
        folder = self._target.folder
        for part in self._parts:
            (folder / part.path).unlink(missing_ok=True)
        _prune(folder, [part.path for part in self._parts])

    def _check_place(self) -> None:
        file, folder = self._target.file, self._target.folder
        if file_manifest.written(folder):
            return
        others = [path for path in folder.glob("*") if not path.name.startswith(("_", "."))]
        for blocker in (file, *others[:1]):
            if blocker.exists():
                raise DataError(
                    f"{blocker} is there already, and was not landed with layout: folder",
                    remedy="Remove it, then run again; or land with layout: file",
                )

    def _behind(self, there: Manifest, made: Manifest) -> Manifest:
        if there.format != made.format:
            raise DataError(
                f"the target holds {there.format}, the new rows are {made.format}", remedy="Set the target's format"
            )
        check_columns(*map(_as_columns, (there, made)))
        return replace(made, columns=there.columns, parts=there.parts + made.parts)

    def _write(self, manifest: Manifest) -> None:
        content = manifest.text().encode()
        path = self._target.folder / FOLDER / manifest.name(self._run_id)
        self._is_kept = True  # until it is sure that readers have not seen it
        try:
            if isinstance(path, ObjectPath):
                path.put(content)
            else:
                _put_here(path, content)
        except BaseException:
            path.unlink(missing_ok=True)
            self._is_kept = False
            raise


def remove_old(folder: FilePath, keep_s: float) -> None:
    """Remove versions that were superseded so long ago, and the parts that only they name.

    Parts go first: a manifest whose parts are gone is not read by anybody, parts without one would never go.
    """
    manifests = file_manifest.written(folder)
    latest = time.time_ns() - int(keep_s * 1e9)
    superseded_at = [file_manifest.version_of(path) for path in manifests[1:]]
    old = [path for path, at in zip(manifests, superseded_at, strict=False) if at <= latest]
    kept = [file_manifest.read(path) for path in manifests[len(old) :]]
    if not old or None in kept:
        return
    named = {part.path for manifest in kept if manifest for part in manifest.parts}
    for path in old:
        manifest = file_manifest.read(path)
        gone = [part.path for part in manifest.parts if part.path not in named] if manifest else []
        for name in gone:
            (folder / name).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        _prune(folder, gone)


def _as_columns(manifest: Manifest) -> list[ColumnSchema]:
    return [ColumnSchema(name, declared_arrow_type(type_, name)) for name, type_ in manifest.columns]


def _put_here(path: FilePath, content: bytes) -> None:
    assert isinstance(path, Path), "it is no address"
    path.parent.mkdir(exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    try:
        with hidden.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    sync_folder(path.parent)


def _prune(folder: FilePath, names: list[str]) -> None:
    """Remove folders that are empty now, up to the managed one; stores have none."""
    if not isinstance(folder, Path):
        return
    for name in names:
        for parent in (folder / name).parents:
            if not parent.is_relative_to(folder):
                break
            with contextlib.suppress(OSError):  # something is in it
                parent.rmdir()
