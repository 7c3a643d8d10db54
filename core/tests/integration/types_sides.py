"""The sides of the type matrix: how tables are made there, and how the engine's own client shows values.

Nothing of dvt reads or compares here, apart from the connections that the runs use: psql, mariadb, Python's sqlite3 and
a separate DuckDB connection are the oracle. DuckDB also writes the source files, and reads the ones that landed.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import duckdb
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

from dvt.connections.connection import Connection
from dvt.federation.registry import open_connection
from dvt.identifiers import Relation

Rows = list[list[str | None]]


class Side(ABC):
    """One database of one engine.

    Attributes:
        connection: As the runs see it.
        schema: Where tables are made; None where the engine has one.
        declared: Types that the project declares for columns; only CSV files need them.
    """

    connection: Connection
    schema: str | None = None
    declared: Mapping[str, str] = MappingProxyType({})

    def relation(self, name: str) -> Relation:
        return Relation(name, self.schema)

    def column(self, name: str, declared: str) -> str:
        """A column's definition in `create table`."""
        return f"{name} {declared}"

    @abstractmethod
    def execute(self, statements: list[str]) -> None: ...

    @abstractmethod
    def ask(self, table: str, expressions: list[str]) -> Rows:
        """The expressions' texts for each row, in the order of column `id`."""

    @abstractmethod
    def tables(self) -> set[str]: ...


class Postgres(Side):
    schema = "public"

    def __init__(self, server: PostgresServer, name: str) -> None:
        self._server, self._name = server, server.create_database(name, timezone="Asia/Kathmandu")
        self.connection = open_connection("pg", server.output(name))

    def execute(self, statements: list[str]) -> None:
        self._server.psql(self._name, ";\n".join(statements), PGTZ="UTC")

    def ask(self, table: str, expressions: list[str]) -> Rows:
        shown = (f"coalesce(encode(convert_to(({e})::text, 'UTF8'), 'hex'), 'NULL')" for e in expressions)
        text = self._server.psql(self._name, f"select {', '.join(shown)} from {table} order by id", PGTZ="UTC")
        return [[_unhexed(cell) for cell in line.split("|")] for line in text.splitlines()]

    def tables(self) -> set[str]:
        found = self._server.psql(self._name, "select tablename from pg_tables where schemaname = 'public'")
        return set(found.splitlines())


class MariaDB(Side):
    def __init__(self, server: MariaDBServer, name: str) -> None:
        self._server, self._name = server, server.create_database(name)
        self.schema = name
        self.connection = open_connection("my", server.output(name))

    def execute(self, statements: list[str]) -> None:
        self._server.execute(";\n".join(["set time_zone = '+00:00', sql_mode = ''", *statements]), self._name)

    def ask(self, table: str, expressions: list[str]) -> Rows:
        shown = (f"coalesce(hex(cast({e} as char character set utf8mb4)), 'NULL')" for e in expressions)
        query = f"set time_zone = '+00:00'; select {', '.join(shown)} from {table} order by id"
        return [
            [_unhexed(cell) for cell in line.split("\t")] for line in self._server.query(query, self._name).split("\n")
        ]

    def tables(self) -> set[str]:
        return set(self._server.query("show tables", self._name).split())


class SQLite(Side):
    def __init__(self, path: Path) -> None:
        self._path = path
        sqlite3.connect(path).close()
        self.connection = open_connection("sl", {"type": "sqlite", "path": str(path)})

    def execute(self, statements: list[str]) -> None:
        session = sqlite3.connect(self._path)
        session.executescript(";\n".join(["begin", *statements, "commit"]))
        session.close()

    def ask(self, table: str, expressions: list[str]) -> Rows:
        """Numbers as Python's repr of the stored double or integer, which is exact."""
        session = sqlite3.connect(self._path)
        found = session.execute(f"select {', '.join(expressions)} from {table} order by id").fetchall()
        session.close()
        return [[None if v is None else v if isinstance(v, str) else repr(v) for v in row] for row in found]

    def tables(self) -> set[str]:
        session = sqlite3.connect(self._path)
        found = session.execute("select name from sqlite_schema").fetchall()
        session.close()
        return {name for (name,) in found}


class DuckDB(Side):
    schema = "main"

    def __init__(self, path: Path) -> None:
        self._path = path
        duckdb.connect(str(path)).close()
        self.connection = open_connection("dk", {"type": "duckdb", "path": str(path)})

    def execute(self, statements: list[str]) -> None:
        with duckdb.connect(str(self._path)) as session:
            session.execute("set timezone = 'UTC'")
            for statement in statements:
                session.execute(statement)

    def ask(self, table: str, expressions: list[str]) -> Rows:
        with duckdb.connect(str(self._path)) as session:
            session.execute("set timezone = 'UTC'")
            shown = ", ".join(f"cast({e} as varchar)" for e in expressions)
            return [list(row) for row in session.execute(f"select {shown} from {table} order by id").fetchall()]

    def tables(self) -> set[str]:
        with duckdb.connect(str(self._path)) as session:
            return {name for (name,) in session.execute("select table_name from duckdb_tables()").fetchall()}


class Files(Side):
    """A folder of files. Tables made here are DuckDB's, which writes each of them into a file of its own."""

    format: str

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._session = duckdb.connect()
        self._session.execute("set timezone = 'UTC'")
        self.connection = open_connection(
            self.format, {"type": "files", "path": str(folder), "format": self.format, "dvt": {"block_bytes": 1 << 24}}
        )

    def _path(self, table: str) -> str:
        return str(self._folder / f"{table}.{self.format}")

    def execute(self, statements: list[str]) -> None:
        for statement in statements:
            self._session.execute(statement)
        for (name,) in self._session.execute("select table_name from duckdb_tables()").fetchall():
            self._session.execute(f"copy {name} to '{self._path(name)}' (format {self.format})")

    def ask(self, table: str, expressions: list[str]) -> Rows:
        shown = ", ".join(f"cast({e} as varchar)" for e in expressions)
        query = f"select {shown} from {self._reading()} order by cast(id as integer)"
        return [list(row) for row in self._session.execute(query, [self._path(table)]).fetchall()]

    @abstractmethod
    def _reading(self) -> str:
        """DuckDB's table function over a path."""

    def tables(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}


class Parquet(Files):
    format = "parquet"

    def _reading(self) -> str:
        return "read_parquet(?)"


class Csv(Files):
    """All columns are texts; the types are those that the project declares."""

    format = "csv"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.declared: dict[str, str] = {"id": "integer"}

    def column(self, name: str, declared: str) -> str:
        self.declared[name] = declared
        return f"{name} varchar"

    def _reading(self) -> str:
        return (
            "read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', nullstr = '',"
            " allow_quoted_nulls = false, parallel = false, max_line_size = 67108864)"
        )


def _unhexed(cell: str) -> str | None:
    return None if cell == "NULL" else bytes.fromhex(cell).decode()
