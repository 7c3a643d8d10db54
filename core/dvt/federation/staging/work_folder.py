"""A run's private folder on disk: made when first needed, gone at the end, and swept when a run was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path
from typing import IO

from dvt.errors import ConfigurationError

_LOCK = "running.lock"


class WorkFolder:
    """`<root>/run_<id>`, readable by its owner only.

    A lock file tells a live run from a killed one; the folders of killed runs are removed by the next run.

    Args:
        root: Shared by the runs of a project.
        run_id: Distinguishes the run.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self._root = root
        self._path = root / f"run_{run_id}"
        self._lock = threading.Lock()
        self._held: IO[bytes] | None = None

    def path(self) -> Path:
        """The folder, which exists from the first call on."""
        with self._lock:
            if self._held is None:
                self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._sweep()
                self._path.mkdir(mode=0o700, exist_ok=True)
                self._held = _take(self._path)
                if self._held is None:
                    raise ConfigurationError(
                        f"the folder {self._path} belongs to a run that is still going on",
                        remedy="Give every run its own id",
                    )
            return self._path

    def close(self) -> None:
        """Remove the folder, and the root when nothing else is in it."""
        with self._lock:
            if self._held is None:
                return
            shutil.rmtree(self._path, ignore_errors=True)
            self._held.close()
            self._held = None
            with contextlib.suppress(OSError):  # another run has its folder there
                self._root.rmdir()

    def _sweep(self) -> None:
        for folder in self._root.glob("run_*"):
            if (folder / _LOCK).exists():
                held = _take(folder)
                if held is None:
                    continue
                shutil.rmtree(folder, ignore_errors=True)
                held.close()


def _take(folder: Path) -> IO[bytes] | None:
    """The folder's lock, None when a live process has it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "r+b")
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows: an open file cannot be removed there, which serves the same end
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
