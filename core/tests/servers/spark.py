"""A Spark server for the tests: the real one, out of PySpark's own jars, with Spark Connect and HiveServer2 in one JVM.

Spark's Thrift server speaks HiveServer2's protocol, and what it runs is Spark SQL: it shows how dvt speaks to Hive, not
what Hive makes of a statement. PySpark is large (450 MB), so that it stands in an environment of its own:
`scripts/spark` makes it. The server is found there, in the interpreter that runs the tests, or in the folder
that DVT_TEST_SPARK_HOME names.

There is one server for all processes of a test run: the first that needs it starts it, and it ends with the last of
them (`spark_keeper.py`). So that they do not meet, each makes its tables in databases of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from servers import spark_keeper
from servers.process import free_port

_START_S = 180
_SETTLED_S = 60
_JAVA = 17
# Quick to start, rather than quick after minutes: half of the processor time of these tests.
_JAVA_OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss4m"
_ROOT = Path(__file__).parents[3]
TOKEN = "sp4rk 5ecret/&t0ken"


@dataclass(frozen=True)
class SparkServer:
    """A running server, as one of the processes sees it that use it.

    Args:
        connect_port: The port of Spark Connect.
        hive_port: The port of HiveServer2, binary and without a log-in.
        ui_port: The port of Spark's own account of what runs.
        token: What Spark Connect takes for a log-in.
        user: The process: the end of the names of its databases.
    """

    connect_port: int
    hive_port: int
    ui_port: int
    token: str
    user: str
    _open: list[Any] = field(default_factory=list, repr=False)

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output that reaches it over Spark Connect."""
        # The client sends tokens without TLS to this name only.
        address = {"host": "localhost", "port": self.connect_port, "token": self.token, "schema": "default"}
        return {"type": "spark", "method": "connect", **address, **more}

    def hive_output(self, **more: Any) -> dict[str, Any]:
        """A profile output that reaches it as Hive."""
        given = {"type": "hive", "host": "127.0.0.1", "port": self.hive_port, "schema": "default", "use_ssl": False}
        return {**given, "auth_type": "NOSASL", "use_http_transport": False, **more}

    def own(self, name: str) -> str:
        """A name that no other process uses."""
        return f"{name}_{self.user}"

    def database(self, name: str) -> str:
        """Make a database of this process's own, anew; gives its whole name."""
        self.execute(f"drop database if exists {self.own(name)} cascade", f"create database {self.own(name)}")
        return self.own(name)

    def slow_query(self) -> str:
        """A query of one row that takes twenty seconds and no processor time; its text holds `own("slow")`."""
        name = self.own("slow")
        naps = "select reflect('java.lang.Thread', 'sleep', 200 + id % 2) as nap from range(0, 200, 1, 2)"
        return f"select count(nap) as n from ({naps}) {name}"

    def execute(self, *statements: str) -> None:
        """Run statements one after the other, through HiveServer2's own client."""
        for statement in statements:
            self._cursor().execute(statement)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query, as HiveServer2's own client reads them."""
        cursor = self._cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())

    def in_utc(self) -> SparkServer:
        """The same with a session of its own, in which texts of moments are in UTC; it ends with this one's."""
        other = replace(self, _open=[])
        other.execute("set spark.sql.session.timeZone=UTC")
        self._cursor()  # which stands at the end
        self._open.insert(0, other)
        return other

    def running(self, mark: str) -> int:
        """How many jobs run, as Spark itself counts them.

        Args:
            mark: What tells those that are asked for from others: a part of a statement that came over HiveServer2, or
                `User_<name>_` for those of a user of Spark Connect.
        """
        jobs = self._told("jobs?status=running")
        return sum(mark in f"{job.get('description')} {job['jobTags']}" for job in jobs)

    def settled(self, mark: str) -> int:
        """The same, once those that were told to end have had the time."""
        deadline = time.monotonic() + _SETTLED_S
        while (count := self.running(mark)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return count

    def _told(self, path: str) -> Any:
        """What Spark says of its only application."""
        with urlopen(f"http://127.0.0.1:{self.ui_port}/api/v1/applications") as answer:
            name = json.load(answer)[0]["id"]
        with urlopen(f"http://127.0.0.1:{self.ui_port}/api/v1/applications/{name}/{path}") as answer:
            return json.load(answer)

    def close(self) -> None:
        """End the session in which statements ran."""
        while self._open:
            self._open.pop().close()

    def _cursor(self) -> Any:
        """The cursor of one session, which is kept: each costs the server some tenths of a second."""
        from impala.dbapi import connect

        if not self._open:
            session = connect("127.0.0.1", self.hive_port, auth_mechanism="NOSASL")
            self._open.extend([session, session.cursor()])
        return self._open[-1]


def spark_home() -> Path | None:
    """The folder of a PySpark that has its jars; None when there is none."""
    given = os.environ.get("DVT_TEST_SPARK_HOME")
    candidates = [Path(given)] if given else []
    candidates.append(Path(sysconfig.get_paths()["purelib"]) / "pyspark")
    candidates += sorted(_ROOT.glob(".hatch/spark/lib/python*/site-packages/pyspark"))
    return next((folder for folder in candidates if any(folder.glob("jars/spark-connect_*.jar"))), None)


def missing() -> str:
    """Why there can be no server; empty when there can."""
    java = _java_version()
    if java < _JAVA:
        return f"Spark needs Java {_JAVA}, and there is {f'Java {java}' if java else 'none'}"
    return "" if spark_home() else "there is no Spark here (scripts/spark brings it)"


def _java_version() -> int:
    """The number of the Java that Spark would take; 0 when there is none."""
    home = os.environ.get("JAVA_HOME")
    command = [str(Path(home) / "bin" / "java") if home else "java", "-XshowSettings:properties", "-version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    found = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said)
    return int(found.group(1)) if found else 0


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """The server of this test run."""
    if why := missing():
        pytest.skip(why)
    own = tmp_path_factory.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    with running(own.parent if worker else own, worker or "main") as server:
        yield server


@contextmanager
def running(folder: Path, user: str) -> Iterator[SparkServer]:
    """The server of all that name this folder; it is started when none runs, and ends with the last of them.

    Args:
        folder: Where they find each other.
        user: Who it is, among them: the end of the names of its databases.
    """
    with (folder / "spark-needed").open("a") as needed, (folder / "spark-alone").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        fcntl.flock(needed, fcntl.LOCK_SH)  # a server that is about to end is waited for
        found = folder / "spark.json"
        if not found.exists() or not _is_up(Path(json.loads(found.read_text())["folder"])):
            found.write_text(json.dumps(_started(Path(needed.name))))
        fcntl.flock(alone, fcntl.LOCK_UN)
        server = SparkServer(**json.loads(found.read_text())["ports"], token=TOKEN, user=user)
        try:
            yield server
        finally:
            server.close()
            fcntl.flock(needed, fcntl.LOCK_UN)


def _is_up(folder: Path) -> bool:
    """Whether the server in a folder runs: the keeper removes the folder with it."""
    return folder.is_dir() and not (folder / spark_keeper.ENDED).exists()


def _started(needed: Path) -> dict[str, Any]:
    """Start a server and wait until it answers; gives its folder and its ports."""
    home = spark_home()
    assert home is not None
    folder = Path(tempfile.mkdtemp(prefix="dvt-spark-"))
    ports = {"connect_port": free_port(), "hive_port": free_port(), "ui_port": free_port()}
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["SPARK_LOCAL_DIRS"] = str(folder / "local")
    # For each name that it does not know Spark starts Python several times, to look for Python's own data sources.
    environment["PYSPARK_PYTHON"] = environment["PYSPARK_DRIVER_PYTHON"] = "no-python"
    keeper = [sys.executable, spark_keeper.__file__, str(needed), str(folder)]
    subprocess.Popen(
        [*keeper, str(home / "bin" / "spark-submit"), *_arguments(folder, **ports)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + _START_S
    for port in ports.values():
        while not _answers(port):
            if not _is_up(folder) or time.monotonic() > deadline:
                log = (folder / spark_keeper.LOG).read_text(errors="replace")
                pytest.fail(f"the Spark server did not start: {log[-3000:]}")
            time.sleep(0.2)
    return {"folder": str(folder), "ports": ports}


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _arguments(folder: Path, connect_port: int, hive_port: int, ui_port: int) -> list[str]:
    settings = {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": connect_port,
        "spark.connect.authenticate.token": TOKEN,
        "spark.ui.port": ui_port,  # it tells what runs; it listens where SPARK_LOCAL_IP says
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": folder / "warehouse",
        "spark.sql.catalogImplementation": "in-memory",
        # Code made for each query costs more than these rows save.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
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
    arguments += ["--driver-memory", "700m", "--driver-java-options", _JAVA_OPTIONS]
    for name, value in settings.items():
        arguments += ["--conf", f"{name}={value}"]
    # spark-submit takes what belongs to the main class behind the application.
    arguments.append("spark-internal")
    for name, value in hive.items():
        arguments += ["--hiveconf", f"{name}={value}"]
    return arguments
