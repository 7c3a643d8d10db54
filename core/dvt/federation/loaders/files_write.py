"""Batches written as one Parquet, CSV or JSON lines file."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from dvt.connections.files import CsvOptions
from dvt.connections.object_paths import FilePath
from dvt.errors import DvtError
from dvt.federation.loaders.files_new import NewFile
from dvt.federation.loaders.files_render import Rendering
from dvt.types.json_rendering import json_lines

# A row group of usual size, unless its rows are large.
_GROUP_ROWS = 122_880
_GROUP_BYTES = 64 * 1024 * 1024
# Text is put together in memory; batches of wide rows are cut to this.
MOST_BYTES = 4 * 1024 * 1024


class Writing(ABC):
    """One file of one format, from rendered batches.

    Args:
        path: A name that no reader looks at.
    """

    def __init__(self, path: FilePath) -> None:
        self.file = NewFile(path)
        self.rows = 0

    @abstractmethod
    def put(self, batch: pa.RecordBatch) -> None:
        """Write a batch, now or with later ones."""

    def end(self) -> None:  # noqa: B027 - most formats have something, lines have not
        """Write what a format has at its end."""

    @property
    def bytes(self) -> int:
        """What was written so far."""
        return int(self.file.stream.tell())

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch."""
        self.rows += batch.num_rows
        self.put(batch)
        self.file.settle()

    def finish(self) -> int:
        """End the file, and give its size in bytes."""
        self.end()
        found = self.bytes
        self.file.finish()
        return found

    def abandon(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError, pa.ArrowException, DvtError):
            self.end()
        self.file.abandon()


class _Parquet(Writing):
    def __init__(self, path: FilePath, schema: pa.Schema) -> None:
        super().__init__(path)
        self._writer = pq.ParquetWriter(self.file.stream, schema, compression="zstd")
        self._group: list[pa.RecordBatch] = []

    def put(self, batch: pa.RecordBatch) -> None:
        self._group.append(batch)
        if sum(b.num_rows for b in self._group) >= _GROUP_ROWS or sum(b.nbytes for b in self._group) >= _GROUP_BYTES:
            self._write_group()

    def end(self) -> None:
        if self._group:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        table, self._group = pa.Table.from_batches(self._group), []
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


class _Csv(Writing):
    def __init__(self, path: FilePath, schema: pa.Schema, options: CsvOptions) -> None:
        super().__init__(path)
        # "needed" quotes every text and no number: NULL is an empty field, the empty text is "".
        style = pacsv.WriteOptions(include_header=options.header, delimiter=options.delimiter, quoting_style="needed")
        self._writer = pacsv.CSVWriter(self.file.stream, schema, write_options=style)

    def put(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def end(self) -> None:
        self._writer.close()


class _JsonLines(Writing):
    def put(self, batch: pa.RecordBatch) -> None:
        self.file.stream.write(json_lines(batch))


def writing(path: FilePath, rendering: Rendering, options: CsvOptions) -> Writing:
    """A new file of the rendering's format."""
    makers: dict[str, Callable[[], Writing]] = {
        "parquet": lambda: _Parquet(path, rendering.schema),
        "csv": lambda: _Csv(path, rendering.schema, options),
        "jsonl": lambda: _JsonLines(path),
    }
    return makers[rendering.format]()


def write_file(path: FilePath, batches: Iterator[pa.RecordBatch], rendering: Rendering, options: CsvOptions) -> Any:
    """Write batches into a new file, and end it.

    Returns:
        Rows and bytes.

    Raises:
        DataError: A value that the format or the declared type cannot keep; the column is named.
    """
    out = writing(path, rendering, options)
    try:
        for batch in batches:
            out.write(rendering.rendered(batch))
        return out.rows, out.finish()
    except BaseException:
        out.abandon()
        raise
