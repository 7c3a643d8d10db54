"""Spark with executors of their own on this machine: two worker processes, as a cluster has them.

The session is started by dvt itself (`master: local-cluster[2,1,1024]`), out of PySpark's own folder. What is here
finds its processes, and holds a load of PostgreSQL at a place that a test names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers.postgres import PostgresServer
from servers.process import free_port
from servers.spark import spark_home

_WAIT_S = 240
_LOCK = 77
_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Duser.timezone=UTC"
_HOLD = f"""
create function hold() returns trigger language plpgsql as $$ begin
  if new.part >= %s then perform pg_advisory_xact_lock_shared({_LOCK}); end if; return new;
end $$;
create function watch() returns event_trigger language plpgsql as $$ declare made record; begin
  for made in select object_identity as name from pg_event_trigger_ddl_commands() loop
    if made.name like '%%\\_parts' then
      execute format('create trigger hold before insert on %%s for each row execute function public.hold()', made.name);
    end if;
  end loop;
end $$;
create event trigger watching on ddl_command_end when tag in ('CREATE TABLE') execute function watch();
"""


def cluster_home(folder: Path) -> Path:
    """Spark's folder as a folder of links, so that what executors write (`work`) is the test's own."""
    home = spark_home()
    assert home is not None
    for name in ("bin", "jars", "python"):
        (folder / name).symlink_to(home / name)
    return folder


def cluster_options(home: Path, **more: Any) -> dict[str, Any]:
    """What dvt.yml would say: two executors with the tests' Python, small files."""
    config = {
        "spark.executor.memory": "600m",
        "spark.driver.extraJavaOptions": _JAVA,
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.files.maxRecordsPerFile": 500,  # so that a small result has several parts
        "spark.pyspark.python": sys.executable,
        **more.pop("config", {}),
    }
    place = {"home": str(home), "master": "local-cluster[2,1,1024]", "memory": "600m"}
    return {**place, "landing_sessions": 2, "config": config, **more}


def descendants(pid: int, word: str) -> list[int]:
    """The processes below one whose command has a word."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue

    def is_below(each: int) -> bool:
        while each in parents:
            if each == pid:
                return True
            each = parents[each]
        return False

    return [each for each, command in commands.items() if word in command and is_below(each)]


def executor_of(pid: int, port: int) -> int:
    """The executor below a process, of whose Python a session with this local port is."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if int(line[1].rpartition(":")[2], 16) == port}
    for executor in descendants(pid, "CoarseGrainedExecutorBackend"):
        for worker in descendants(executor, "pyspark"):
            if any(_link(each) in inodes for each in Path(f"/proc/{worker}/fd").glob("*")):
                return executor
    raise AssertionError(f"no executor has a session with port {port}")


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


class HeldLoad:
    """A database whose loads by executors stop before a part, until they are let go."""

    def __init__(self, server: PostgresServer, database: str, part: int) -> None:
        import psycopg

        server.create_database(database)
        server.psql(database, _HOLD % part)
        place = {key: getattr(server, key) for key in ("host", "port", "user", "password")}
        self._session = psycopg.connect(dbname=database, autocommit=True, **place)
        self._session.execute("select pg_advisory_lock(%s)", [_LOCK])

    def waiting(self) -> list[int]:
        """The ports of the executors' sessions that are held."""
        rows = self._session.execute(
            "select client_port from pg_stat_activity where wait_event = 'advisory' and datname = current_database()"
        ).fetchall()
        return [port for (port,) in rows]

    def ledger(self) -> list[int]:
        """The parts that are landed."""
        name = self._session.execute("select relname from pg_class where relname like '%\\_parts'").fetchone()
        assert name is not None
        return [part for (part,) in self._session.execute(f'select part from "{name[0]}" order by 1').fetchall()]

    def tables(self) -> list[str]:
        """The tables that are there."""
        rows = self._session.execute("select relname from pg_class where relkind = 'r' and relnamespace = 2200")
        return sorted(name for (name,) in rows.fetchall())

    def release(self) -> None:
        """Let them go on."""
        self._session.execute("select pg_advisory_unlock_all()")

    def __enter__(self) -> HeldLoad:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()  # which lets go too


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives once it gives something."""
    deadline = time.monotonic() + _WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found


@contextmanager
def standalone(home: Path, folder: Path) -> Iterator[str]:
    """A cluster of Spark's own: a master and two workers under two addresses; gives the master's.

    Spark starts no second attempt of a task on the host of the first: in a `local-cluster` there is no other.
    """
    address = f"spark://127.0.0.1:{free_port()}"
    java = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": _JAVA, "SPARK_LOCAL_DIRS": str(folder)}
    started = []

    def start(kind: str, host: str, *arguments: str) -> None:
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind.lower()}.{kind}", "--host", host]
        with (folder / f"{kind}-{host}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--webui-port", "0", *arguments],
                env={**os.environ, **java, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": host},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(process)

    try:
        start("Master", "127.0.0.1", "--port", address.rpartition(":")[2])
        for host in ("127.0.0.1", "127.0.0.2"):
            work = ["--work-dir", str(home / "work"), address]
            start("Worker", host, "--cores", "1", "--memory", "1024m", *work)
        until(lambda: (folder / "Master-127.0.0.1.log").read_text().count("Registering worker") == 2)
        yield address
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
