"""Reads Vertica: the driver's stream of rows, their bytes made into Arrow column by column."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.vertica import SPEC, connect, end_session, run, translate
from dvt.errors import DataError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.wrapped_sql import wrapped_sql
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.vertica import VerticaColumn, vertica_column

if TYPE_CHECKING:
    import vertica_python


class VerticaExtractor(SessionExtractor["vertica_python.Connection"]):
    """Reads one Vertica database. Each statement sees what was committed when it began."""

    spec = SPEC
    whole_because = "its sessions do not share a snapshot"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_streaming = False

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        with self._guarded("connect", ""):
            return str(run(self._opened(), "select version()")[0][0])

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, as the server announces them for no rows."""
        request = dataclasses.replace(self._qualified(request), limit=0, order=())
        with self._guarded("describe", request.label):
            cursor = self._executed(wrapped_sql(request, "postgres"))
            found = _columns(cursor)
            cursor.fetchall()
        return [schema for schema, _ in found]

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server sends rows as they are taken."""
        request = self._qualified(request)
        with self._guarded("extract", request.label):
            cursor = self._executed(wrapped_sql(request, "postgres"))
            self._is_streaming = True
            found = _columns(cursor)
        for schema, column in found:
            if column.refused:
                self._stop()
                raise UnsupportedError(
                    f"no value of type {column.name} is read: {column.refused}",
                    connection=self.connection.name,
                    relation=request.label,
                    column=schema.name,
                    remedy="Cast the column at the source, in a query or a view",
                )
        batches = self._batches(cursor, found, request)
        return RowStream([schema for schema, _ in found], batches, close=self._stop, method="cursor_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan."""
        return wrapped_sql(self._qualified(request), "postgres")

    def close(self) -> None:
        """End what still runs, and the session."""
        self._stop()
        session, self._session = self._session, None
        if session is not None:
            end_session(session)

    def cancel(self) -> None:
        """End a running scan from another thread, by the protocol's request over a connection of its own."""
        self._is_cancelled.set()
        if self._session is not None:
            _request_end(self._session)

    def _stop(self) -> None:
        """End a result that is not read to its end: the server is told, and what it still sends is not waited for."""
        if not self._is_streaming:
            return
        self._is_streaming = False
        session, self._session = self._session, None
        if session is not None:
            _request_end(session)
            end_session(session)

    def _connect(self) -> vertica_python.Connection:
        return connect(self.connection, self._is_cancelled)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver, the server or the socket raises becomes a dvt error."""
        self.connection.require_driver()
        import vertica_python

        try:
            yield
        except (vertica_python.Error, OSError, ValueError, AttributeError) as error:
            self._is_streaming = False
            if self._session is not None and self._session.closed():
                self._session = None
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    def _own(self, relation: Relation) -> Relation:
        return dataclasses.replace(relation, schema=relation.schema or self.connection.first("schema"))

    def _executed(self, sql: str) -> Any:
        cursor = self._opened().cursor()
        cursor.disable_sqldata_converter = True
        cursor.execute(sql)
        if cursor.description is None:  # a statement that is no query
            cursor.fetchall()
        return cursor

    def _batches(
        self, cursor: Any, found: Sequence[tuple[ColumnSchema, VerticaColumn]], request: ExtractionConfig
    ) -> Iterator[pa.RecordBatch]:
        size = self.batch_rows(request)
        schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column, _ in found])
        while True:
            with self._guarded("extract", request.label):
                rows = cursor.fetchmany(size)
            self._check()  # a cancelled query may end without a word
            if not rows:
                break
            arrays = [_array([row[at] for row in rows], *column) for at, column in enumerate(found)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        self._is_streaming = False


def _columns(cursor: Any) -> list[tuple[ColumnSchema, VerticaColumn]]:
    found = []
    for column in cursor.description or ():
        read = vertica_column(column.type_code, column.type_name, column.precision, column.scale, column.format_code)
        found.append((ColumnSchema(column.name, read.type, native_type=read.name), read))
    return found


def _array(values: list[Any], schema: ColumnSchema, column: VerticaColumn) -> pa.Array:
    try:
        return column.read(values, column.type)
    except (ValueError, OverflowError, ArithmeticError) as error:
        raise DataError(
            f"a value of type {column.name} is not carried as {column.type}: {error}",
            column=schema.name,
            phase="extract",
            remedy="Cast the column at the source, in a query or a view",
        ) from error


def _request_end(session: vertica_python.Connection) -> None:
    import vertica_python

    if session.closed():
        return
    try:
        session.cancel()
    except (vertica_python.Error, OSError):
        return  # the server is not there: nothing runs
