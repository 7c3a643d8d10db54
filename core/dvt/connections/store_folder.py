"""A prefix in an object store that an engine and dvt both reach: dvt writes and deletes there, the engine reads."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection
from dvt.connections.object_stores import Address, check_settings, client_options, filesystem, translated
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True)
class StoreFolder:
    """A prefix.

    Args:
        store: Says where the store is and who one is there.
        address: The store's kind, and bucket and prefix.
        url: The same as the engine is told, in the words of the configuration, with a slash at the end.
    """

    store: Connection = field(repr=False)
    address: Address
    url: str

    @property
    def path(self) -> str:
        """Bucket and prefix, as the file system names them."""
        return self.address.key

    @property
    def filesystem(self) -> FileSystem:
        """What reads and writes; asked for anew before each file, because credentials may end."""
        return filesystem(self.store, self.address)

    def private(self) -> StoreFolder:
        """A prefix in it that nothing else uses."""
        return self.below(f"dvt-{uuid.uuid4()}")

    def below(self, name: str) -> StoreFolder:
        """The prefix of a folder in it."""
        address = dataclasses.replace(self.address, key=f"{self.address.key}/{name}")
        return dataclasses.replace(self, address=address, url=f"{self.url}{name}/")

    def files(self) -> list[str]:
        """The files below it, in the order of their names."""
        from pyarrow.fs import FileSelector, FileType

        with self.guarded():
            found = self.filesystem.get_file_info(FileSelector(self.path, recursive=True, allow_not_found=True))
        return sorted(info.path for info in found if info.type == FileType.File and info.size)

    def remove(self) -> None:
        """Delete everything below the prefix, empty objects too. On S3 pyarrow leaves one for the folder above."""
        from pyarrow.fs import FileSelector, FileType

        with self.guarded():
            files = self.filesystem
            left = files.get_file_info(FileSelector(self.path, recursive=True, allow_not_found=True))
            if left and self.address.kind != "gs":  # many at once; a file alone would leave an object for its folder
                files.delete_dir(self.path)
                return
            for info in sorted(left, key=lambda info: info.path, reverse=True):
                if info.type == FileType.File:
                    files.delete_file(info.path)
                    continue
                with contextlib.suppress(FileNotFoundError):  # most folders are names, and no objects
                    files.delete_dir(info.path)

    def told(self) -> dict[str, Any]:
        """What another process needs to write there, as JSON; secrets too."""
        return {"kind": self.address.kind, "options": self.client_options()}

    def client_options(self) -> dict[str, Any]:
        """What another process needs to reach it, secrets too."""
        return client_options(self.store, self.address)

    def guarded(self) -> contextlib.AbstractContextManager[None]:
        """Within it the store's errors become dvt's."""
        return translated(self.store, self.address, self.url)


def store_folder(connection: Connection, url: str, settings: Mapping[str, Any], option: str) -> StoreFolder:
    """The folder that an engine's option names.

    Args:
        connection: The engine's; errors carry its name.
        url: `s3://bucket/folder`, `gs://...`, `az://...` or `abfss://...`.
        settings: The store's own keys, as a files connection has them (`aws_access_key_id`, `keyfile`, `account_key`,
            `endpoint_url`, ...); without them it is the environment's credentials. The engine's own keys are not looked
            at: a `token` of Databricks is none of Google's.
        option: What the messages call it, for example "dvt.load_to".

    Raises:
        ConfigurationError: It is no address, or a key is none of its kind of store.
    """
    from dvt.connections.files import SPEC

    output = {"type": SPEC.type, "path": url, **{key: value for key, value in settings.items() if value is not None}}
    store = Connection.from_output(connection.name, output, SPEC, connection.root)
    address = check_settings(store)
    if address is None:
        raise ConfigurationError(
            f"{option} is no address of an object store: {url}",
            connection=connection.name,
            remedy="Write s3://bucket/folder, gs://bucket/folder or az://container/folder",
        )
    return StoreFolder(store, address, url.rstrip("/") + "/")
