"""The keeper of the tests' Spark server: one server for all who hold the lock, and its end with the last of them."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import spark_keeper

_PATIENCE_S = 60


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start(needed: Path, folder: Path, *command: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    return subprocess.Popen([sys.executable, spark_keeper.__file__, str(needed), str(folder), *command])


def test_a_server_ends_with_the_last_who_needs_it(tmp_path: Path) -> None:
    needed, folder = tmp_path / "needed", tmp_path / "server"
    with needed.open("w") as one, needed.open() as other:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH)
        keeper = start(needed, folder, "sh", "-c", "echo $$ > pid; exec sleep 600")
        until(lambda: (folder / "pid").exists() and (folder / "pid").read_text() != "")
        server = Path("/proc", (folder / "pid").read_text().strip())
        fcntl.flock(one, fcntl.LOCK_UN)
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.wait(timeout=0.3)
        assert server.exists()
    # The other ended without a word.
    assert keeper.wait(timeout=_PATIENCE_S) == 0
    assert not server.exists()
    assert not folder.exists()


def test_a_server_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    needed, folder = tmp_path / "needed", tmp_path / "server"
    with needed.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        keeper = start(needed, folder, "sh", "-c", "echo broken; exit 3")
        until(lambda: (folder / spark_keeper.ENDED).exists() and (folder / spark_keeper.ENDED).read_text() == "3")
        assert (folder / spark_keeper.LOG).read_text() == "broken\n"
        assert keeper.poll() is None
    assert keeper.wait(timeout=_PATIENCE_S) == 0
    assert not folder.exists()
