"""One landing at a time in a local folder: who appends reads what is there, and puts more in its place."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dvt.connections.object_paths import FilePath

# What a file system says that has no locks, or none of folders.
_WITHOUT_LOCKS: Final = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


@contextlib.contextmanager
def alone_in(folder: FilePath) -> Iterator[None]:
    """No other landing of dvt is in the folder meanwhile, of this process or another; others wait for it to end.

    The lock is the system's, and ends with the process. Object stores and Windows have none.

    Args:
        folder: Is there.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    if not isinstance(folder, Path):
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
        yield
    finally:
        os.close(opened)
