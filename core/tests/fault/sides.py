"""The engines on which faults are tried, and what a test asks of either of them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import mariadb, postgres
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer


class Side(ABC):
    """One database of a server, as a source or as a landing."""

    kind: str
    reading: str  # words of the statement with which dvt reads here
    loading: str  # and with which it loads
    sleep: str  # a statement that takes a minute
    server: Any
    database: str
    schema: str

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.server.port

    @property
    def password(self) -> str:
        """The login's."""
        return self.server.password

    @abstractmethod
    def sql(self, text: str) -> str:
        """What the server's own client prints: columns apart by bars."""

    @abstractmethod
    def named(self, name: str) -> str:
        """A table's name in SQL."""

    @abstractmethod
    def output(self) -> dict[str, Any]:
        """The profile output, with the password from the environment."""

    @abstractmethod
    def active(self, words: str = "") -> int:
        """How many statements with these words run, besides the one that asks."""

    @abstractmethod
    def private(self) -> str:
        """Names of the private relations that lie here."""

    @abstractmethod
    def fill(self) -> None:
        """Make the source's tables: a small one, two that take their time for each row, and a large one."""

    @abstractmethod
    def kill(self) -> None:
        """End the server as a crash does."""

    @abstractmethod
    def drop(self) -> None:
        """Drop the database."""


@dataclass(frozen=True)
class PostgresSide(Side):
    """A schema of a PostgreSQL database."""

    server: PostgresServer
    database: str
    schema: str

    kind = "postgres"
    reading = "copy"
    loading = "copy%from stdin"
    sleep = "select pg_sleep(60)"

    def sql(self, text: str) -> str:
        return self.server.psql(self.database, text)

    def named(self, name: str) -> str:
        return f"{self.schema}.{name}"

    def output(self) -> dict[str, Any]:
        return {**self.server.output(self.database, self.schema), "password": "{{ env_var('POSTGRES_PASSWORD') }}"}

    def active(self, words: str = "") -> int:
        mine = f"datname = '{self.database}' and pid <> pg_backend_pid()"
        return int(
            self.sql(
                f"select count(*) from pg_stat_activity where {mine} and state = 'active' and query ilike '%{words}%'"
            )
        )

    def private(self) -> str:
        return self.sql(
            "select relname from pg_class where relname like '%\\_\\_dvt\\_%' or relname like '%dbt\\_tmp%'"
        )

    def fill(self) -> None:
        # Each row takes its time, so that a reader is in the middle for as long as a test wants.
        slow = (
            "as select g as id, (select 'n' || g from pg_sleep(0.02 + g * 0)) as name from generate_series(1, {0}) g;"
        )
        letters = " || ".join(f"md5('{letter}' || g)" for letter in "abcdef")
        self.sql(
            "create table customers (id int primary key, name text); insert into customers values (1, 'Ann'), (2, 'Bob');"
            f" create view slow {slow.format(100_000)} create view brief {slow.format(300)}"
            f" create view huge as select g as id, {letters} as name from generate_series(1, 300000) g;"
        )

    def kill(self) -> None:
        os.kill(self.server.pid(), signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends

    def drop(self) -> None:
        self.server.psql("postgres", f'drop database if exists "{self.database}" (force);')


@dataclass(frozen=True)
class MariaDBSide(Side):
    """A database of a MariaDB server."""

    server: MariaDBServer
    database: str
    schema: str

    kind = "mariadb"
    reading = "select `id`%"
    loading = "load data"
    sleep = "select sleep(60)"

    def sql(self, text: str) -> str:
        return self.server.query(text, self.database).replace("\t", "|")

    def named(self, name: str) -> str:
        return name

    def output(self) -> dict[str, Any]:
        return {**self.server.output(self.database), "password": "{{ env_var('MARIADB_PASSWORD') }}"}

    def active(self, words: str = "") -> int:
        others = f"id <> connection_id() and user = '{self.server.user}' and command <> 'Sleep'"
        return int(
            self.sql(
                f"select count(*) from information_schema.processlist where {others} and coalesce(info, '') like '%{words}%'"
            )
        )

    def private(self) -> str:
        return self.sql(
            "select table_name from information_schema.tables where table_schema = database() and"
            " (table_name like '%\\_\\_dvt\\_%' or table_name like '%dbt\\_tmp%')"
        )

    def fill(self) -> None:
        slow = "as select seq as id, concat('n', seq) as name from seq_1_to_{0} where sleep(0.02) = 0;"
        letters = ", ".join(f"md5(concat('{letter}', seq))" for letter in "abcdef")
        self.sql(
            "create table customers (id int primary key, name text); insert into customers values (1, 'Ann'), (2, 'Bob');"
            f" create view slow {slow.format(100_000)} create view brief {slow.format(300)}"
            f" create view huge as select seq as id, concat({letters}) as name from seq_1_to_300000;"
        )

    def kill(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)

    def drop(self) -> None:
        self.server.execute(f"drop database if exists `{self.database}`")


@contextmanager
def dying_side(kind: str) -> Iterator[Side]:
    """A database on a server of its own, which a test may kill."""
    if kind == "mariadb":
        with mariadb.running() as own:
            yield MariaDBSide(own, own.create_database("dying"), "dying")
        return
    folder = Path(tempfile.mkdtemp(prefix="dvt-pg-", dir="/tmp"))
    server = postgres.start(folder)
    try:
        yield PostgresSide(server, "postgres", "public")
    finally:
        postgres.stop(server)
        shutil.rmtree(folder, ignore_errors=True)
