"""Letting Spark's executors write the files of a load, and seeing that they did (`files_executor.py` runs there)."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dvt.errors import DataError
from dvt.federation.executor_parts import PASSED_ROWS, schema_of
from dvt.federation.loaders import files_executor
from dvt.federation.loaders.bucket_files import BucketFile, BucketFiles, Folder, ParquetForm
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.files_executor import trial_name
from dvt.federation.spread import SpreadRows, Told


class BucketSpread:
    """The files of one load.

    Args:
        spread: The offer.
        columns: Of the files.
        form: How they are written.
    """

    def __init__(self, spread: SpreadRows, columns: FileColumns, form: ParquetForm) -> None:
        self._spread = spread
        self._columns = columns
        self._form = form

    def lacks(self, folder: Folder, schema: pa.Schema) -> str | None:
        """What executors lack for it, in one line. They write small files below the folder; it is empty afterwards."""
        if why := self._spread.why_not:
            return why
        if not self._spread.parts:
            return "there are no rows"
        with BucketFiles(folder) as files:
            why = self._spread.try_out(self._order(folder, schema))
            if not why and not _sizes(files, [trial_name(0)])[0]:
                why = f"what they write to {folder.url} is not there: it is another place for them"
        return why or None

    def write(self, files: BucketFiles, schema: pa.Schema) -> list[int]:
        """Have the files written; `files.written` is what is there.

        Returns:
            How many values of each column are not NULL.

        Raises:
            DataError: A value has no place, or what is there is not what was to be.
        """
        told = sorted(self._spread.land(self._order(files.folder, schema)), key=lambda each: each.part)
        _refuse(told)
        if [each.part for each in told] != list(range(len(self._spread.parts))):
            raise _other(f"{len(self._spread.parts)} parts were to be written, and {len(told)} were")
        for each, part in zip(told, self._spread.parts, strict=True):
            if each.rows != part.rows:
                raise _other(f"{part.rows} rows of a part were to be written, and {each.rows} were")
        files.written = [
            BucketFile(files.folder.url + name, rows, size) for each in told for name, rows, size in each.files
        ]
        there = _sizes(files, [file.name for file in files.written])
        for file, size in zip(files.written, there, strict=True):
            if file.bytes != size:
                raise _other(f"{file.url} was written with {file.bytes} bytes, and there are {size}")
        return [sum(counts) for counts in zip(*(each.present for each in told), strict=True)]

    def _order(self, folder: Folder, schema: pa.Schema) -> dict[str, Any]:
        with folder.guarded():
            told = {"url": folder.url, "path": folder.path, **folder.told()}
        return {
            "task": files_executor.__name__,
            "folder": told,
            "made": base64.b64encode(pickle.dumps((self._columns, self._form))).decode(),
            "schema": schema_of(schema),
            "parts": [[part.path, list(part.groups), part.rows] for part in self._spread.parts],
            "batch_rows": PASSED_ROWS,
        }


def _other(message: str) -> DataError:
    return DataError(
        message,
        phase="load",
        remedy="Run it again; if it stays, see that all executors write to this place, and that nothing else does",
    )


def _refuse(told: Sequence[Told]) -> None:
    for each in told:
        if each.refusal:
            raise DataError(
                each.refusal, column=each.column or None, phase="load", remedy="Cast or replace the value in the model"
            )


def _sizes(files: BucketFiles, names: Sequence[str]) -> list[int]:
    """The bytes of files, 0 for one that is not there."""
    folder = files.folder
    with folder.guarded():
        found = folder.filesystem.get_file_info([f"{folder.path}/{name}" for name in names])
    return [info.size or 0 for info in found]
