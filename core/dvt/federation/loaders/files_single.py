"""One file as a table: written beside its place under a hidden name, then put there in one step."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pyarrow as pa

from dvt.connections.files import FORMATS
from dvt.connections.object_paths import FilePath, ObjectPath
from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.files_csv import csv_batches, csv_columns
from dvt.federation.extractors.files_jsonl import json_batches, json_columns
from dvt.federation.extractors.files_parquet import parquet_batches, parquet_columns, parquet_row_count
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.files_lock import alone_in
from dvt.federation.loaders.files_new import joined, put_in_place
from dvt.federation.loaders.files_render import Rendering
from dvt.federation.loaders.files_staged import FilesTarget, Staged, check_columns
from dvt.federation.loaders.files_write import MOST_BYTES, write_file
from dvt.federation.loaders.filling import Filling
from dvt.federation.stream import ColumnSchema

_READ_ROWS = 50_000
# What S3 copies in one request.
_MOST_COPIED = 5 << 30


class StagedFile(Staged):
    """A hidden file of the target's format.

    Args:
        target: The target.
        path: The hidden file.
        run_id: Of the run, for names of parts.
    """

    def __init__(self, target: FilesTarget, path: FilePath, run_id: str) -> None:
        self._target, self._path, self._run_id = target, path, run_id
        self._rows = 0
        self._is_there = False

    def fill(self, filling: Filling) -> int:
        """Write the rows, and give their number."""
        rendering = Rendering(filling.schema, self._target.format, filling.declared)
        self._is_there = True
        batches = filling.batches(None if self._target.format == "parquet" else MOST_BYTES)
        self._rows, size = write_file(self._path, batches, rendering, self._target.csv_options())
        self._check_size(size)
        return self._rows

    def count(self) -> int:
        """The rows by the footer; text has none."""
        return parquet_row_count([self._path]) if self._target.format == "parquet" else self._rows

    def publish(self, config: LoadConfig) -> None:
        """Put the file in place of the target, or behind what is in it."""
        place, folder = self._target.file, self._target.folder
        if config.mode == "append" and folder.is_dir():
            files: list[FilePath] = [*folder.glob(f"*.{self._target.format}")]
            if files:
                check_columns(self._columns(sorted(files, key=lambda path: path.parts)), self._columns([self._path]))
            place = folder / f"part-{self._run_id}-{time.time_ns()}.{self._target.format}"
        else:
            self._check_place()
        with alone_in(place.parent):
            if config.mode == "append" and place == self._target.file and place.exists():
                self._rewrite(place)
            put_in_place(self._path, place)
        self._is_there = False

    def remove(self) -> None:
        """Delete the file."""
        if self._is_there:
            self._path.unlink(missing_ok=True)

    def _check_size(self, size: int) -> None:
        if isinstance(self._path, ObjectPath) and self._path.address.kind == "s3" and size > _MOST_COPIED:
            raise DataError(
                f"the file has {size} bytes, and S3 copies at most {_MOST_COPIED} in one step",
                remedy="Land it with layout: folder",
            )

    def _check_place(self) -> None:
        file, folder = self._target.file, self._target.folder
        others = [file.with_name(f"{folder.name}.{format_}") for format_ in FORMATS if format_ != self._target.format]
        for blocker in (folder, *others):
            if blocker.exists():
                raise DataError(f"{blocker} stands beside the target {file.name}", remedy="Remove it, then run again")

    def _columns(self, files: list[FilePath]) -> list[ColumnSchema]:
        if self._target.format == "parquet":
            return parquet_columns(files)
        options = self._target.csv_options()
        if self._target.format == "jsonl":
            return json_columns(files, {}, options.block_bytes)
        if not options.header:
            raise UnsupportedError("rows are appended to CSV by the header's names", remedy="Set dvt.header: true")
        return csv_columns(files, {}, options)

    def _rewrite(self, place: FilePath) -> None:
        """Make the staged file the target's rows followed by its own."""
        there, new = self._columns([place]), self._columns([self._path])
        check_columns(there, new)
        names = {column.name for column in new}
        schema = pa.schema([pa.field(column.name, column.type) for column in there])
        both = self._path.with_name(self._path.name + ".both")
        if self._target.format == "jsonl":  # lines stay as they are
            self._take(both, joined(both, [place, self._path]))
            return
        parts = [self._batches(place, there), self._padded(schema, [c for c in there if c.name in names])]
        options = self._target.csv_options()
        rendering = Rendering(schema, self._target.format, {})
        _, size = write_file(both, itertools.chain.from_iterable(parts), rendering, options)
        self._take(both, size)

    def _take(self, both: FilePath, size: int) -> None:
        try:
            self._check_size(size)
            put_in_place(both, self._path)
        except BaseException:
            both.unlink(missing_ok=True)
            raise

    def _padded(self, schema: pa.Schema, columns: list[ColumnSchema]) -> Iterator[pa.RecordBatch]:
        """The staged rows with the target's columns; those that the new rows have not are NULL."""
        names = {column.name for column in columns}
        for batch in self._batches(self._path, columns):
            arrays = [batch.column(f.name) if f.name in names else pa.nulls(batch.num_rows, f.type) for f in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _batches(self, path: FilePath, columns: list[ColumnSchema]) -> Iterator[pa.RecordBatch]:
        options = self._target.csv_options()
        if self._target.format == "parquet":
            return parquet_batches(path, columns, _READ_ROWS)
        if self._target.format == "jsonl":
            return json_batches(path, columns, options.block_bytes, _READ_ROWS)
        return csv_batches(path, columns, [], options, _READ_ROWS)
