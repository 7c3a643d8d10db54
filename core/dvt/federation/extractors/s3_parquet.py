"""Parquet files that an engine left below a private prefix on S3: read as a stream, then removed."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from dvt.errors import ConfigurationError, DataError
from dvt.federation.stream import ColumnSchema

if TYPE_CHECKING:
    import boto3
    from pyarrow.fs import FileSystem

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True)
class S3Folder:
    """A prefix on S3.

    Args:
        url: `s3://bucket/prefix/`, as the engine is told.
        filesystem: What reads the bucket.
        client: What deletes; the filesystem would leave an empty object in the place of a folder above.
        options: What another process needs to make the same filesystem, without credentials of this machine's own.
    """

    url: str
    filesystem: FileSystem
    client: Any
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """Bucket and prefix, as the filesystem names them."""
        return self.url.removeprefix("s3://").rstrip("/")

    def told(self) -> dict[str, Any]:
        """What another process needs to write there, as JSON; secrets too."""
        return {"kind": "s3", "options": dict(self.options)}

    def private(self) -> S3Folder:
        """A prefix in it that nothing else uses."""
        return self.below(f"dvt-{uuid.uuid4()}")

    def below(self, name: str) -> S3Folder:
        """The prefix of a folder in it."""
        return dataclasses.replace(self, url=f"{self.url}{name}/")

    def files(self) -> list[str]:
        """The files with something in them, in the order of their names."""
        from pyarrow.fs import FileSelector, FileType

        found = self.filesystem.get_file_info(FileSelector(self.path, recursive=True, allow_not_found=True))
        return sorted(info.path for info in found if info.type == FileType.File and info.size)

    def batches(self, columns: Sequence[ColumnSchema], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The rows, by the columns' places in the files, not by their names.

        Raises:
            DataError: A file has other columns, or a value is not of the announced type.
        """
        from pyarrow import dataset

        files = self.files()
        if not files:
            return
        options = dataset.ParquetReadOptions(coerce_int96_timestamp_unit="us")
        found = dataset.dataset(files, filesystem=self.filesystem, format=dataset.ParquetFileFormat(options))
        for batch in found.to_batches(batch_size=batch_rows, batch_readahead=2, fragment_readahead=1):
            yield _as_announced(batch, columns)

    def guarded(self) -> AbstractContextManager[None]:
        """Nothing: the engine's own `translate` knows the errors of S3."""
        return contextlib.nullcontext()

    def remove(self) -> None:
        """Delete everything below the prefix."""
        bucket, _, prefix = self.path.partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
        for page in pages:
            found = [{"Key": item["Key"]} for item in page.get("Contents", ())]
            if found:
                self.client.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})


class ScanFolders:
    """The folders of a session's scans. A stream that failed, or that nobody closed, leaves its own to the end."""

    def __init__(self) -> None:
        self._left: dict[str, S3Folder] = {}

    def remover(self, folder: S3Folder, guarded: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:
        """What removes a folder, for its stream to call.

        Args:
            folder: The folder of one scan.
            guarded: Within it an error of S3 becomes dvt's own.
        """
        self._left[folder.url] = folder

        def remove() -> None:
            with guarded():
                folder.remove()
            self._left.pop(folder.url, None)

        return remove

    def remove_all(self) -> None:
        """Remove what is left."""
        for folder in list(self._left.values()):
            folder.remove()
            del self._left[folder.url]


def s3_folder(parent: str, session: boto3.Session, endpoint: str | None, connection: str) -> S3Folder:
    """A place on S3.

    Args:
        parent: `s3://bucket` or a prefix in it.
        session: Whose credentials and region count.
        endpoint: An S3 that is not Amazon's; None asks the environment.
        connection: Its name, for messages.

    Raises:
        ConfigurationError: The parent is no S3 address.
    """
    if not parent.startswith("s3://") or not urlsplit(parent).netloc:
        raise ConfigurationError(
            f"{parent!r} is no place on S3", connection=connection, remedy="Write it as s3://bucket/folder"
        )
    client = session.client("s3", endpoint_url=endpoint)
    from pyarrow.fs import S3FileSystem

    own, place = _credentials(session), _place(client)
    is_given = session.profile_name != "default" or _is_explicit(session)
    told = {**place, **own} if is_given else place
    return S3Folder(parent.rstrip("/") + "/", S3FileSystem(**place, **own), client, told)


def _is_explicit(session: boto3.Session) -> bool:
    """Whether the credentials were given to the session, and not found on this machine."""
    found = session.get_credentials()
    return found is not None and found.method == "explicit"


def _place(client: Any) -> dict[str, Any]:
    """Where the store is, as pyarrow's filesystem is told."""
    address = urlsplit(client.meta.endpoint_url)
    options: dict[str, Any] = {"region": client.meta.region_name or "us-east-1"}
    if not (address.hostname or "").endswith(_AMAZON):
        options.update(scheme=address.scheme, endpoint_override=address.netloc)
    return options


def _credentials(session: boto3.Session) -> dict[str, str]:
    found = session.get_credentials()
    if found is None:
        return {}
    frozen = found.get_frozen_credentials()
    given = {"access_key": frozen.access_key, "secret_key": frozen.secret_key, "session_token": frozen.token}
    return {key: value for key, value in given.items() if value is not None}


def _as_announced(batch: pa.RecordBatch, columns: Sequence[ColumnSchema]) -> pa.RecordBatch:
    if batch.num_columns != len(columns):
        raise DataError(f"a file has {batch.num_columns} columns, {len(columns)} were announced", phase="extract")
    arrays = [_cast(array, column) for array, column in zip(batch.columns, columns, strict=True)]
    schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: pa.Array, column: ColumnSchema) -> pa.Array:
    if array.type == column.type:
        return array
    try:
        return array.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"a value of the file's type {array.type} is not carried as {column.type}: {error}",
            column=column.name,
            phase="extract",
            remedy="Cast the column at the source, in a query or a view",
        ) from error
