"""Random tables in real engines, and the connections over which dvt reads them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from servers.clickhouse import ClickHouseServer
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.connections.connection import Connection
from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation, quote
from fuzz.schema import Table

# Deterministic collations too: German order is not that of the bytes.
_POSTGRES_EXTRAS = {
    "icu": (
        "create collation if not exists public.dvt_ci"
        " (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "create collation if not exists public.dvt_de (provider = icu, locale = 'de-DE');"
    ),
    "citext": "create extension if not exists citext schema public;",
}
SCHEMA = "fz"
DATABASE = "dvt_fuzz"


class Place:
    """Where the tables of one side lie. One generation of tables at a time."""

    engine: str
    powers: frozenset[str] = frozenset()

    def fill(self, tables: Sequence[Table]) -> None:
        """Replace what is there with these tables."""
        raise NotImplementedError

    def connection(self, name: str) -> Connection:
        """A connection as a project would have it."""
        raise NotImplementedError

    def relation(self, table: Table) -> Relation:
        """The table's name there."""
        return Relation(table.name, "main")

    def input(self, table: Table, connection: Connection) -> Input:
        """The table as an input of a query."""
        relation = self.relation(table)
        return Input(Handle(connection.name, relation.schema or "main", table.name), connection, relation)


class PostgresPlace(Place):
    """A database of its own on a server."""

    engine = "postgres"

    def __init__(self, server: PostgresServer, database: str = DATABASE) -> None:
        self._server = server
        self._database = server.create_database(database)
        powers = set()
        for power, sql in _POSTGRES_EXTRAS.items():
            try:
                server.psql(database, sql)
            except RuntimeError:  # a server built without it, or without its contributed modules
                continue
            powers.add(power)
        self.powers = frozenset(powers)

    def fill(self, tables: Sequence[Table]) -> None:
        script = [f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA};"]
        script.append(f"set search_path = {SCHEMA}, public;")
        script += _script(tables, "postgres", f"{SCHEMA}.")
        self._server.psql(self._database, "set client_min_messages = error;" + ";\n".join(script) + ";analyze")

    def connection(self, name: str) -> Connection:
        return open_connection(name, self._server.output(self._database, SCHEMA))

    def relation(self, table: Table) -> Relation:
        return Relation(table.name, SCHEMA)


class MySQLPlace(Place):
    """A database of its own on a MariaDB server."""

    engine = "mysql"

    def __init__(self, server: MariaDBServer, database: str = DATABASE) -> None:
        self._server = server
        self._database = database

    def fill(self, tables: Sequence[Table]) -> None:
        self._server.create_database(self._database)
        script = ["set time_zone = '+00:00'", *_script(tables, "mysql", "")]
        script += [f"analyze table {quote(table.name, 'mysql')}" for table in tables]
        self._server.execute(";\n".join(script), self._database)

    def connection(self, name: str) -> Connection:
        return open_connection(name, self._server.output(self._database))

    def relation(self, table: Table) -> Relation:
        return Relation(table.name, self._database)


class ClickHousePlace(Place):
    """A database of its own on a ClickHouse server."""

    engine = "clickhouse"

    def __init__(self, server: ClickHouseServer, database: str = DATABASE) -> None:
        self._server = server
        self._database = database

    def fill(self, tables: Sequence[Table]) -> None:
        self._server.create_database(self._database)
        # The key that a query reads by is not the order of the rows; an Enum has no cast of its own in VALUES.
        script = _script(tables, "clickhouse", "", " engine = MergeTree order by k")
        self._server.execute(*script, database=self._database)

    def connection(self, name: str) -> Connection:
        return open_connection(name, self._server.output(self._database))

    def relation(self, table: Table) -> Relation:
        return Relation(table.name, self._database)


class _FolderPlace(Place):
    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._number = 0

    def _fresh(self, suffix: str) -> Path:
        """A new path for each generation: a session may still hold the old file."""
        self._number += 1
        return self._folder / f"g{self._number}{suffix}"


class SQLitePlace(_FolderPlace):
    """A database file."""

    engine = "sqlite"

    def fill(self, tables: Sequence[Table]) -> None:
        self._path = self._fresh(".sqlite")
        database = sqlite3.connect(self._path)
        database.executescript(";\n".join(_script(tables, "sqlite", "")))
        database.commit()
        database.close()

    def connection(self, name: str) -> Connection:
        return open_connection(name, {"type": "sqlite", "path": str(self._path)}, self._folder)

    def relation(self, table: Table) -> Relation:
        return Relation(table.name)


class DuckDBPlace(_FolderPlace):
    """A database file."""

    engine = "duckdb"

    def fill(self, tables: Sequence[Table]) -> None:
        self._path = self._fresh(".duckdb")
        with duckdb.connect(str(self._path)) as database:
            for statement in _script(tables, "duckdb", ""):
                database.execute(statement)

    def connection(self, name: str) -> Connection:
        return open_connection(name, {"type": "duckdb", "path": str(self._path)}, self._folder)


class ParquetPlace(_FolderPlace):
    """A folder of Parquet files."""

    engine = "parquet"

    def fill(self, tables: Sequence[Table]) -> None:
        self._path = self._fresh("")
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir()
        with duckdb.connect() as database:
            for statement in _script(tables, "duckdb", ""):
                database.execute(statement)
            for number, table in enumerate(tables):
                database.execute(f"copy {quote(table.name, 'duckdb')} to '{self._path}/{number}.parquet'")
        self._files = {table.name: f"{number}.parquet" for number, table in enumerate(tables)}

    def connection(self, name: str) -> Connection:
        return open_connection(name, {"type": "files", "path": str(self._path)}, self._folder)

    def input(self, table: Table, connection: Connection) -> Input:
        options: dict[str, Any] = {"path": self._files[table.name]}
        handle = Handle(connection.name, "main", table.name)
        return Input(handle, connection, Relation(table.name), file_options=options)


def _script(tables: Sequence[Table], dialect: str, prefix: str, suffix: str = "") -> list[str]:
    """The statements that make and fill tables; every cell is a quoted literal, which the column's type reads."""
    script = []
    for table in tables:
        name = prefix + quote(table.name, dialect)
        columns = ", ".join(f"{quote(column.name, dialect)} {column.ddl}" for column in table.columns)
        script.append(f"create table {name} ({columns}){suffix}")
        if table.rows:
            rows = ", ".join("(" + ", ".join(_literal(cell, dialect) for cell in row) + ")" for row in table.rows)
            script.append(f"insert into {name} values {rows}")
    return script


def _literal(cell: str | None, dialect: str) -> str:
    if cell is None:
        return "null"
    text = cell.replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if dialect in ("mysql", "clickhouse") else text) + "'"
