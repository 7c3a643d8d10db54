"""A file that is being written, here or in an object store: it ends whole, or it is gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvt.connections.object_paths import FilePath, ObjectPath, open_input
from dvt.errors import DvtError

_BLOCK_BYTES = 1 << 20
_QUEUED_BYTES = 16 << 20


class NewFile:
    """A file under a name that no reader looks at.

    In an object store a stream that is thrown away is completed (pyarrow has no other end): what failed is ended too,
    and then deleted.

    Args:
        path: Its folder is made where there are folders.
    """

    def __init__(self, path: FilePath) -> None:
        self.path = path
        self._settled = 0
        self.stream: Any
        if isinstance(path, ObjectPath):
            self.stream = path.create()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def settle(self) -> None:
        """Wait for what is on its way, now and then: Azure's client queues blocks in memory without a bound."""
        is_azure = isinstance(self.path, ObjectPath) and self.path.address.kind == "az"
        if is_azure and self.stream.tell() - self._settled >= _QUEUED_BYTES:
            self.stream.flush()
            self._settled = self.stream.tell()

    def finish(self) -> None:
        """Bring it to the disk, or have the store show it."""
        self.stream.flush()
        if isinstance(self.path, Path):
            os.fsync(self.stream.fileno())
        self.stream.close()

    def abandon(self) -> None:
        """Remove it; what has failed before is the error to tell."""
        with contextlib.suppress(OSError, DvtError):
            self.stream.close()
        with contextlib.suppress(OSError, DvtError):
            self.path.unlink(missing_ok=True)


def joined(path: FilePath, parts: Sequence[FilePath]) -> int:
    """Write files of lines one after the other into a new one, and give its size in bytes."""
    new = NewFile(path)
    try:
        for part in parts:
            with open_input(part) as file:
                last = b"\n"
                while block := file.read(_BLOCK_BYTES):
                    new.stream.write(block)
                    new.settle()
                    last = block[-1:]
                if last != b"\n":
                    new.stream.write(b"\n")
        size = int(new.stream.tell())
        new.finish()
        return size
    except BaseException:
        new.abandon()
        raise


def put_in_place(staged: FilePath, target: FilePath) -> None:
    """Give a file that is whole its own name: by a rename, or by the store's own copy."""
    if isinstance(staged, ObjectPath):
        assert isinstance(target, ObjectPath), "both are below one root"
        staged.copy_to(target)
        staged.unlink(missing_ok=True)
        return
    assert isinstance(target, Path), "both are below one root"
    staged.chmod(0o644)
    staged.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the system can open folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
