"""Generic connections through an ADBC driver: Arrow as the driver streams it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import pyarrow as pa

from dvt.connections.fault_signals import kept_fault_signals
from dvt.connections.generic import call_arguments, read_only, setting_text
from dvt.errors import MissingDriverError
from dvt.federation.extractors.generic_clickhouse import VENDOR, clickhouse_query
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.types.generic_adbc import adbc_reading

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as Session

_READ_ONLY = "adbc.connection.readonly"
_ENTRY_POINTS = {"duckdb": "duckdb_adbc_init"}
# Drivers with a way of their own to say how large a batch is: the option, and its bytes for a row.
_BATCH_BYTES_A_ROW = 128


class AdbcMethod(Method):
    """One ADBC connection."""

    name = "adbc_streaming"
    _session: Session | None = None
    _cursor: Any = None
    _vendor = ""

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """ADBC's errors; those of reading its stream are Arrow's."""
        import adbc_driver_manager

        return (adbc_driver_manager.Error, pa.ArrowException, OSError, RuntimeError)

    def connect(self) -> None:
        """Load the driver and connect."""
        if importlib.util.find_spec("adbc_driver_manager") is None:
            raise MissingDriverError(
                "adbc_driver_manager is not installed",
                connection=self.connection.name,
                remedy="Run: pip install 'dvt[generic]', and the driver's own package",
            )
        from adbc_driver_manager import dbapi

        # chdb's library takes the signals of faults when it is loaded, and each time that its engine starts.
        with kept_fault_signals():
            self._session = self._connected(dbapi)
        self._vendor = str(self._session.adbc_get_info().get("vendor_name", ""))
        if self._vendor.lower() == "duckdb":
            with self._session.cursor() as cursor:  # a time's zone would be lost, and a JSON document be a text
                cursor.execute("set arrow_lossless_conversion = true")

    def _connected(self, dbapi: Any) -> Session:
        path, slug = self._driver()
        more = dict(call_arguments(self.connection, "conn_kwargs"))
        if read_only(self.connection, can=True):
            more.setdefault(_READ_ONLY, "true")
        session: Session = dbapi.connect(
            driver=path,
            entrypoint=self.connection.first("entrypoint", default=_ENTRY_POINTS.get(slug)),
            db_kwargs=self._database(slug),
            conn_kwargs=more,
            autocommit=True,
        )
        return session

    def version(self) -> str:
        """Database and version."""
        assert self._session is not None
        info = self._session.adbc_get_info()
        return f"{info.get('vendor_name', 'ADBC')} {info.get('vendor_version', '')}".strip()

    def open(self, statement: Statement) -> Opened:
        """Run a query."""
        assert self._session is not None
        self._end()
        self._cursor = cursor = self._session.cursor()
        if self._vendor == "PostgreSQL":
            hint = str(statement.batch_rows * _BATCH_BYTES_A_ROW)
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": hint})
        if self._vendor == VENDOR:
            sql, columns = clickhouse_query(cursor, statement.sql, statement.declared)
            cursor.execute(sql)
            return Opened(columns, _batches(cursor.fetch_record_batch(), statement.batch_rows))
        cursor.execute(statement.sql)
        reader = cursor.fetch_record_batch()
        columns = [adbc_reading(field, self._vendor, statement.declared) for field in reader.schema]
        return Opened(columns, _batches(reader, statement.batch_rows))

    def cancel(self) -> None:
        """Ask the driver to end the query; where it cannot, the query ends with its batch."""
        cursor = self._cursor
        if cursor is not None:
            with contextlib.suppress(*self.errors):
                cursor.adbc_cancel()

    def close(self) -> None:
        """End the query and the connection."""
        session, self._session = self._session, None
        if session is None:
            return
        if self._cursor is not None:
            with contextlib.suppress(*self.errors):  # it was read to its end, or the driver cannot
                self._cursor.adbc_cancel()
        self._end()
        session.close()

    def _end(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _driver(self) -> tuple[str, str]:
        """What the driver manager loads, and the driver's short name.

        A driver from a pip package is found by the package's name, or the short one; others by manifest or path.
        """
        name = str(self.connection.first("driver", default="") or setting_text(self.connection, "uri").split(":")[0])
        slug = name.removeprefix("adbc_driver_")
        if slug.isidentifier() and importlib.util.find_spec(f"adbc_driver_{slug}") is not None:
            module = importlib.import_module(f"adbc_driver_{slug}")
            find = getattr(module, "_driver_path", None) or getattr(module, "driver_path", None)
            if find is not None:
                return str(find()), slug
        return name, slug

    def _database(self, slug: str) -> dict[str, str]:
        settings = call_arguments(self.connection, "db_kwargs")
        if self.connection.first("uri"):
            settings["uri"] = setting_text(self.connection, "uri")
        user, password = self.connection.first("user"), self.connection.secret("password")
        if slug == "postgresql" and (user or password):
            settings["uri"] = _with_login(str(settings.get("uri", "postgresql://")), str(user or ""), password)
        else:
            given = {"username": user, "password": password}
            settings = {**{key: value for key, value in given.items() if value}, **settings}
        return {key: str(value) for key, value in settings.items()}


def _with_login(uri: str, user: str, password: str | None) -> str:
    """An address with user and password, which the driver for PostgreSQL takes in no other way."""
    parts = urlsplit(uri)
    secret = f":{quote(password, safe='')}" if password else ""
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}{secret}@{place}"))


def _batches(reader: pa.RecordBatchReader, rows: int) -> Iterator[list[pa.Array]]:
    for batch in reader:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows).columns
