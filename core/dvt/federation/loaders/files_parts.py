"""Part files of one load: opened when they are needed, ended when they are large, or when too many are open."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pyarrow as pa

from dvt.connections.file_manifest import Part
from dvt.connections.files import CsvOptions
from dvt.connections.object_paths import FilePath
from dvt.errors import DvtError
from dvt.federation.loaders.files_render import Rendering
from dvt.federation.loaders.files_write import Writing, writing

# Each holds up to a part of an upload, 10 MB, in memory.
_MOST_OPEN = 8


class Parts:
    """Writes batches into part files, one after the other in each folder.

    Args:
        root: The managed folder.
        base: The load's own folder below it.
        rendering: How the columns stand in the files.
        options: How CSV is written.
        part_bytes: A file that has so many is ended.
    """

    def __init__(self, root: FilePath, base: str, rendering: Rendering, options: CsvOptions, part_bytes: int) -> None:
        self._root, self._base = root, base
        self._rendering, self._options, self._part_bytes = rendering, options, part_bytes
        self._open: dict[str, tuple[str, Writing]] = {}
        self._done: list[Part] = []
        self._made = 0

    def write(self, folder: str, batch: pa.RecordBatch) -> None:
        """Write rows into the part that is open in a folder below the base.

        Raises:
            DataError: A value has no place in the format.
        """
        rendered = self._rendering.rendered(batch)
        name, part = self._open.pop(folder) if folder in self._open else self._new(folder)
        self._open[folder] = (name, part)  # now the last in order
        part.write(rendered)
        if part.bytes >= self._part_bytes:
            self._end(folder)

    def finish(self) -> list[Part]:
        """End all; one without rows where there were none, for its schema."""
        if not self._made:
            self._open[""] = self._new("")
        for folder in list(self._open):
            self._end(folder)
        return self._done

    def abandon(self) -> None:
        """Remove all; what has failed before is the error to tell."""
        for _, part in self._open.values():
            part.abandon()
        for done in self._done:
            with contextlib.suppress(OSError, DvtError):
                (self._root / done.path).unlink(missing_ok=True)
        if isinstance(self._root, Path):
            for folder in sorted((self._root / self._base).glob("**"), reverse=True):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            with contextlib.suppress(OSError):  # something is in it: the table, as it was
                self._root.rmdir()

    def _new(self, folder: str) -> tuple[str, Writing]:
        while len(self._open) >= _MOST_OPEN:
            self._end(next(iter(self._open)))
        names = [self._base, *([folder] if folder else []), f"part-{self._made:05d}.{self._rendering.format}"]
        self._made += 1
        name = "/".join(names)
        return name, writing(self._root / name, self._rendering, self._options)

    def _end(self, folder: str) -> None:
        name, part = self._open[folder]
        size = part.finish()
        del self._open[folder]
        self._done.append(Part(name, part.rows, size))
