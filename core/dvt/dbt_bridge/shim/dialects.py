"""What differs between the engines behind the shim adapter: sessions, catalogue queries, type names."""

from __future__ import annotations

import datetime as dt
import importlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from decimal import Decimal
from typing import Any, Protocol

from dvt.connections.connection import Connection
from dvt.connections.object_paths import FilePath
from dvt.dbt_bridge.shim.read_only import ReadOnlyDialect
from dvt.dbt_bridge.shim.table import DIALECT_PLACES
from dvt.errors import ConfigurationError, DvtError
from dvt.identifiers import Relation

Named = tuple[str, str]


class ShimDialect(Protocol):
    """One engine behind the shim."""

    quote_character: str
    types: dict[str, str]

    def open(self, connection: Connection) -> Any:
        """A DB-API connection in autocommit mode."""

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        """A driver's error as one of dvt's; None when it is not the driver's."""

    def list_schemas(self, cursor: Any) -> list[str]:
        """Names of schemas."""

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[Named]:
        """Names and types ("table" or "view") of a schema's relations; `place` has no name, only what is above it."""

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        """Values as the driver binds them."""

    def create_schema_sql(self, quoted: str) -> str | None:
        """The statement that makes a schema; None when there is nothing to make."""

    def truncate_sql(self, quoted: str) -> str:
        """The statement that empties a table."""

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        """The statements that put a view in place of what is there."""

    def cancel(self, handle: Any, connection: Connection) -> None:
        """End what runs on a handle, from another thread."""


class MySQLDialect:
    """MySQL and MariaDB."""

    quote_character = "`"
    types = {
        "text": "text",
        "integer": "bigint",
        "number": "decimal(38, 10)",
        "boolean": "boolean",
        "datetime": "datetime(6)",
        "date": "date",
        "time": "time(6)",
    }

    def open(self, connection: Connection) -> Any:
        from dvt.connections.mysql import default_database
        from dvt.connections.mysql_login import login

        owner = login(connection, default_database(connection)).owner
        # PyMySQL would give up a statement that runs longer than the connect timeout.
        if hasattr(owner, "_read_timeout"):
            owner._read_timeout = owner._write_timeout = None
        with closing(owner.cursor()) as cursor:
            cursor.execute("set session time_zone = '+00:00'")
        return owner

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        from dvt.connections.mysql_errors import error_number, translate

        return translate(error, connection, phase="land") if error_number(error) else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("select schema_name from information_schema.schemata")
        return [_text(row[0]) for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[Named]:
        cursor.execute(
            "select table_name, table_type from information_schema.tables where table_schema = %s", (place.schema,)
        )
        return [(_text(name), "view" if "VIEW" in _text(kind) else "table") for name, kind in cursor.fetchall()]

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return tuple(values)

    def create_schema_sql(self, quoted: str) -> str | None:
        return "create database if not exists " + quoted

    def truncate_sql(self, quoted: str) -> str:
        # Not TRUNCATE: it commits, so readers could see an empty table.
        return " ".join(["delete from", quoted])

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = ["drop table " + quoted] if existing == "table" else []
        return [*drop, "\n".join(["create or replace view " + quoted + " as", query])]

    def cancel(self, handle: Any, connection: Connection) -> None:
        from dvt.connections.mysql import open_session
        from dvt.connections.mysql_errors import ServerError

        number = handle.thread_id() if hasattr(handle, "thread_id") else handle.connection_id
        other = open_session(connection, None)
        try:
            # Not the query: between two statements there is none, and the next one would run.
            with suppress(ServerError):  # 1094: it has already gone
                other.run("kill connection " + str(int(number)))
        finally:
            other.close()


class SQLiteDialect:
    """SQLite through the standard library."""

    quote_character = '"'
    types = {
        "text": "text",
        "integer": "integer",
        "number": "numeric",
        "boolean": "boolean",
        "datetime": "timestamp",
        "date": "date",
        "time": "time",
    }

    def open(self, connection: Connection) -> Any:
        from dvt.connections.sqlite import connect

        return connect(connection, writable=True)

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        from dvt.connections.sqlite import translate

        return translate(error, connection, phase="land") if isinstance(error, sqlite3.Error) else None

    def list_schemas(self, cursor: Any) -> list[str]:
        cursor.execute("pragma database_list")
        return [row[1] for row in cursor.fetchall()]

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[Named]:
        if place.schema != "main":
            return []
        cursor.execute(
            "select name, type from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'"
        )
        return list(cursor.fetchall())

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return tuple(_sqlite_value(value) for value in values)

    def create_schema_sql(self, quoted: str) -> str | None:
        if quoted != '"main"':
            raise ConfigurationError(
                f"SQLite has no schema {quoted}", remedy="Remove the custom schema, or land the model elsewhere"
            )
        return None

    def truncate_sql(self, quoted: str) -> str:
        return " ".join(["delete from", quoted])

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        drop = [f"drop {existing} " + quoted] if existing in ("table", "view") else []
        return [*drop, "\n".join(["create view " + quoted + " as", query])]

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.interrupt()


class FilesDialect:
    """A folder: no SQL of its own. dbt asks little of it; what it asks is answered from the folder."""

    quote_character = '"'
    types = {**MySQLDialect.types, "datetime": "timestamp", "time": "time"}

    def open(self, connection: Connection) -> Any:
        import duckdb

        return duckdb.connect(":memory:")

    def translate(self, error: BaseException, connection: Connection) -> DvtError | None:
        return None

    def list_schemas(self, cursor: Any) -> list[str]:
        return []

    def list_relations(self, cursor: Any, place: Relation, connection: Connection) -> list[Named]:
        from dvt.connections.file_places import format_of
        from dvt.connections.files import FORMATS, folder_of

        found: list[FilePath] = [*folder_of(connection, place).glob("*")]
        seen = [path for path in found if not path.name.startswith((".", "_"))]
        tables = [path for path in seen if path.is_dir() or format_of(path) in FORMATS]
        return [(path.name if path.is_dir() else path.name.removesuffix(path.suffix), "table") for path in tables]

    def bindings(self, values: Sequence[Any]) -> Sequence[Any]:
        return tuple(values)

    def create_schema_sql(self, quoted: str) -> str | None:
        return None

    def truncate_sql(self, quoted: str) -> str:
        raise ConfigurationError("files cannot be emptied in place", remedy="Run with --full-refresh")

    def replace_view_sql(self, quoted: str, existing: str | None, query: str) -> list[str]:
        raise ConfigurationError("a folder of files holds no views", remedy="Use materialized: table")

    def cancel(self, handle: Any, connection: Connection) -> None:
        handle.interrupt()


class _Dialects(Mapping[str, ShimDialect]):
    """By connection type. An engine's own module is imported when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, ShimDialect] = {}

    def __getitem__(self, type_: str) -> ShimDialect:
        if type_ not in self._made:
            module, _, name = DIALECT_PLACES[type_].partition(":")
            found: Any = getattr(importlib.import_module(module), name)
            if isinstance(found, type):
                found = found(type_) if issubclass(found, ReadOnlyDialect) else found()
            self._made[type_] = found
        return self._made[type_]

    def __iter__(self) -> Iterator[str]:
        return iter(DIALECT_PLACES)

    def __len__(self) -> int:
        return len(DIALECT_PLACES)


DIALECTS: Mapping[str, ShimDialect] = _Dialects()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return value
