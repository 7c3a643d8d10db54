"""Loading by files in a folder and what the engine does with them: written by dvt, or by Spark's executors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa

from dvt.federation.loaders.bucket_files import BucketFiles, Folder, ParquetForm
from dvt.federation.loaders.bucket_spread import BucketSpread
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.files_executor import PIECE_BYTES, count_present
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.spread import EXECUTORS, SpreadRows


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class BucketLoad:
    """How an engine is loaded by files.

    Args:
        name: The method's, where dvt writes the files.
        folder: Gives a folder that nothing else uses.
        columns: Gives the files' columns.
        load: Has the engine take the files, of which there are some; gives the rows that it says it took, or None.
        lacks: Why it cannot be done so.
        form: How files are written.
        is_kept: Whether the files are the table's own afterwards, and stay.
        counted: Is told how many values of each column that are not NULL were written.
    """

    name: str
    folder: Callable[[], Folder]
    columns: Callable[[], FileColumns]
    load: Callable[[BucketFiles], int | None]
    lacks: Callable[[], str | None] = _nothing
    form: ParquetForm = field(default_factory=ParquetForm)
    is_kept: bool = False
    counted: Callable[[Sequence[int]], None] | None = None

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The methods, the one by executors first, where the rows come with an offer of such."""
        spread = filling.stream.spread
        by_dvt = LoadMethod(self.name, lacks=self.lacks, fill=self._by_dvt)
        if spread is None or spread.by != "executors":
            return [by_dvt]
        return [self._by_executors(spread, filling.schema), by_dvt]

    def _by_dvt(self, filling: Filling) -> Filled:
        columns = self.columns()
        present = [0] * len(columns.names)
        with BucketFiles(self.folder(), self.form) as files:
            files.write(columns.schema, _rows(filling, columns, present))
            taken = self._taken(files, present)
            return Filled(taken, max(files.bytes, filling.stream.bytes_read))

    def _by_executors(self, spread: SpreadRows, schema: pa.Schema) -> LoadMethod:
        @cache  # for the trial and the load
        def spreading() -> BucketSpread:
            return BucketSpread(spread, self.columns(), self.form)

        def lacks() -> str | None:
            return self.lacks() or spreading().lacks(self.folder(), schema)

        def fill(filling: Filling) -> Filled:
            filling.check()
            with BucketFiles(self.folder(), self.form) as files:
                present = spreading().write(files, schema)
                filling.check()
                return Filled(self._taken(files, present), files.bytes, spread.rows)

        return LoadMethod(EXECUTORS, lacks=lacks, fill=fill)

    def _taken(self, files: BucketFiles, present: Sequence[int]) -> int:
        if self.counted is not None:
            self.counted(present)
        taken = self.load(files) if files.rows else None
        if self.is_kept:
            files.keep()
        return files.rows if taken is None else taken


def _rows(filling: Filling, columns: FileColumns, present: list[int]) -> Iterator[pa.RecordBatch]:
    for batch in filling.batches(PIECE_BYTES):
        count_present(batch, present)
        yield columns.batch(batch)
