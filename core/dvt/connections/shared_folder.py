"""The folder that `dvt.load_through` names: dvt writes files there, and the server reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from dvt.connections.connection import Connection
from dvt.connections.object_store_clients import LOCAL, client
from dvt.connections.store_folder import StoreFolder, store_folder
from dvt.errors import ConfigurationError, ResourceError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

# Hadoop's name of S3, which its own programs want.
_HADOOP_S3 = "s3a://"
_FILE = "file://"


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine, or of a disk that the server has under the same path.

    Files are readable as this process's umask says: the server may be another user.

    Args:
        connection: The engine's, for messages.
        folder: The folder; nothing else may use it.
    """

    connection: Connection = field(repr=False)
    folder: Path

    @property
    def url(self) -> str:
        """As the server is told."""
        return f"{_FILE}{quote(str(self.folder))}/"

    @property
    def path(self) -> str:
        """As the file system names it."""
        return str(self.folder)

    @property
    def filesystem(self) -> FileSystem:
        """This machine's; it makes the folder with its first file."""
        self.folder.mkdir(exist_ok=True)
        return client(LOCAL, {})

    def told(self) -> dict[str, Any]:
        """What another process needs to write there: nothing, if it sees the folder."""
        self.folder.mkdir(exist_ok=True)
        return {"kind": LOCAL, "options": {}}

    def remove(self) -> None:
        """Delete the folder, with what is in it."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Within it the disk's errors become dvt's."""
        try:
            yield
        except OSError as error:
            raise ResourceError(
                f"dvt.load_through cannot be written: {error}",
                connection=self.connection.name,
                phase="load",
                remedy="Look at the disk, and at the rights of the folder",
            ) from error


def private_folder(
    connection: Connection, *, settings: Mapping[str, Any] | None = None, takes_local: bool = False
) -> StoreFolder | LocalFolder:
    """A new folder below the one that `dvt.load_through` names; nothing is sent or made yet.

    Args:
        connection: The engine's.
        settings: The store's credentials, where they are not those of the environment.
        takes_local: Whether the engine reads `file:///folder`.

    Raises:
        ConfigurationError: It is no address that the engine can be told.
    """
    given = str(connection.options["load_through"])
    if takes_local and given.startswith(_FILE):
        parts = urlsplit(given)
        if parts.netloc or parts.path in ("", "/"):
            raise _no_address(given, connection, takes_local)
        return LocalFolder(connection, Path(unquote(parts.path)) / f"dvt-{uuid.uuid4()}")
    if given.startswith("az://"):  # dvt's own short form, of which no server knows
        raise _no_address(given, connection, takes_local)
    own = given.replace(_HADOOP_S3, "s3://", 1) if given.startswith(_HADOOP_S3) else given
    if "://" not in own or "?" in own:  # a signed address would be shown in statements; Hadoop takes it for any letter
        raise _no_address(given, connection, takes_local)
    try:
        folder = store_folder(connection, own, settings or {}, "dvt.load_through")
    except ConfigurationError as error:
        raise _no_address(given, connection, takes_local) from error
    return dataclasses.replace(folder, url=given.rstrip("/") + "/").private()


def private_bucket(
    connection: Connection, scheme: str, reader: str, settings: Mapping[str, Any] | None = None
) -> StoreFolder:
    """The same for an engine that reads one kind of store only.

    Args:
        connection: The engine's.
        scheme: Of the store's addresses: "s3" or "gs".
        reader: Who reads there, for messages.
        settings: As `private_folder` takes them.

    Raises:
        ConfigurationError: It is no such address.
    """
    given = str(connection.options["load_through"])
    found = private_folder(connection, settings=settings) if given.startswith(f"{scheme}://") else None
    if not isinstance(found, StoreFolder):
        raise ConfigurationError(
            f"dvt.load_through is no address that {reader} reads: {given}",
            connection=connection.name,
            remedy=f"Write it as {scheme}://bucket/folder",
        )
    return found


def _no_address(given: str, connection: Connection, takes_local: bool) -> ConfigurationError:
    local = ", or file:///folder" if takes_local else ""
    return ConfigurationError(
        f"dvt.load_through is no address that the server reads: {given}",
        connection=connection.name,
        remedy="Write s3://bucket/folder, gs://bucket/folder, abfss://container@account.dfs.core.windows.net/folder"
        + local,
    )
