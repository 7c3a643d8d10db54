"""Small projects that are made to fail: written in a test, run as a user does, and looked at from outside."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from servers import postgres
from servers.postgres import PostgresServer

_CODED = re.compile(r"DVT\d{3} .*")
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_PATIENCE_S = 90

PROJECT = """\
name: faults
version: "1.0"
profile: faults
model-paths: [models]
flags: {send_anonymous_usage_stats: false}
models: {+materialized: table}
"""
SOURCES = """\
sources:
  - name: crm
    config: {meta: {connection: crm}}
    schema: public
    tables: [{name: customers}, {name: slow}, {name: brief}, {name: huge}]
"""
MODEL = "select id, name from {{ source('crm', 'customers') }}"
SLOW = "select id, name from {{ source('crm', 'slow') }}"


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Args:
        code: Exit code; negative for a signal.
        output: stdout with stderr.
    """

    code: int
    output: str

    @property
    def coded(self) -> set[str]:
        """The different messages with a code of dvt; dbt shows a node's message again in its summary."""
        return {re.sub(r"\s+", " ", found).strip() for found in _CODED.findall(self.output)}

    def message(self) -> str:
        """The one message, whatever is printed around it."""
        assert "Traceback" not in self.output, self.output
        assert len(self.coded) == 1, self.output
        return self.coded.pop()


@dataclass
class Faulty:
    """A project in a temporary folder, whose passwords come from the environment.

    Args:
        folder: Where it lies.
        outputs: The profile's outputs.
        env: Variables of its commands.
        secrets: Texts that must not be found anywhere.
    """

    folder: Path
    outputs: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    def write(self, **files: str) -> None:
        """Write files; `models__a__sql` is models/a.sql."""
        for name, text in files.items():
            path = self.folder / ".".join(name.rsplit("__", 1)).replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def write_profile(self, target: str = "warehouse") -> None:
        """Write the outputs as they are now."""
        text = yaml.safe_dump({"faults": {"target": target, "outputs": self.outputs}})
        (self.folder / "profiles.yml").write_text(text)

    def start(
        self, *words: str, env: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Running:
        """Start `dvt ...` as the leader of a process group of its own."""
        output = (self.folder / f"output-{uuid.uuid4().hex[:6]}.txt").open("w+")
        process = subprocess.Popen(
            [sys.executable, "-m", "dvt", *words],
            cwd=self.folder,
            env={**os.environ, "DBT_PROFILES_DIR": str(self.folder), "NO_COLOR": "1", **self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: _prepare(before),
        )
        return Running(self, process, Path(output.name))

    def run(
        self, *words: str, code: int, env: dict[str, str] | None = None, before: Callable[[], None] | None = None
    ) -> Ended:
        """Run `dvt ...` to its end; the exit code is asserted, and that nothing shows a secret."""
        ended = self.start(*words, env=env, before=before).wait()
        assert ended.code == code, f"ended with {ended.code}, not {code}:\n{ended.output}"
        return ended

    def check_secrets(self) -> None:
        """No file that a command wrote holds a secret, in any spelling."""
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "profiles.yml":
                content = path.read_bytes()
                for secret in self.secrets:
                    for form in {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret)}:
                        assert form.encode() not in content, f"{path} holds a secret"


@dataclass
class Running:
    """A command that runs."""

    project: Faulty
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return _COLOUR.sub("", self.log.read_text(errors="replace"))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is true while the command runs."""
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.output}"
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"never {what}:\n{self.output}")
            time.sleep(0.05)

    def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to the process's group, as a terminal does, or to the process alone."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def interrupt(self, *, group: bool = True) -> Ended:
        """Ctrl-C, to the end."""
        self.signal(signal.SIGINT, group=group)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self) -> Ended:
        """The end of it, and that nothing shows a secret."""
        try:
            code = self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"never ended:\n{self.output}") from None
        self.project.check_secrets()
        return Ended(code, self.output)


@dataclass
class Shop:
    """A PostgreSQL warehouse and a PostgreSQL source on one server, and a project over both."""

    project: Faulty
    server: PostgresServer
    dw: str
    crm: str

    def warehouse(self, sql: str) -> str:
        return self.server.psql(self.dw, sql)

    def source(self, sql: str) -> str:
        return self.server.psql(self.crm, sql)

    def build_old(self, name: str = "m") -> None:
        """The table that was there before: what must still be there afterwards."""
        self.warehouse(
            f"create table analytics.{name} (id int, name text); insert into analytics.{name} values (7, 'old');"
        )

    def active(self, words: str, database: str | None = None) -> int:
        """How many sessions run a statement with these words."""
        where = f"datname in ('{database or self.dw}', '{database or self.crm}') and pid <> pg_backend_pid()"
        return int(
            self.warehouse(
                f"select count(*) from pg_stat_activity where {where} and state = 'active' and query ilike '%{words}%'"
            )
        )

    def check_whole(self, name: str = "m", content: str = "7|old") -> None:
        """The old table is whole, nothing private is left, and nothing runs on the server."""
        assert self.warehouse(f"select * from analytics.{name} order by 1") == content
        self.check_clean()

    def check_clean(self) -> None:
        """Nothing private is left, and nothing runs on the server."""
        left = "select relname from pg_class where relname like '%\\_\\_dvt\\_%' or relname like '%dbt\\_tmp%'"
        assert self.warehouse(left) == ""
        deadline = time.monotonic() + 10  # a backend needs a moment to see that its client is gone
        while count := self.active(""):
            assert time.monotonic() < deadline, f"{count} queries still run"
            time.sleep(0.1)


def make_shop(server: PostgresServer, folder: Path) -> Shop:
    """Fresh databases and a project with one federated model `m`."""
    mark = uuid.uuid4().hex[:6]
    dw, crm = server.create_database(f"dw_{mark}"), server.create_database(f"crm_{mark}")
    server.psql(dw, "create schema analytics;")
    server.psql(
        crm,
        "create table customers (id int primary key, name text); insert into customers values (1, 'Ann'), (2, 'Bob');"
        # Each row takes its time, so that a reader is in the middle for as long as a test wants.
        " create view slow as select g as id, (select 'n' || g from pg_sleep(0.02 + g * 0)) as name"
        " from generate_series(1, 100000) g;"
        " create view brief as select g as id, (select 'n' || g from pg_sleep(0.02 + g * 0)) as name"
        " from generate_series(1, 300) g;"
        " create view huge as select g as id, md5('a' || g) || md5('b' || g) || md5('c' || g) || md5('d' || g) ||"
        " md5('e' || g) || md5('f' || g) as name from generate_series(1, 300000) g;",
    )
    password = "{{ env_var('FAULT_PASSWORD') }}"
    outputs = {
        "warehouse": {**server.output(dw, "analytics"), "password": password, "threads": 2},
        "crm": {**server.output(crm), "password": password},
        "erp": {"type": "sqlite", "path": "erp.db"},
        "lake": {"type": "duckdb", "path": "lake.duckdb"},
    }
    project = Faulty(folder, outputs, {"FAULT_PASSWORD": server.password}, [server.password])
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL)
    project.write_profile()
    return Shop(project, server, dw, crm)


@contextmanager
def dying_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that a test may kill."""
    folder = Path(tempfile.mkdtemp(prefix="dvt-pg-", dir="/tmp"))
    server = postgres.start(folder)
    try:
        yield server
    finally:
        postgres.stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(before: Callable[[], None] | None) -> None:
    # Jobs in the background of some shells ignore Ctrl-C, and their children would, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if before is not None:
        before()
