"""Generic connections through an ODBC driver, by arrow-odbc: buffers of rows, in UTF-16, read from their texts."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dvt.connections.generic import driver_name, read_only, setting_text
from dvt.errors import ConfigurationError, MissingDriverError
from dvt.federation.extractors.generic_casts import with_casts
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.types.generic import Reading
from dvt.types.generic_odbc import DRIVER_SETTINGS, FREETDS, VERSION_QUERIES, asked_type, odbc_reading, server_cast

# Room for one batch, twice, because the driver fills one while the other is read.
_BUFFER_BYTES = 64 << 20


class OdbcMethod(Method):
    """ODBC sessions: each query has one of its own, which ends with it."""

    name = "odbc_streaming"
    _reader: Any = None

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What arrow-odbc raises."""
        import arrow_odbc

        return (arrow_odbc.Error, pa.ArrowException)

    def connect(self) -> None:
        """Log in once, to know that it can be done."""
        if importlib.util.find_spec("arrow_odbc") is None:
            raise self._missing("arrow_odbc is not installed", "Run: pip install 'dvt[generic]'")
        try:
            import arrow_odbc
        except OSError as error:
            raise self._missing(f"arrow_odbc cannot be loaded: {error}", "Install unixODBC") from error
        read_only(self.connection, can=False)
        arrow_odbc.connect(self._address(), login_timeout_sec=int(self.connection.options["connect_timeout_s"]))

    def version(self) -> str:
        """The driver's name, and the version that the database tells, where it is known how to ask."""
        driver = f"ODBC {driver_name(self.connection)}".strip()
        sql = VERSION_QUERIES.get(self.dialect)
        if sql is None:
            return driver
        batch = next(self._read(sql, 1), None)
        return f"{driver}, {batch.columns[0][0].as_py()}" if batch is not None else driver

    def open(self, statement: Statement) -> Opened:
        """Run a query; which of its columns the server casts is known after a first look at it."""
        announced = self._announced(statement)
        columns = [odbc_reading(field, driver_name(self.connection), statement.declared) for field in announced]
        casts = [(field.name, server_cast(field.type, self.dialect)) for field in announced]
        self._reader = self._read(with_casts(statement.sql, casts, self.dialect), statement.batch_rows)
        return Opened(columns, self._batches())

    def describe(self, statement: Statement) -> list[Reading]:
        """The columns as the driver announces them."""
        announced = self._announced(statement)
        return [odbc_reading(field, driver_name(self.connection), statement.declared) for field in announced]

    def cancel(self) -> None:
        """arrow-odbc has no way to end a call of another thread: what runs ends with its batch."""

    def close(self) -> None:
        """End the query and its session."""
        self._reader = None

    def _announced(self, statement: Statement) -> pa.Schema:
        found: list[pa.Schema] = []
        self._read(statement.describing, 1, found)
        return found[0]

    def _read(self, sql: str, rows: int, announced: list[pa.Schema] | None = None) -> Any:
        from arrow_odbc import read_arrow_batches_from_odbc
        from arrow_odbc.text_encoding import TextEncoding

        def asked(schema: pa.Schema) -> pa.Schema:
            if announced is not None:
                announced.append(schema)
            return pa.schema([pa.field(field.name, asked_type(field.type)) for field in schema])

        longest = int(self.connection.options["max_value_length"])
        return read_arrow_batches_from_odbc(
            sql,
            self._address(),
            rows,
            max_bytes_per_batch=_BUFFER_BYTES,
            max_text_size=longest,
            max_binary_size=longest,
            login_timeout_sec=int(self.connection.options["connect_timeout_s"]),
            query_timeout_sec=int(self.connection.options["statement_timeout_s"]),
            map_schema=asked,
            fetch_concurrently=announced is None,
            payload_text_encoding=TextEncoding.UTF16,  # the narrow one is the locale's, and loses what it lacks
        )

    def _batches(self) -> Iterator[list[pa.Array]]:
        # No second reference: the session ends when the reader goes.
        while self._reader is not None and (batch := next(self._reader, None)) is not None:
            yield batch.columns
        self._reader = None

    def _address(self) -> str:
        """The connection string with the login, and with what drivers need to stream, where it says nothing of it."""
        parts = [part for part in (setting_text(self.connection, "connection_string").strip().rstrip(";"),) if part]
        driver = self.connection.first("driver")
        given = ";".join(parts)
        more = {} if driver is None or _has(given, "driver") or _has(given, "dsn") else {"Driver": str(driver)}
        name = driver_name(self.connection).lower()
        for pattern, settings in DRIVER_SETTINGS:
            if re.search(pattern, name):
                longest = self.connection.options["max_value_length"]
                more.update({k: v.format(longest=longest) for k, v in settings.items() if not _has(given, k)})
        if user := self.connection.first("user"):
            more["UID"] = str(user)
        if password := self.connection.secret("password"):
            more["PWD"] = password
        first = [f"Driver={_braced(more.pop('Driver'))}"] if "Driver" in more else []
        written = [f"{key}={self._written(key, value)}" for key, value in more.items()]
        return ";".join([*first, *parts, *written]) + ";"

    def _written(self, key: str, value: str) -> str:
        """A value as the driver reads it. To FreeTDS there are no braces within braces, and all bytes are Latin-1."""
        if not re.search(FREETDS, driver_name(self.connection), re.IGNORECASE):
            return _braced(value)
        if value.isascii() and "}" not in value:
            return _braced(value)
        if not value.isascii() or ";" in value or value[0] in "{ " or value[-1] == " ":
            raise ConfigurationError(
                f"FreeTDS cannot be given this {key}: it has other letters than ASCII's, or }} beside ; or a blank",
                connection=self.connection.name,
                remedy="Choose another one, or another driver",
            )
        return value

    def _missing(self, what: str, remedy: str) -> MissingDriverError:
        return MissingDriverError(what, connection=self.connection.name, remedy=remedy)


def _has(address: str, key: str) -> bool:
    return re.search(rf"(?i)(^|;)\s*{re.escape(key)}\s*=", address) is not None


def _braced(value: str) -> str:
    """A value of a connection string: in braces nothing in it means anything; psqlodbc would read %xx.

    It takes the braces themselves for a part of a user's name, so that plain ones go without.
    """
    return value if re.fullmatch(r"[\w.-]+", value, re.ASCII) else "{" + value.replace("}", "}}") + "}"
