"""What runs on Spark's executors: each part of a result as Parquet files in a folder, from which an engine loads.

Spark may run a task again, and, with speculation, twice at the same time. Files have the names of their part, and a
part has the same rows whoever writes it: what is written again takes the place of the same. A file is there when it is
whole; what a broken attempt may leave under its name has no end, by which every reader of Parquet begins.

Executors get this module in dvt's own package, and need PyArrow beside it.
"""

from __future__ import annotations

import base64
import contextlib
import pickle
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.object_store_clients import client
from dvt.errors import DataError
from dvt.federation.executor_parts import PartTask, SaidError, line, part_file
from dvt.federation.loaders.bucket_files import BucketFiles, ParquetForm
from dvt.federation.loaders.file_columns import FileColumns

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

PIECE_BYTES = 16 << 20


class Place:
    """A folder as executors have it.

    Args:
        told: `url` and `path` of the folder, and what `Folder.told` gives.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.url, self.path = told["url"], told["path"]
        self.filesystem: FileSystem = client(told["kind"], told["options"])

    def told(self) -> dict[str, Any]:
        """Nothing: nobody else is told of it."""
        return {}

    def remove(self) -> None:
        """Nothing: dvt removes the folder."""

    def guarded(self) -> contextlib.AbstractContextManager[None]:
        """Errors stay the store's."""
        return contextlib.nullcontext()


class Task(PartTask):
    """A load by files. Its order adds `folder`, and `made`: the columns and the form, pickled."""

    def secrets(self) -> list[str]:
        """None beside those of the store's options, which `client` makes known."""
        return []

    def tried(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """What is missing; else a file by which dvt sees that the folder is the same."""
        why = ""
        try:
            place, *_ = self._made()
        except (ImportError, AttributeError, TypeError, ValueError, pickle.UnpicklingError) as error:
            # Another PyArrow has other file systems.
            yield numbers[0], {"why": f"their Python, with PyArrow {pa.__version__}, cannot do it: {line(error)}"}
            return
        try:
            with place.filesystem.open_output_stream(f"{place.path}/{trial_name(numbers[0])}") as file:
                file.write(b"dvt")
        except OSError as error:
            why = f"they do not write to {place.url}: {line(error)}"
        try:
            part_file(self._order["parts"][0][0], self._order.get("store")).close()
        except OSError as error:
            why = why or f"their Python does not see the result: {line(error)}"
        yield numbers[0], {"why": why}

    def landed(self, numbers: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Write the files of each part."""
        place, columns, form = self._made()
        for number in numbers:
            try:
                yield number, self._part(number, place, columns, form)
            except OSError as error:  # Spark tries the task once more
                raise SaidError(line(error)) from None

    def _part(self, number: int, place: Place, columns: FileColumns, form: ParquetForm) -> dict[str, Any]:
        present = [0] * len(columns.names)
        files = BucketFiles(place, form, prefix=f"{number:05d}-")
        try:
            files.write(columns.schema, self._rows(number, columns, present))
        except DataError as error:
            return self.refusal(error)
        written = [[file.name, file.rows, file.bytes] for file in files.written]
        return {"rows": files.rows, "files": written, "present": present}

    def _rows(self, number: int, columns: FileColumns, present: list[int]) -> Iterator[pa.RecordBatch]:
        with self.opened(number, PIECE_BYTES) as pieces:
            for piece in pieces:
                count_present(piece, present)
                yield columns.batch(piece)

    def _made(self) -> tuple[Place, FileColumns, ParquetForm]:
        columns, form = pickle.loads(base64.b64decode(self._order["made"]))
        return Place(self._order["folder"]), columns, form


def count_present(batch: pa.RecordBatch, present: list[int]) -> None:
    """Add the values of each column that are not NULL."""
    for at, column in enumerate(batch.columns):
        present[at] += len(column) - column.null_count


def trial_name(number: int) -> str:
    """The file of a trial, by the number of its task."""
    return f"trial-{number:05d}"
