"""Generic connections through a module of Python's DB-API: rows, each value of which is checked."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import pyarrow as pa

from dvt.connections.generic import call_arguments, read_only
from dvt.errors import ConfigurationError, DataError, MissingDriverError
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.federation.extractors.row_batches import record_batch
from dvt.federation.stream import ColumnSchema
from dvt.types.generic import Reading
from dvt.types.generic_dbapi import dbapi_reading

# Cursors that leave the rows on the server. What other modules' plain cursors hold is their own affair.
_STREAMING: Mapping[str, Callable[[Any], Any]] = {
    "psycopg": lambda session: session.cursor(name="dvt_scan"),
    "pymysql": lambda session: session.cursor(importlib.import_module("pymysql.cursors").SSCursor),
}
_CONNECT_TIMEOUT = frozenset({"psycopg", "psycopg2", "pymysql", "MySQLdb"})
# Cursors that keep a lock after their session was closed, until they are gone themselves.
_LOCKING = frozenset({"sqlite3"})
# The methods by which drivers end a query from another thread, in the order of trying.
_CANCELS = ("cancel", "interrupt")


class DbapiMethod(Method):
    """One DB-API connection."""

    name = "dbapi_streaming"
    _module: ModuleType | None = None
    _session: Any = None
    _cursor: Any = None

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """The module's errors. Some let those of sockets and of struct through."""
        own = getattr(self._module, "Error", None)
        return (OSError, *((own,) if isinstance(own, type) else ()))

    def connect(self) -> None:
        """Import the module and connect."""
        name = str(self.connection.first("driver", default=""))
        if not name:
            raise ConfigurationError("key 'driver' is missing", remedy="Name the DB-API module, for example sqlite3")
        try:
            self._module = module = importlib.import_module(name)
        except ImportError as error:
            raise MissingDriverError(
                f"the module {name} cannot be imported: {error}",
                connection=self.connection.name,
                remedy="Install the package that brings it",
            ) from error
        if not callable(getattr(module, "connect", None)) or not hasattr(module, "Error"):
            raise ConfigurationError(
                f"{name} is no DB-API module", remedy="Name a module that has `connect` and `Error`"
            )
        read_only(self.connection, can=False)
        arguments = {"user": self.connection.first("user"), "password": self.connection.secret("password")}
        if name in _CONNECT_TIMEOUT:
            arguments["connect_timeout"] = int(self.connection.options["connect_timeout_s"])
        if name == "sqlite3":
            arguments["check_same_thread"] = False  # a stream may be read in another thread than it was opened in
        arguments = {key: value for key, value in arguments.items() if value is not None}
        arguments.update(call_arguments(self.connection, "connect_args"))
        try:
            self._session = module.connect(**arguments)
        except TypeError as error:
            raise ConfigurationError(
                f"{name}.connect does not take these arguments: {error}", remedy="Correct connect_args in profiles.yml"
            ) from error

    def version(self) -> str:
        """The module's name and version."""
        assert self._module is not None
        version = getattr(self._module, "__version__", "") or getattr(self._module, "sqlite_version", "")
        return f"{self._module.__name__} {version}".strip()

    def open(self, statement: Statement) -> Opened:
        """Run a query."""
        assert self._module is not None
        module = self._module
        self._end()
        make = _STREAMING.get(module.__name__)
        self._cursor = cursor = make(self._session) if make is not None else self._session.cursor()
        cursor.arraysize = statement.batch_rows
        cursor.execute(statement.sql)
        first: Sequence[Sequence[Any]] | None = None
        if cursor.description is None:  # some named cursors know their columns after the first fetch only
            first = cursor.fetchmany(statement.batch_rows)
        if cursor.description is None:
            raise ConfigurationError("the statement gives no rows", remedy="Give a query")
        columns = [dbapi_reading(module, entry, statement.declared) for entry in cursor.description]
        return Opened(columns, self._batches(cursor, columns, first, statement.batch_rows))

    def _batches(
        self, cursor: Any, columns: Sequence[Reading], first: Sequence[Sequence[Any]] | None, size: int
    ) -> Iterator[list[pa.Array]]:
        readable = [index for index, column in enumerate(columns) if not column.refused]
        schema = [ColumnSchema(c.name, c.type, True, c.native) for c in columns if not c.refused]
        rows = cursor.fetchmany(size) if first is None else first
        while rows:
            try:
                read = record_batch(rows if len(readable) == len(columns) else _picked(rows, readable), schema)
            except DataError as error:
                raise error.at(connection=self.connection.name) from error.__cause__
            arrays = dict(zip(readable, read.columns, strict=True))
            yield [arrays.get(index, pa.nulls(len(rows))) for index in range(len(columns))]
            rows = cursor.fetchmany(size)
        self._end()

    def cancel(self) -> None:
        """End the query where the cursor or the connection has a way to."""
        for owner in (self._cursor, self._session):
            for name in _CANCELS:
                act = getattr(owner, name, None)
                if callable(act):
                    act()
                    return

    def close(self) -> None:
        """End the query and the connection. Most cursors are not asked to end: some read all their rows first."""
        session, self._session = self._session, None
        cursor, self._cursor = self._cursor, None
        if cursor is not None and self._module is not None and self._module.__name__ in _LOCKING:
            cursor.close()
        result: Any = getattr(cursor, "_result", None)
        if hasattr(result, "unbuffered_active"):  # PyMySQL's would read its rows when it is collected
            result.unbuffered_active, cursor._result = False, None
        if session is not None:
            with contextlib.suppress(*self.errors):
                session.close()

    def _end(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()


def _picked(rows: Sequence[Sequence[Any]], indices: Sequence[int]) -> list[list[Any]]:
    return [[row[index] for index in indices] for row in rows]
