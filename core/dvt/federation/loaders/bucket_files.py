"""A stream as Parquet files of bounded size below a prefix of their own in a bucket.

They are what an engine's COPY reads, or what become a table's files.

    with BucketFiles(folder) as files:
        written = files.write(schema, batches)  # uploaded while it is read
        ...                                     # COPY
        files.keep()                            # only where the files are the table; without it they are removed
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.errors import DvtError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class Folder(Protocol):
    """A private prefix: `S3Folder` where the engine's own AWS session counts, `StoreFolder` for all other stores."""

    @property
    def url(self) -> str:
        """`s3://bucket/prefix/`, as the engine is told."""

    @property
    def path(self) -> str:
        """Bucket and prefix, as the file system names them."""

    @property
    def filesystem(self) -> FileSystem:
        """What writes."""

    def told(self) -> dict[str, Any]:
        """What another process needs to write there, as JSON: `kind`, and `options` of the client, secrets too.

        Credentials that are this machine's own are not among them: there they are that machine's.
        """

    def remove(self) -> None:
        """Delete everything below the prefix."""

    def guarded(self) -> AbstractContextManager[None]:
        """Within it the store's errors become dvt's, where the engine's `translate` does not know them."""


@dataclass(frozen=True)
class ParquetForm:
    """How the files are written. The defaults are what every engine reads.

    Args:
        file_bytes: A file is ended when it has this many bytes; it may be larger by a row group.
        file_rows: And when it has this many rows, exactly.
        group_bytes: Arrow bytes that are held for one row group; with the parts of the upload that is all the memory.
        group_rows: Rows of one row group at most.
        compression: As pyarrow names it.
        timestamps: "us" for INT64 of microseconds (with a zone they are marked as UTC's), "ms" refuses what it would
            cut, "int96" for old readers; they read years before 1970 differently.
        has_integer_decimals: Whether decimals of few digits are INT32 and INT64, and not bytes of fixed length.
    """

    file_bytes: int = 128 << 20
    file_rows: int = 1 << 40
    group_bytes: int = 8 << 20
    group_rows: int = 1 << 20
    compression: str = "snappy"
    timestamps: Literal["us", "ms", "int96"] = "us"
    has_integer_decimals: bool = False

    def options(self) -> dict[str, Any]:
        """What pyarrow's writer is given."""
        times: dict[str, Any] = {"use_deprecated_int96_timestamps": True} if self.timestamps == "int96" else {}
        if not times:
            times = {"coerce_timestamps": self.timestamps, "allow_truncated_timestamps": False}
        return {
            "compression": self.compression,
            "store_schema": False,  # the engine reads Parquet's own types, and nothing else
            **({"store_decimal_as_integer": True} if self.has_integer_decimals else {}),
            **times,
        }


@dataclass(frozen=True)
class BucketFile:
    """One file that is whole.

    Args:
        url: `s3://bucket/prefix/00000.parquet`.
        rows: In it.
        bytes: Of the file.
    """

    url: str
    rows: int
    bytes: int

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.url.rpartition("/")[2]


class BucketFiles:
    """The files below one private prefix; they are gone when the block ends, unless they are kept.

    Args:
        folder: Nothing else may use it.
        form: How they are written.
        prefix: Of the files' names; who writes into the same folder has another one.
    """

    def __init__(self, folder: Folder, form: ParquetForm | None = None, prefix: str = "") -> None:
        self.folder = folder
        self.written: list[BucketFile] = []
        self._form = form or ParquetForm()
        self._prefix = prefix
        self._is_kept = False

    def __enter__(self) -> BucketFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_kept and value is None:
            return
        if value is None:
            self.remove()
            return
        with contextlib.suppress(DvtError, OSError, *_client_errors()):  # the first error is the one to tell
            self.remove()

    def keep(self) -> None:
        """The files are part of a table now: they stay, unless the block fails after this."""
        self._is_kept = True

    def remove(self) -> None:
        """Delete what was written, and what a broken upload may have left below the prefix."""
        with self.folder.guarded():
            self.folder.remove()

    def write(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> list[BucketFile]:
        """Write all batches; no file for no rows.

        Args:
            schema: Of every batch. Plain types only: what is an extension type is written as its storage.
            batches: Read once. What reading raises comes out as it is.

        Returns:
            The files, in the order of their rows.
        """
        file: _File | None = None
        try:
            for group in _groups(batches, self._form):
                while group.num_rows:
                    with self.folder.guarded():
                        file = file or _File(self._next_name(), self.folder, schema, self._form)
                        group = file.add(group)
                        if file.is_full:
                            self.written.append(file.finish())
                            file = None
            if file is not None:
                with self.folder.guarded():
                    self.written.append(file.finish())
        except BaseException:
            if file is not None:
                file.abandon()
            raise
        return self.written

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.written)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.written)

    def _next_name(self) -> str:
        return f"{self._prefix}{len(self.written):05d}.parquet"


class _File:
    """A file that is open; the store has it only when it is finished."""

    def __init__(self, name: str, folder: Folder, schema: pa.Schema, form: ParquetForm) -> None:
        self._url = folder.url + name
        self._form = form
        self._rows = 0
        self._sink = folder.filesystem.open_output_stream(f"{folder.path}/{name}")
        self._writer = pq.ParquetWriter(self._sink, schema, **form.options())

    def add(self, group: pa.Table) -> pa.Table:
        """Write one row group, and give what the file has no room for."""
        taken = group.slice(0, self._form.file_rows - self._rows)
        self._writer.write_table(taken, row_group_size=taken.num_rows)
        self._rows += taken.num_rows
        return group.slice(taken.num_rows)

    @property
    def is_full(self) -> bool:
        """Whether the next rows belong into another file."""
        return self._sink.tell() >= self._form.file_bytes or self._rows >= self._form.file_rows

    def finish(self) -> BucketFile:
        """Write the end, and wait until the store has taken it."""
        self._writer.close()
        size = self._sink.tell()
        self._sink.close()
        return BucketFile(self._url, self._rows, size)

    def abandon(self) -> None:
        """Let go of it. Closing may make half a file of it, which is removed with the others."""
        with contextlib.suppress(OSError, pa.ArrowException, ValueError):
            self._sink.close()


def _groups(batches: Iterable[pa.RecordBatch], form: ParquetForm) -> Iterator[pa.Table]:
    """Batches as row groups: many small ones together, large ones in pieces."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        while batch.num_rows:
            piece = batch.slice(0, form.group_rows - rows)
            batch = batch.slice(piece.num_rows)
            held.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
            if rows >= form.group_rows or size >= form.group_bytes:
                yield pa.Table.from_batches(held)
                held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held)


def _client_errors() -> tuple[type[Exception], ...]:
    """Those of boto3, by which folders on S3 are emptied."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return ()
    return (BotoCoreError, ClientError)
