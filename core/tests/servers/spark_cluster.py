"""Spark with executors of their own on this machine: two worker processes, as a cluster has them.

The session is started by dvt itself (`master: local-cluster[2,1,1024]`), out of PySpark's own folder. What is here finds
its processes, and holds a load of PostgreSQL at a place that a test names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from servers.postgres import PostgresServer
from servers.spark import spark_home

_WAIT_S = 60
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
    """What dvt.yml would say: two executors, small files, and second attempts of whatever takes long."""
    config = {
        "spark.executor.memory": "600m",
        "spark.driver.extraJavaOptions": _JAVA,
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.files.maxRecordsPerFile": 500,  # so that a small result has several parts
        "spark.speculation": True,
        "spark.speculation.quantile": 0.1,
        "spark.speculation.multiplier": 1.1,
        "spark.speculation.minTaskRuntime": "2s",
        "spark.speculation.interval": "100ms",
        **more.pop("config", {}),
    }
    return {
        **{"home": str(home), "master": "local-cluster[2,1,1024]", "memory": "600m"},
        **{"landing_sessions": 2, "config": config, **more},
    }


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

    def close(self) -> None:
        """End the session."""
        self._session.close()


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives once it gives something."""
    deadline = time.monotonic() + _WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
    return found
