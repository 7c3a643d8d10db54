"""A process with a Spark session of its own, which outlives whoever started it: a start takes seconds.

dvt asks it by lines of JSON (`spark_serving.py`); no Spark is imported here, and one that dies takes no run with it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvt.connections.spark_home import python_path

_SERVING = Path(__file__).with_name("spark_serving.py")
_WORDS_OF_THE_END = 300
_TRIES_TO_REMOVE = 40
LOCAL_SETTINGS: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.legacy.charVarcharAsString": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -Dfile.encoding=UTF-8 -XX:+UseSerialGC",
}
"""What every session has that dvt starts; those of `spark.driver` count when its Java starts."""


class SparkSaidError(Exception):
    """What Spark, or a driver within it, said.

    Args:
        words: The innermost words.
        sqlstate: The SQLSTATE, empty when there is none.
        kind: The class of the error.
    """

    def __init__(self, words: str, sqlstate: str = "", kind: str = "") -> None:
        super().__init__(words)
        self.sqlstate = sqlstate
        self.kind = kind


class SparkProcess:
    """One process, asked by one thread at a time. Its folder is private, and goes with it.

    Args:
        key: Distinguishes it from others: whoever gives the same key may be given it again.
        worker: The file of its program, which serves one session (`spark_serving.serve`).
        settings: What the session is made with.
        home: Spark's folder; None for a program that reaches a server by the installed client.
    """

    def __init__(self, key: object, worker: Path, settings: Mapping[str, str], home: Path | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dvt-spark-"))
        self.key = key
        self.idle_since = 0.0
        self._settings = {name: value.replace("{folder}", str(self.folder)) for name, value in settings.items()}
        self._writing = threading.Lock()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
        # Spark's client gives moments in the zone of its process: the year 1 has no place in most.
        places = {"TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(self.folder)}
        if home is not None:
            places |= {"SPARK_HOME": str(home), "PYTHONPATH": os.pathsep.join(python_path(home))}
            # On other machines the same path need not be a Python.
            is_here = settings.get("spark.master", "local").startswith("local")
            python = settings.get("spark.pyspark.python", sys.executable if is_here else "")
            places |= {"PYSPARK_PYTHON": python} if python else {}
        # By a loader, not as a script: beside it stand modules that are called like others' packages.
        run = "import runpy, sys; runpy.run_path(sys.argv[2], run_name='__main__')"
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", run, os.fspath(_SERVING), os.fspath(worker)],
                env={**kept, **places},
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.end)

    def ask(self, do: str, **arguments: Any) -> Any:
        """One request and its answer.

        Raises:
            SparkSaidError: It failed, or the process ended.
        """
        assert self._process.stdout is not None
        self.tell(do, **arguments)
        try:
            told = self._process.stdout.readline()
        except (OSError, ValueError) as error:
            raise SparkSaidError(f"Spark's process has ended: {self._last_words()}") from error
        if not told:
            raise SparkSaidError(f"Spark's process has ended: {self._last_words()}")
        answer = json.loads(told)
        if "error" in answer:
            raise SparkSaidError(answer["error"]["words"], answer["error"]["state"], answer["error"]["kind"])
        return answer["found"]

    def tell(self, do: str, **arguments: Any) -> None:
        """A request by itself; one that has no answer may be told from another thread.

        Raises:
            SparkSaidError: The process ended.
        """
        line = json.dumps({"settings": self._settings, "do": do, "with": arguments}).encode() + b"\n"
        assert self._process.stdin is not None
        try:
            with self._writing:
                self._process.stdin.write(line)
                self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise SparkSaidError(f"Spark's process has ended: {self._last_words()}") from error

    def end(self) -> None:
        """End it, with Java and all that it reads; ending twice is allowed."""
        atexit.unregister(self.end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for _ in range(_TRIES_TO_REMOVE):  # Java may write while it ends
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                return
            time.sleep(0.05)

    def _last_words(self) -> str:
        try:
            text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "it was ended"
        return text.strip()[-_WORDS_OF_THE_END:]


class IdleProcesses:
    """Processes that nobody asks, kept for the next one until this program ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[object, list[SparkProcess]] = {}

    def taken(self, key: object) -> SparkProcess | None:
        """One that was given back; None when there is none."""
        with self._lock:
            idle = self._idle.get(key)
            return idle.pop() if idle else None

    def give_back(self, process: SparkProcess) -> None:
        """Keep a process."""
        with self._lock:
            self._idle.setdefault(process.key, []).append(process)

    def end_all(self) -> None:
        """End them all."""
        with self._lock:
            for process in [process for idle in self._idle.values() for process in idle]:
                process.end()
            self._idle.clear()
