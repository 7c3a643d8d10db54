"""A Spark server for the tests: the real one, out of PySpark's own jars, with Spark Connect and HiveServer2 in one JVM.

Spark's Thrift server speaks HiveServer2's protocol, and what it runs is Spark SQL: it shows how dvt speaks to Hive, not
what Hive makes of a statement. PySpark is large (450 MB), so that it stands in an environment of its own:
`hatch run spark:versions` makes it. The server is found there, in the interpreter that runs the tests, or in the folder
that DVT_TEST_SPARK_HOME names.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from servers.place import Place, Tag
from servers.process import free_port

_START_S = 180
_ROOT = Path(__file__).parents[3]
TOKEN = "sp4rk 5ecret/&t0ken"


@dataclass(frozen=True)
class SparkServer:
    """A running server.

    Args:
        connect_port: The port of Spark Connect.
        hive_port: The port of HiveServer2, binary and without a log-in.
        token: What Spark Connect takes for a log-in.
        pid: Process id of the JVM.
    """

    connect_port: int
    hive_port: int
    token: str
    pid: int

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output that reaches it over Spark Connect."""
        # The client sends tokens without TLS to this name only.
        address = {"connect": f"sc://localhost:{self.connect_port}", "token": self.token, "schema": "default"}
        return {"type": "spark", "method": "connect", **address, **more}

    def hive_output(self, **more: Any) -> dict[str, Any]:
        """A profile output that reaches it as Hive."""
        given = {"type": "hive", "host": "127.0.0.1", "port": self.hive_port, "schema": "default", "use_ssl": False}
        return {**given, "auth_type": "NOSASL", "use_http_transport": False, **more}

    def execute(self, *statements: str) -> None:
        """Run statements one after the other, through HiveServer2's own client."""
        with self._cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query, as HiveServer2's own client reads them."""
        with self._cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def is_busy(self) -> bool:
        """Whether it works on something: by the processor time that it takes in a third of a second."""
        before = _ticks(self.pid)
        time.sleep(0.3)
        return _ticks(self.pid) - before > 15

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        from impala.dbapi import connect

        session = connect("127.0.0.1", self.hive_port, auth_mechanism="NOSASL")
        try:
            yield session.cursor()
        finally:
            session.close()


def _ticks(pid: int) -> int:
    """Hundredths of a second of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def spark_home() -> Path | None:
    """The folder of a PySpark that has its jars; None when there is none."""
    given = os.environ.get("DVT_TEST_SPARK_HOME")
    candidates = [Path(given)] if given else []
    candidates.append(Path(sysconfig.get_paths()["purelib"]) / "pyspark")
    candidates += sorted(_ROOT.glob(".hatch/spark/lib/python*/site-packages/pyspark"))
    return next((folder for folder in candidates if any(folder.glob("jars/spark-connect_*.jar"))), None)


def missing() -> str:
    """Why there can be no server; empty when there can."""
    if shutil.which("java") is None:
        return "there is no Java for Spark"
    return "" if spark_home() else "there is no Spark here (hatch run spark:versions brings it)"


@pytest.fixture(scope="session")
def spark_server() -> Iterator[SparkServer]:
    """A server of its own for this test process."""
    if why := missing():
        pytest.skip(why)
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[SparkServer]:
    """Start a server in a temporary folder, and remove both at the end."""
    home = spark_home()
    assert home is not None
    folder = Path(tempfile.mkdtemp(prefix="dvt-spark-"))
    connect_port, hive_port = free_port(), free_port()
    log = folder / "log"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["SPARK_LOCAL_DIRS"] = str(folder / "local")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(home / "bin" / "spark-submit"), *_arguments(folder, connect_port, hive_port)],
            env=environment,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for port in (connect_port, hive_port):
            _wait_until_up(port, process, log)
        yield SparkServer(connect_port, hive_port, TOKEN, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its data is thrown away
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(folder: Path, connect_port: int, hive_port: int) -> list[str]:
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": connect_port,
        "spark.connect.authenticate.token": TOKEN,
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "Asia/Kolkata",  # not UTC, so that nothing is so by chance
        # A server that shares the machine with the tests may be slow to answer itself.
        "spark.network.timeout": "600s",
        "spark.executor.heartbeatInterval": "60s",
    }
    hive = {
        "hive.server2.thrift.port": hive_port,
        "hive.server2.thrift.bind.host": "127.0.0.1",
        "hive.server2.authentication": "NOSASL",
    }
    arguments = ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "--master", "local[2]"]
    arguments += ["--driver-memory", "700m", "--driver-java-options", "-XX:+UseSerialGC -Xss4m"]
    for name, value in settings.items():
        arguments += ["--conf", f"{name}={value}"]
    for name, value in hive.items():
        arguments += ["--hiveconf", f"{name}={value}"]
    # spark-submit takes what belongs to the main class behind the application.
    at = arguments.index("--hiveconf")
    return [*arguments[:at], "spark-internal", *arguments[at:]]


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the Spark server did not start: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
        else:
            return


@contextmanager
def spark_place(folder: Path) -> Iterator[Place]:
    """The server as the tests that all engines share know it."""
    with running() as server:
        yield Place("spark", Tag.REAL, server.output(), server.execute)


@contextmanager
def hive_place(folder: Path) -> Iterator[Place]:
    """The same as Hive: HiveServer2's protocol for real, over Spark SQL."""
    with running() as server:
        yield Place("hive", Tag.REAL, server.hive_output(), server.execute)
