"""Where inputs and results of one Spark engine lie: a private place that dvt and Spark both reach."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.spark_process import SparkSaidError
from dvt.errors import ConfigurationError
from dvt.federation.engines.base import Handle
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.engines.spark_options import SHARE, SparkOptions
from dvt.federation.staging.parquet import disk_errors

ROW_GROUP_ROWS = 1 << 20
"""Rows of a staged row group, at most."""
DONE = "_SUCCESS"
"""What Spark writes when a result is whole."""
_TRIAL = pa.record_batch({"i": [1, 2, 3]})


class Staging(ABC):
    """A private place, empty at first. Its files are texts, which only it understands.

    Args:
        shown: What messages call it.
        remedy: What to do if Spark does not find there what dvt wrote, or the other way round.
    """

    shown: str
    remedy: str

    @abstractmethod
    def file(self, name: str) -> str:
        """The file or folder of a name below the private place."""

    @abstractmethod
    def seen(self, file: str) -> str:
        """A file or folder as Spark calls it."""

    @abstractmethod
    def told(self, file: str) -> str:
        """A file as the executors' own Python is told (`executor_parts.part_file`)."""

    @abstractmethod
    def store(self) -> dict[str, Any] | None:
        """What that Python needs to reach a bucket; None for a folder."""

    @abstractmethod
    def writing(self, file: str, schema: pa.Schema) -> AbstractContextManager[Callable[[pa.RecordBatch], None]]:
        """A new Parquet file, whole when the block ends; it gives what writes a batch."""

    @abstractmethod
    def metadata(self, file: str) -> pq.FileMetaData:
        """What a Parquet file says of itself."""

    @abstractmethod
    def batches(self, file: str, batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a Parquet file."""

    @abstractmethod
    def result(self, folder: str) -> list[str] | None:
        """The files of a result that is whole, in their order; None when there is none."""

    @abstractmethod
    def holds(self, paths: Sequence[Path]) -> bool:
        """Whether Spark finds files of this machine as they are."""

    @abstractmethod
    def give(self, reader: DuckDBEngine, handle: Handle, files: Sequence[str], columns: Collection[str]) -> None:
        """Make staged files a relation of DuckDB's, with at least the columns that are named (in any case)."""

    @abstractmethod
    def remove(self, folder: str | None = None) -> None:
        """Delete a folder of it, or all of it. Whoever fails here says so, and raises nothing."""

    def trial(self) -> str:
        """A small file, for `check`."""
        file = self.file("trial/part_0.parquet")
        with self.writing(file, _TRIAL.schema) as write:
            write(_TRIAL)
        return file

    def check(self, trial: str, count: Callable[[str], int]) -> None:
        """Let the executors count what one of them is to read, before they are asked for more.

        Raises:
            ConfigurationError: They do not find it.
        """
        try:
            found = count(self.seen(trial))
        except SparkSaidError as error:
            raise self.unseen(error) from error
        if found != _TRIAL.num_rows:
            raise self.unseen(None)

    def unseen(self, error: SparkSaidError | None) -> ConfigurationError:
        """The error for executors that do not find a file that was written here."""
        return ConfigurationError(
            f"Spark's executors do not see {self.shown}", code="DVT111", phase="compute", remedy=self.remedy
        )


class FolderStaging(Staging):
    """A folder of this machine, which the executors see too.

    Args:
        options: Name it, and what executors call it.
        other: Where it lies when they do not.
    """

    remedy = SHARE

    def __init__(self, options: SparkOptions, other: Path) -> None:
        self._options = options
        self._staging = options.staging_folder(other)
        self._staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = Path(tempfile.mkdtemp(prefix="spark_", dir=self._staging))
        self.shown = f"the folder {options.staging_as or self._staging}"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def seen(self, file: str) -> str:
        return self._options.seen(Path(file))

    def told(self, file: str) -> str:
        return self.seen(file)

    def store(self) -> None:
        return None

    @contextmanager
    def writing(self, file: str, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
        path = Path(file)
        path.parent.mkdir(exist_ok=True)
        with disk_errors(path), pq.ParquetWriter(path, schema, compression="zstd", write_statistics=False) as writer:
            yield lambda batch: writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)

    def metadata(self, file: str) -> pq.FileMetaData:
        return pq.read_metadata(file)

    def batches(self, file: str, batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        with pq.ParquetFile(file, pre_buffer=False) as opened:
            yield from opened.iter_batches(batch_rows)

    def result(self, folder: str) -> list[str] | None:
        path = Path(folder)
        return [str(each) for each in sorted(path.glob("*.parquet"))] if (path / DONE).exists() else None

    def holds(self, paths: Sequence[Path]) -> bool:
        return not self._options.staging or all(self._staging in path.parents for path in paths)

    def give(self, reader: DuckDBEngine, handle: Handle, files: Sequence[str], columns: Collection[str]) -> None:
        reader.register_parquet(handle, [Path(file) for file in files])

    def remove(self, folder: str | None = None) -> None:
        shutil.rmtree(folder or self.folder, ignore_errors=True)
