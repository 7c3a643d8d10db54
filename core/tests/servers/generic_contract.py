"""The places of the conformance kit for generic connections: those of `generic`, with what the kit wants to know.

Servers are filled through one session of another client, which is quicker than a program for each statement.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from servers.generic import changed, generic_place, java_asking
from servers.place import Place

CONTRACT_PLACES = (
    *("adbc-postgres", "adbc-sqlite", "adbc-duckdb", "adbc-chdb"),
    *("odbc-postgres", "odbc-mariadb", "odbc-sqlite", "odbc-freetds"),
    *("dbapi-postgres", "dbapi-mariadb", "dbapi-sqlite"),
    *("jdbc-postgres", "jdbc-mariadb", "jdbc-h2", "jdbc-hsqldb", "jdbc-derby"),
)
_METHODS = {"adbc": "ADBC", "odbc": "ODBC", "dbapi": "DB-API", "jdbc": "JDBC"}
_DATABASES = {
    "postgres": "PostgreSQL",
    "mariadb": "MariaDB",
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "chdb": "ClickHouse by chdb",
    "freetds": "FreeTDS, SQL Server",
    "h2": "H2",
    "hsqldb": "HSQLDB",
    "derby": "Derby",
}
_SCHEMAS = {"postgres": "public", "duckdb": "main", "mariadb": "generic", "freetds": "dbo", "h2": "PUBLIC"}
# Those that run in this process, and ask nobody who comes.
_OPEN = frozenset({"sqlite", "duckdb", "chdb", "derby"})
_HAVE_PORTS = frozenset({"postgres", "mariadb", "freetds"})
_SETTLED_WITHIN_S = 10


@contextmanager
def contract_place(name: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """An empty database for the kit, filled and watched past dvt.

    Args:
        name: One of `CONTRACT_PLACES`.
        request: Of the fixture; the servers of the session are taken from it.
        folder: For the files of engines that have no server.
    """
    place = generic_place(name, request, folder)
    method, _, database = name.partition("-")
    with contextlib.ExitStack() as ends:
        execute, running = _client(database, place, request, ends)
        yield replace(
            place,
            execute=execute,
            schema=_SCHEMAS.get(database),
            words=f"generic-{name}",
            refused=None if database in _OPEN else changed(place, password="wr0ng-pass").output,
            closed=changed(place, address=("127.0.0.1", 1)).output if database in _HAVE_PORTS else None,
            **_asking(database, place, execute, request, ends),
            running=running and (lambda: _settled(running)),
            name=f"generic ({_METHODS[method]}, {_DATABASES[database]})",
        )


def _client(
    database: str, place: Place, request: pytest.FixtureRequest, ends: contextlib.ExitStack
) -> tuple[Callable[[str], Any], Callable[[], int] | None]:
    """What runs statements, and what counts those of dvt that run."""
    if database == "postgres":
        import psycopg

        server = request.getfixturevalue("postgres_server")
        login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
        session = ends.enter_context(psycopg.connect(**login, dbname="generic", autocommit=True))
        others = "select count(*) from pg_stat_activity where datname = 'generic' and pid <> pg_backend_pid()"
        return session.execute, lambda: int(session.execute(others + " and state <> 'idle'").fetchone()[0])
    if database == "mariadb":
        import pymysql

        server = request.getfixturevalue("mariadb_server")
        login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
        filler = ends.enter_context(pymysql.connect(**login, database="generic", charset="utf8mb4", autocommit=True))
        cursor = filler.cursor()
        others = "select count(*) from information_schema.processlist where db = 'generic' and command = 'Query'"

        def count() -> int:
            cursor.execute(others + " and id <> connection_id()")
            return int(cursor.fetchone()[0])

        return cursor.execute, count
    if database in ("h2", "hsqldb", "derby"):  # who comes first makes the database, and is let in
        place.execute("create table first_there (i integer)")
    if database == "derby":
        return _quiet_drop(place.execute), None
    if database == "freetds":
        fake = request.getfixturevalue("sqlserver_fake")
        ends.enter_context(fake.changed(password=place.output["password"]))
        return place.execute, lambda: int(fake.running)
    return place.execute, None


def _asking(
    database: str,
    place: Place,
    execute: Callable[[str], Any],
    request: pytest.FixtureRequest,
    ends: contextlib.ExitStack,
) -> dict[str, Any]:
    """What asks past dvt, for the loader's contract; for the databases with which it is held."""
    if database == "postgres":
        server = request.getfixturevalue("postgres_server")

        def ask(sql: str) -> list[str]:
            return server.psql("generic", sql).split("\n")

        return {"ask": ask, "tables": lambda: ask("select relname from pg_class where relkind = 'r'")}
    if database == "mariadb":
        server = request.getfixturevalue("mariadb_server")

        def asked(sql: str) -> list[str]:
            return server.query(sql, "generic").split("\n")

        return {"ask": asked, "tables": lambda: asked("show tables")}
    if database == "h2":
        return {"ask": java_asking(place), "tables": lambda: java_asking(place)("show tables")}
    return {}


def _quiet_drop(execute: Callable[[str], Any]) -> Callable[[str], Any]:
    """Derby knows no `if exists`."""

    def run(sql: str) -> None:
        from dvt.connections.generic_jvm import sql_errors

        with contextlib.suppress(*(sql_errors() if sql.startswith("drop ") else ())):
            execute(sql)

    return run


def _settled(running: Callable[[], int]) -> int:
    """How many statements run, once those that were told to end have had the time."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while (count := running()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return count
