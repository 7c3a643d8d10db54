"""The process with a Spark session, which outlives the extractor that started it: a start takes seconds."""

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
from pathlib import Path
from typing import Any

from dvt.connections.spark_home import python_path
from dvt.errors import MissingDriverError

_WORKER = Path(__file__).with_name("spark_jdbc_worker.py")
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.memory": "1g",
    "spark.sql.legacy.charVarcharAsString": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.catalogImplementation": "in-memory",
}
_JAVA = "-Duser.timezone=UTC -Dfile.encoding=UTF-8 -XX:+UseSerialGC"
_WORDS_OF_THE_END = 300
_TRIES_TO_REMOVE = 40
_lock = threading.Lock()
_idle: dict[tuple[Any, ...], list[SparkProcess]] = {}


class SparkJdbcError(Exception):
    """What Spark or the driver said.

    Args:
        words: The innermost words.
        sqlstate: The driver's SQLSTATE, empty when it is no error of SQL.
        kind: The Java class of the error.
    """

    def __init__(self, words: str, sqlstate: str = "", kind: str = "") -> None:
        super().__init__(words)
        self.sqlstate = sqlstate
        self.kind = kind


class SparkProcess:
    """One process, asked by one thread at a time. Its folder is private, and goes with it.

    Args:
        home: Spark's folder.
        jars: The drivers' jars.
        cores: How many parts it reads at a time.
        settings: Spark's settings, which go before dvt's.
    """

    def __init__(self, home: Path, jars: tuple[str, ...], cores: int, settings: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dvt-jdbc-"))
        self.key = _key(home, jars, cores, settings)
        self._settings = {
            **_SETTINGS,
            "spark.master": f"local[{cores}]",
            "spark.driver.extraClassPath": os.pathsep.join(jars),
            "spark.driver.extraJavaOptions": _JAVA,
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            **settings,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
        places = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(self.folder)}
        path = {"PYTHONPATH": os.pathsep.join(python_path(home))}
        with (self.folder / "log").open("wb") as log:
            # Its text, not its path: beside it stand modules that are called like others' packages.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WORKER.read_text(encoding="utf-8")],
                env={**kept, **places, **path},
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
            SparkJdbcError: It failed, or the process ended.
        """
        line = json.dumps({"settings": self._settings, "do": do, "with": arguments}).encode() + b"\n"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
            told = self._process.stdout.readline()
        except (OSError, ValueError) as error:
            raise SparkJdbcError(f"Spark's process has ended: {self._last_words()}") from error
        if not told:
            raise SparkJdbcError(f"Spark's process has ended: {self._last_words()}")
        answer = json.loads(told)
        if "error" in answer:
            raise SparkJdbcError(answer["error"]["words"], answer["error"]["state"], answer["error"]["kind"])
        return answer["found"]

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


def taken(home: Path, jars: tuple[str, ...], cores: int, settings: dict[str, str], connection: str) -> SparkProcess:
    """A process that nobody else asks: one that was given back, or a new one.

    Raises:
        MissingDriverError: Spark does not start.
    """
    with _lock:
        idle = _idle.get(_key(home, jars, cores, settings))
        if idle:
            return idle.pop()
    process = SparkProcess(home, jars, cores, settings)
    try:
        process.ask("close")
    except SparkJdbcError as error:
        process.end()
        raise MissingDriverError(
            f"Spark does not start: {error}",
            connection=connection,
            remedy="Correct dvt.jdbc.spark_home or dvt.jdbc.spark_settings, or set dvt.jdbc.by: jpype",
        ) from error
    return process


def given_back(process: SparkProcess) -> None:
    """Keep a process for the next one, until this program ends."""
    with _lock:
        _idle.setdefault(process.key, []).append(process)


def end_all() -> None:
    """End the processes that nobody uses."""
    with _lock:
        for process in [process for idle in _idle.values() for process in idle]:
            process.end()
        _idle.clear()


def _key(home: Path, jars: tuple[str, ...], cores: int, settings: dict[str, str]) -> tuple[Any, ...]:
    return (home, jars, cores, tuple(sorted(settings.items())))
