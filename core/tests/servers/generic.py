"""Databases that the generic extractor reads in the tests, each through each kind of driver that this machine has.

All are the real engines: PostgreSQL and MariaDB as servers, SQLite and DuckDB as files, H2, HSQLDB and Derby in the
Java machine of the test's own process. The statements that fill them go through psql, mariadb, the file's own Python
module, or, for the three in Java, through the JDBC driver under test, as text.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dvt.connections.fault_signals import kept_fault_signals
from servers.mariadb import MariaDBServer
from servers.place import Place, Tag
from servers.postgres import PostgresServer
from servers.sqlserver import DATABASE, PASSWORD, USER, SqlServerFake

PLACES = (
    *("adbc-postgres", "odbc-postgres", "dbapi-postgres", "jdbc-postgres"),
    *("odbc-mariadb", "dbapi-mariadb", "jdbc-mariadb"),
    *("adbc-sqlite", "odbc-sqlite", "dbapi-sqlite", "adbc-duckdb"),
    *("jdbc-h2", "jdbc-hsqldb", "jdbc-derby"),
)
_JARS = Path("/usr/share/java")
_ODBC_DRIVERS = {
    "postgres": "PostgreSQL Unicode",
    "mariadb": "MariaDB Unicode",
    "sqlite": "SQLite3",
    "freetds": "FreeTDS",
}
_DEBIAN_ODBC = {
    "postgres": "odbc-postgresql",
    "mariadb": "odbc-mariadb",
    "sqlite": "libsqliteodbc",
    "freetds": "tdsodbc",
}
_JAR_FILES = {
    "postgres": ("postgresql.jar", "libpostgresql-jdbc-java"),
    "mariadb": ("mariadb-java-client.jar", "libmariadb-java"),
    "h2": ("h2.jar", "libh2-java"),
    "hsqldb": ("hsqldb.jar", "libhsqldb-java"),
    "derby": ("derby.jar", "libderby-java"),
}
_MODULES = {
    "adbc-postgres": "adbc_driver_postgresql",
    "adbc-sqlite": "adbc_driver_sqlite",
    "adbc-duckdb": "adbc_driver_duckdb",
    "adbc-chdb": "adbc_driver_chdb",
    "dbapi-postgres": "psycopg",
    "dbapi-mariadb": "pymysql",
}


def missing(name: str) -> str:
    """Why a place cannot be had here; empty when it can."""
    method, _, database = name.partition("-")
    client = {"adbc": "adbc_driver_manager", "odbc": "arrow_odbc", "jdbc": "jpype"}.get(method)
    for module in (client, _MODULES.get(name)):
        if module is not None and importlib.util.find_spec(module) is None:
            return f"{module} is not installed"
    if method == "odbc" and ctypes.util.find_library("odbc") is None:
        return "unixODBC is not installed (Debian: unixodbc)"
    if method == "odbc" and _ODBC_DRIVERS[database] not in _installed_odbc():
        return f"the ODBC driver {_ODBC_DRIVERS[database]} is not installed (Debian: {_DEBIAN_ODBC[database]})"
    if method == "jdbc":
        jar, package = _JAR_FILES[database]
        if shutil.which("java") is None:
            return "Java is not installed"
        if not (_JARS / jar).is_file():
            return f"{jar} is not installed (Debian: {package})"
    return ""


def generic_place(name: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """An empty database, read through one kind of driver.

    Args:
        name: One of `PLACES`, "adbc-chdb" or "odbc-freetds".
        request: Of the fixture; the servers of the session are taken from it.
        folder: For the files of engines that have no server.
    """
    if why := missing(name):
        pytest.skip(why)
    method, _, database = name.partition("-")
    if database == "postgres":
        return _postgres(method, request.getfixturevalue("postgres_server"))
    if database == "mariadb":
        return _mariadb(method, request.getfixturevalue("mariadb_server"))
    if database == "freetds":
        return _freetds(request.getfixturevalue("sqlserver_fake"))
    if database == "chdb":
        return _chdb(request, folder / "chdb")
    if database in ("sqlite", "duckdb"):
        return _file(method, database, folder / f"{database}.db")
    return _java(database, folder)


def _postgres(method: str, server: PostgresServer) -> Place:
    name = server.create_database("generic")
    login = {"user": server.user, "password": server.password}
    address = f"{server.host}:{server.port}/{name}"
    outputs: Mapping[str, Mapping[str, Any]] = {
        "adbc": {"driver": "postgresql", "uri": f"postgresql://{address}", **login},
        "odbc": {
            "driver": _ODBC_DRIVERS["postgres"],
            "connection_string": f"Server={server.host};Port={server.port};Database={name}",
            **login,
        },
        "dbapi": {
            "driver": "psycopg",
            "connect_args": {"host": server.host, "port": server.port, "dbname": name, **login},
        },
        "jdbc": {"url": f"jdbc:postgresql://{address}", **login},
    }
    return _place(outputs[method], lambda sql: server.psql(name, sql))


def _mariadb(method: str, server: MariaDBServer) -> Place:
    server.execute("drop database if exists generic; create database generic character set utf8mb4")
    login = {"user": server.user, "password": server.password}
    outputs: Mapping[str, Mapping[str, Any]] = {
        "odbc": {
            "driver": _ODBC_DRIVERS["mariadb"],
            "connection_string": f"Server={server.host};Port={server.port};Database=generic",
            **login,
        },
        "dbapi": {
            "driver": "pymysql",
            "connect_args": {"host": server.host, "port": server.port, "database": "generic", **login},
        },
        "jdbc": {"url": f"jdbc:mariadb://{server.host}:{server.port}/generic", **login},
    }
    return _place(outputs[method], lambda sql: server.execute(sql, "generic"))


def _file(method: str, database: str, path: Path) -> Place:
    outputs: Mapping[tuple[str, str], Mapping[str, Any]] = {
        ("adbc", "sqlite"): {"driver": "sqlite", "db_kwargs": {"uri": str(path)}},
        ("odbc", "sqlite"): {"driver": _ODBC_DRIVERS["sqlite"], "connection_string": f"Database={path}"},
        ("dbapi", "sqlite"): {"driver": "sqlite3", "connect_args": {"database": str(path)}},
        ("adbc", "duckdb"): {"driver": "duckdb", "db_kwargs": {"path": str(path)}},
    }

    def execute(sql: str) -> None:
        if database == "sqlite":
            with contextlib.closing(sqlite3.connect(path)) as session:
                session.executescript(sql)
            return
        import duckdb

        with duckdb.connect(path) as session:
            session.execute(sql)

    return _place(outputs[method, database], execute)


def _freetds(fake: SqlServerFake) -> Place:
    """The fake has to be told of the password: its own one cannot be said to FreeTDS, with `;`, `}` and `ä` in it."""
    output = {
        "driver": _ODBC_DRIVERS["freetds"],
        "connection_string": f"Server=127.0.0.1;Port={fake.port};Database={DATABASE};TDS_Version=7.4;Encryption=off",
        "user": USER,
        "password": PASSWORD.replace("}", "").replace("ä", ""),
    }
    return replace(_place(output, fake.execute), tag=Tag.FAKE, statements=fake.statements)


def _chdb(request: pytest.FixtureRequest, folder: Path) -> Place:
    """The engine in this process. A session stays open, because what is kept in memory goes with the last one."""
    from adbc_driver_chdb import connect

    with kept_fault_signals():
        session = connect(f"chdb://{folder}")
    cursor = session.cursor()
    request.addfinalizer(session.close)
    request.addfinalizer(cursor.close)
    return _place({"driver": "chdb", "db_kwargs": {"uri": f"chdb://{folder}"}}, cursor.execute)


def _java(database: str, folder: Path) -> Place:
    name = folder.name.replace("-", "_")
    output = {
        "h2": {"url": f"jdbc:h2:mem:{name};DB_CLOSE_DELAY=-1", "user": "sa"},
        "hsqldb": {"url": f"jdbc:hsqldb:mem:{name}", "user": "SA"},
        "derby": {"url": f"jdbc:derby:memory:{name};create=true"},
    }[database]

    def execute(sql: str) -> None:
        from dvt.connections.generic_jvm import open_session
        from dvt.federation.registry import open_connection

        session = open_session(open_connection("filling", {"type": "generic", **output}), "")
        with contextlib.closing(session):
            statement = session.createStatement()
            for part in sql.split(";\n"):
                statement.execute(part)
            session.commit()

    return _place(output, execute)


def java_asking(place: Place) -> Callable[[str], list[str]]:
    """The first column of a query's rows, as the driver's own texts."""

    def ask(sql: str) -> list[str]:
        from dvt.connections.generic_jvm import open_session
        from dvt.federation.registry import open_connection

        with contextlib.closing(open_session(open_connection("asking", place.output), "")) as session:
            rows, found = session.createStatement().executeQuery(sql), []
            while rows.next():
                found.append(str(rows.getString(1)))
            session.commit()
            return found

    return ask


def changed(place: Place, **change: Any) -> Place:
    """The place with another user, password or address."""
    output = {**place.output}
    if "connect_args" in output:
        output["connect_args"] = {**output["connect_args"], **{k: v for k, v in change.items() if k != "address"}}
        if "address" in change:
            output["connect_args"].update(host=change["address"][0], port=change["address"][1])
    else:
        output.update({key: value for key, value in change.items() if key != "address"})
        if "address" in change:
            output.update(_moved(output, *change["address"]))
    return replace(place, output=output)


def _moved(output: Mapping[str, Any], host: str, port: int) -> dict[str, str]:
    if "connection_string" in output:
        text = re.sub(r"Server=[^;]*;Port=\d+", f"Server={host};Port={port}", output["connection_string"])
        return {"connection_string": text}
    key = "url" if "url" in output else "uri"
    return {key: re.sub(r"//[^/]*/", f"//{host}:{port}/", output[key])}


def _place(output: Mapping[str, Any], execute: Callable[[str], Any]) -> Place:
    return Place("generic", Tag.REAL, {"type": "generic", **output}, execute)


def _installed_odbc() -> str:
    """What the driver manager's own program lists."""
    if shutil.which("odbcinst") is None:
        return ""
    return subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, check=False, text=True).stdout
