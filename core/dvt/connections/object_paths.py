"""Paths in an object store with the few members of `pathlib.Path` that finding files takes."""

from __future__ import annotations

import contextlib
import fnmatch
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from dvt.connections.connection import Connection
from dvt.connections.object_stores import Address, filesystem, translated
from dvt.errors import RelationNotFoundError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileInfo


@dataclass(frozen=True)
class ObjectPath:
    """An object, or a prefix that is looked at as a folder.

    Args:
        connection: Whose credentials count.
        address: The connection's own address.
        key: Bucket and key, as the file system names it.
        known: What a listing said of it.
    """

    connection: Connection = field(compare=False, repr=False)
    address: Address
    key: str
    known: FileInfo | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.address.kind}://{self.key}"

    def __truediv__(self, name: str) -> ObjectPath:
        return self._at(str(PurePosixPath(self.key) / name))

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.key).name

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket, the folders, the name."""
        return PurePosixPath(self.key).parts

    @property
    def suffix(self) -> str:
        """The last part's ending, with its dot."""
        return PurePosixPath(self.key).suffix

    @property
    def parent(self) -> ObjectPath:
        """The folder it lies in."""
        return self._at(str(PurePosixPath(self.key).parent))

    def with_name(self, name: str) -> ObjectPath:
        """Another one in the same folder."""
        return self._at(str(PurePosixPath(self.key).with_name(name)))

    def resolve(self) -> ObjectPath:
        """The path without `..`; there are no links."""
        key = posixpath.normpath(self.key)
        return self if key == self.key else self._at(key)

    def exists(self) -> bool:
        """Whether there is an object, or something below."""
        return self.is_file() or self.is_dir()

    def is_dir(self) -> bool:
        """Whether something lies below."""
        from pyarrow.fs import FileType

        return bool(self._info.type == FileType.Directory)

    def is_file(self) -> bool:
        """Whether it is an object."""
        from pyarrow.fs import FileType

        return bool(self._info.type == FileType.File)

    @property
    def now(self) -> FileInfo:
        """What the store says of it at this moment."""
        return self.infos([self.key])[0]

    def infos(self, keys: list[str]) -> list[FileInfo]:
        """What the store says of some keys at this moment."""
        with self._translated():
            return list(filesystem(self.connection, self.address).get_file_info(keys))

    def told(self, known: FileInfo) -> ObjectPath:
        """The same path, when the store was asked before."""
        return replace(self, known=known)

    @property
    def size_bytes(self) -> int:
        """The object's size."""
        return int(self._info.size or 0)

    def rglob(self, pattern: str) -> Iterator[ObjectPath]:
        """Everything below whose name matches."""
        return (path for path in self._listed(is_deep=True) if fnmatch.fnmatchcase(path.name, pattern))

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """What matches a pattern of `/`-separated parts, each found once; `**` is any number of folders."""
        found = [self]
        for part in PurePosixPath(pattern).parts:
            found = list(dict.fromkeys(after for path in found for after in path._matching(part)))
        return iter(found)

    def open(self) -> pa.NativeFile:
        """The object's bytes, from any place in it."""
        with self._translated():
            return filesystem(self.connection, self.address).open_input_file(self.key)

    def create(self) -> pa.NativeFile:
        """A stream that becomes the object when it is closed; also when it is thrown away: pyarrow has no other end.

        Nothing that readers look at may be opened so: Azure empties a blob at once.
        """
        with self._translated():
            return filesystem(self.connection, self.address).open_output_stream(self.key)

    def put(self, content: bytes) -> None:
        """Write a small object."""
        with self._translated(), filesystem(self.connection, self.address).open_output_stream(self.key) as file:
            file.write(content)

    def copy_to(self, target: ObjectPath) -> None:
        """Have the store copy the object onto another key."""
        with self._translated():
            filesystem(self.connection, self.address).copy_file(self.key, target.key)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            with self._translated():
                filesystem(self.connection, self.address).delete_file(self.key)
        except RelationNotFoundError:
            if not missing_ok:
                raise

    def _matching(self, part: str) -> list[ObjectPath]:
        if part == "**":
            return [self, *(path for path in self._listed(is_deep=True) if path.is_dir())]
        if not re.search(r"[*?\[]", part):
            return [below] if (below := self / part).exists() else []
        return [path for path in self._listed() if fnmatch.fnmatchcase(path.name, part)]

    def _listed(self, is_deep: bool = False) -> list[ObjectPath]:
        """What lies in the folder. Folders are there by what lies in them, whether the store tells them or not."""
        from pyarrow.fs import FileInfo, FileSelector, FileType

        with self._translated():
            selector = FileSelector(self.key, recursive=is_deep, allow_not_found=True)
            found = {info.path: info for info in filesystem(self.connection, self.address).get_file_info(selector)}
        for key in list(found):
            for parent in PurePosixPath(key).relative_to(self.key).parents:
                folder = str(PurePosixPath(self.key) / parent)
                if parent.parts and folder not in found:
                    found[folder] = FileInfo(folder, FileType.Directory)
        return [self._at(key, info) for key, info in found.items()]

    @cached_property
    def _info(self) -> FileInfo:
        return self.known if self.known is not None else self.now

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self.connection, self.address, str(self))

    def _at(self, key: str, known: FileInfo | None = None) -> ObjectPath:
        return replace(self, key=key, known=known)


FilePath: TypeAlias = "Path | ObjectPath"


def open_input(path: Path | ObjectPath) -> pa.NativeFile:
    """A file's bytes, from any place in it.

    Raises:
        OSError: It is not there, or not to be read.
    """
    import pyarrow as pa

    if isinstance(path, ObjectPath):
        return path.open()
    try:
        return pa.OSFile(str(path))
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, str(error), str(path)) from error


def existing(paths: Sequence[FilePath]) -> list[FilePath]:
    """Those that are there. A store is asked for all at once."""
    far = [path for path in paths if isinstance(path, ObjectPath)]
    if not far:
        return [path for path in paths if path.exists()]
    told = [path.told(info) for path, info in zip(far, far[0].infos([path.key for path in far]), strict=True)]
    return [path for path in told if path.exists()]


def size_bytes(path: Path | ObjectPath) -> int:
    """A file's size."""
    return path.size_bytes if isinstance(path, ObjectPath) else path.stat().st_size


def state_of(path: Path | ObjectPath) -> object:
    """What is different after an object was replaced. A local file stays what it was while it is open."""
    if not isinstance(path, ObjectPath):
        return None
    info = path.now
    return (info.size, info.mtime_ns)
