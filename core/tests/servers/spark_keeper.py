"""Holds a Spark server as long as a test process needs it: a process of its own, which this file is run as.

Test processes hold a shared lock on one file. The keeper waits for that file alone: it gets it when the last of them
has ended, however it ended, and then ends the server and removes its folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

ENDED, LOG = "ended", "log"


def keep(needed: Path, folder: Path, command: list[str]) -> None:
    """Run a server in a folder until nobody holds a lock on `needed`."""
    with needed.open() as lock, (folder / LOG).open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        watch = threading.Thread(target=lambda: (folder / ENDED).write_text(str(process.wait())))
        watch.start()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # its data is thrown away
            watch.join()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
