"""The places of every pair of engines, made when they are first wanted; servers come from their fixtures' own code."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path

import servers.clickhouse
import servers.mariadb
import servers.postgres

from fuzz.places import ClickHousePlace, DuckDBPlace, MySQLPlace, ParquetPlace, Place, PostgresPlace, SQLitePlace

ENGINES = ("postgres", "mysql", "sqlite", "duckdb", "parquet", "clickhouse")
PAIRS = tuple(itertools.combinations(ENGINES, 2))


def local_place(engine: str, folder: Path) -> Place:
    """The place of an engine without a server."""
    makers = {"sqlite": SQLitePlace, "duckdb": DuckDBPlace, "parquet": ParquetPlace}
    return makers[engine](folder / engine)


class World:
    """Places by engine, for a process that starts the servers itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Place] = {}
        self._stack = ExitStack()

    def missing(self, engine: str) -> str:
        """Why an engine cannot be had; empty when it can."""
        if engine == "postgres" and servers.postgres.find_binaries() is None:
            return "no PostgreSQL server programs"
        if engine == "mysql" and servers.mariadb.missing_programs():
            return "no MariaDB server programs"
        return servers.clickhouse.missing() if engine == "clickhouse" else ""

    def place(self, engine: str) -> Place:
        """The place of an engine."""
        if engine not in self._places:
            self._places[engine] = self._made(engine)
        return self._places[engine]

    def _made(self, engine: str) -> Place:
        if engine == "postgres":
            folder = self._folder / "pg"
            folder.mkdir()
            server = servers.postgres.start(folder)
            self._stack.callback(servers.postgres.stop, server)
            return PostgresPlace(server)
        if engine == "mysql":
            return MySQLPlace(self._stack.enter_context(servers.mariadb.running()))
        if engine == "clickhouse":
            return ClickHousePlace(self._stack.enter_context(servers.clickhouse.running()))
        return local_place(engine, self._folder)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
