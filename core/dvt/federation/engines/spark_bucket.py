"""A bucket as the place where inputs and results lie: dvt reaches it by pyarrow's clients, Spark by its own."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.secrets import redact
from dvt.connections.spark_process import SparkSaidError
from dvt.errors import ConfigurationError, DvtError, MissingDriverError
from dvt.federation.engines.base import Handle
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.engines.spark_staging import DONE, ROW_GROUP_ROWS, FolderStaging, Staging
from dvt.federation.engines.spark_store import bucket_folder, spark_url
from dvt.federation.stream import ColumnSchema, RowStream

_LOG = logging.getLogger(__name__)
_NO_CONNECTOR = re.compile(r'No FileSystem for scheme "?[\w.+-]+"?|Class org\.apache\.hadoop\.fs\.\S+ not found')
_CONNECTORS = {
    "s3a": "org.apache.hadoop:hadoop-aws of the version of Spark's Hadoop",
    "gs": "com.google.cloud.bigdataoss:gcs-connector",
    "abfss": "org.apache.hadoop:hadoop-azure of the version of Spark's Hadoop",
}
_MOST = 300


class BucketStaging(Staging):
    """A prefix of its own in a bucket.

    Args:
        options: Name the bucket's folder, how dvt reaches it, and what Spark calls it.
    """

    remedy = (
        "Let Spark's own connector reach the bucket (spark.hadoop.* in engines.spark.config, or the cluster's own"
        " settings), or correct engines.spark.staging and staging_as"
    )

    def __init__(self, options: SparkOptions) -> None:
        folder = bucket_folder(options.staging, options.store, options.root)
        self.folder = folder.private()
        self._url = (options.staging_as or spark_url(folder)).rstrip("/") + self.folder.path.removeprefix(folder.path)
        self.shown = self._url
        self._is_used = False

    def file(self, name: str) -> str:
        return f"{self.folder.path}/{name}"

    def seen(self, file: str) -> str:
        return self._url + file.removeprefix(self.folder.path)

    def told(self, file: str) -> str:
        return f"{self.folder.address.kind}://{file}"

    def store(self) -> dict[str, Any]:
        return {"kind": self.folder.address.kind, "options": self.folder.client_options()}

    @contextmanager
    def writing(self, file: str, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
        with self.folder.guarded():
            sink = self.folder.filesystem.open_output_stream(file)
            self._is_used = True
            writer = pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=False)

        def write(batch: pa.RecordBatch) -> None:
            with self.folder.guarded():
                writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)

        try:
            yield write
        except BaseException:
            for each in (writer, sink):  # half a file goes with the others
                with contextlib.suppress(OSError, pa.ArrowException, ValueError):
                    each.close()
            raise
        with self.folder.guarded():
            writer.close()
            sink.close()

    def metadata(self, file: str) -> pq.FileMetaData:
        with self.folder.guarded():
            return pq.read_metadata(file, filesystem=self.folder.filesystem)

    def batches(self, file: str, batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        yield from self._batches(file, batch_rows, None)

    def _batches(self, file: str, batch_rows: int, columns: list[str] | None) -> Generator[pa.RecordBatch, None, None]:
        """Row group by row group, each asked for in few large requests."""
        with self.folder.guarded():
            opened = pq.ParquetFile(file, filesystem=self.folder.filesystem, pre_buffer=True)
        with opened:
            for group in range(opened.num_row_groups):
                found = opened.iter_batches(batch_rows, row_groups=[group], columns=columns)
                while True:
                    with self.folder.guarded():
                        batch = next(found, None)
                    if batch is None:
                        break
                    yield batch

    def result(self, folder: str) -> list[str] | None:
        from pyarrow.fs import FileSelector, FileType

        with self.folder.guarded():
            found = self.folder.filesystem.get_file_info(FileSelector(folder, allow_not_found=True))
        names = {info.base_name: info.path for info in found if info.type == FileType.File}
        return [names[name] for name in sorted(names) if name.endswith(".parquet")] if DONE in names else None

    def holds(self, paths: Sequence[Path]) -> bool:
        return False

    def give(self, reader: DuckDBEngine, handle: Handle, files: Sequence[str], columns: Collection[str]) -> None:
        with self.folder.guarded():
            schema = pq.read_schema(files[0], filesystem=self.folder.filesystem)
        fields = [field for field in schema if field.name.lower() in columns]
        names = [field.name for field in fields]
        read = (batch for file in files for batch in self._batches(file, ROW_GROUP_ROWS, names))
        with RowStream([ColumnSchema(field.name, field.type, field.nullable) for field in fields], read) as stream:
            reader.register(handle, stream)

    def remove(self, folder: str | None = None) -> None:
        if not self._is_used:
            return
        below = self.folder if folder is None else self.folder.below(folder.removeprefix(f"{self.folder.path}/"))
        try:
            below.remove()
        except DvtError as error:
            if folder is None:  # what is left of a part of it goes with the whole
                _LOG.warning("files may be left below %s: %s", self.folder.url, error)

    def unseen(self, error: SparkSaidError | None) -> ConfigurationError:
        words = redact(" ".join(str(error or "").split()))[:_MOST]
        scheme = self._url.partition("://")[0]
        if _NO_CONNECTOR.search(words):
            jars = _CONNECTORS.get(scheme, "the one of this store")
            return MissingDriverError(
                f"Spark has no connector for {scheme}://: {words}",
                phase="compute",
                remedy=f"Name it in engines.spark.packages ({jars}), or its jars in spark.jars below config; a server "
                "of Spark Connect has to be started with it",
            )
        if not words:
            return super().unseen(error)
        return ConfigurationError(
            f"Spark does not read {self.shown}: {words}", code="DVT111", phase="compute", remedy=self.remedy
        )


def staging_of(options: SparkOptions, other: Path) -> Staging:
    """The place of one engine: in the bucket or the folder that `staging` names, else in another folder."""
    return BucketStaging(options) if options.is_bucket else FolderStaging(options, other)
