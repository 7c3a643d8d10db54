"""A wire fake of SQL Server for the tests: TDS 7.4 on a free loopback port, DuckDB behind it.

What runs against it is Microsoft's own ODBC driver, through mssql-python: its login, packets, decoding of every type,
code pages and attention are the real ones. What it imitates is the server: it knows one user, one database and a few of
SQL Server's views; there is no TLS, no Entra ID, no permission, no lock and no T-SQL but what sqlglot translates.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers.place import Place, Tag

USER, PASSWORD, DATABASE, VERSION = "dvt", "Pa55;w'o}r\"d={ä", "shop", "16.0.1000.6"


class SqlServerFake:
    """A running fake."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("sqlserver_wire.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def execute(self, *statements: str) -> None:
        """Run T-SQL of a test's setup, one statement after the other."""
        for sql in statements:
            self._ask("execute", sql)

    def ask(self, sql: str) -> list[str]:
        """The first column of a query's rows, beside the wire."""
        return list(self._ask("ask", sql))

    def tables(self) -> list[str]:
        """Names of the tables in dbo."""
        return self.ask("select TABLE_NAME from INFORMATION_SCHEMA.TABLES where TABLE_SCHEMA = 'dbo'")

    def statements(self) -> list[str]:
        """What it was sent since this was last asked."""
        return list(self._ask("statements"))

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return int(self._ask("sessions"))

    @property
    def running(self) -> int:
        """Statements that are being answered."""
        return int(self._ask("running"))

    @property
    def attentions(self) -> int:
        """How often a client asked it to stop."""
        return int(self._ask("attentions"))

    @contextmanager
    def changed(self, **settings: Any) -> Iterator[None]:
        """Within it, the fake behaves otherwise: see the attributes of `sqlserver_wire.Server`."""
        for name, value in settings.items():
            self._ask("set", name, value)
        try:
            yield
        finally:
            for name, value in settings.items():
                self._ask("set", name, [] if isinstance(value, list) else None)

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output that reaches it."""
        return {
            "type": "sqlserver",
            "server": "127.0.0.1",
            "port": self.port,
            "database": DATABASE,
            "schema": "dbo",
            "user": USER,
            "password": PASSWORD,
            "encrypt": False,
            **more,
        }

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _ask(self, *question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "failed" in answer:
            raise AssertionError(f"{question}: {answer['failed']}")
        return answer["is"]


def missing() -> str:
    """Why nothing can be tested; empty when it can."""
    if not importlib.util.find_spec("mssql_python"):
        return "mssql-python is not installed"
    return "" if ctypes.util.find_library("ltdl") else "libltdl, which its driver needs, is not here (Debian: libltdl7)"


@pytest.fixture(scope="session")
def sqlserver_fake() -> Iterator[SqlServerFake]:
    """A fake of its own for this test process."""
    if why := missing():
        pytest.skip(why)
    with contextlib.closing(SqlServerFake()) as fake:
        yield fake


@contextmanager
def sqlserver_place(folder: Path | None = None) -> Iterator[Place]:
    """A fake with an empty database, as tests of any engine see it."""
    if why := missing():
        pytest.skip(why)
    with contextlib.closing(SqlServerFake()) as fake:
        yield Place("sqlserver", Tag.FAKE, fake.output(), fake.execute, fake.statements)


@contextmanager
def sqlserver_landing_place() -> Iterator[Place]:
    """A fake of its own as the loaders' kit needs it."""
    if why := missing():
        pytest.skip(why)
    with contextlib.closing(SqlServerFake()) as fake:
        yield Place(
            "sqlserver",
            Tag.FAKE,
            fake.output(),
            fake.execute,
            fake.statements,
            schema="dbo",
            refused=fake.output(password="wr0ng-pass"),
            closed=fake.output(port=1, login_timeout=1),  # the driver tries it for all of that time
            running=lambda: fake.running,
            ask=fake.ask,
            tables=fake.tables,
        )
