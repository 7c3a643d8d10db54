"""Reads SQL Server through Microsoft's mssql-python: Arrow batches, fetched as they are wanted."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.retrying import attempts
from dvt.connections.sqlserver import SPEC, cancel, connect, tried_again
from dvt.connections.sqlserver_errors import translate
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.sqlserver_columns import (
    ColumnReader,
    column_readers,
    describe_sql,
    fetch_rows,
    read_batch,
    select_sql,
)
from dvt.federation.extractors.sqlserver_sql import count_sql, primary_key_sql, said_in_tsql, size_sql
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


class SqlServerExtractor(SessionExtractor[Any]):
    """Reads one database. Each scan sees what is committed as it goes, or all see one state: `dvt.isolation`."""

    spec = SPEC
    hash_keys: ClassVar[str] = "TEXT"
    whole_because = "its sessions do not share a snapshot"
    _session: Any

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._cursor: Any = None
        # While a cursor is in the driver it may be cancelled; between two calls there is nothing to cancel, and the
        # driver would read from the connection in two threads.
        self._in_driver = False
        self._lock = threading.Lock()

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        version = self._asked("SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS v", "connect", "")
        return f"SQL Server {version[0][0]}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, as the server describes the statement without running it."""
        return [reader.schema for reader in self._readers(request)]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and bytes in use of a table's heap or clustered index; views, and what is not there, have none."""
        if request.relation is None:
            return None
        found = self._asked(size_sql(self._own(request.relation)), "describe", request.label)
        rows, size = found[0] if found else (None, None)
        return None if rows is None and size is None else TableStatistics(rows, size)

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of a primary key that the server enforces."""
        found = self._asked(primary_key_sql(self._own(relation)), "describe", str(relation))
        return tuple(row[0] for row in found)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server is asked for more rows as batches are taken."""
        readers = self._readers(request)
        is_query = request.query is not None
        for reader in readers:
            reader.require(self.connection, request.label, is_query=is_query)
        if not is_query:
            request = dataclasses.replace(request, columns=tuple(reader.schema.name for reader in readers))
        sql = select_sql(self.source_sql(request), readers, is_query=is_query)
        cursor = self._started(sql, request.label)

        def close() -> None:
            if self._cursor is cursor:
                self._stop()

        columns = [reader.schema for reader in readers]
        return RowStream(columns, self._batches(cursor, readers, request), close=close, method="arrow_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the casts that its columns' types ask for."""
        return scan_sql(said_in_tsql(self._qualified(request)), "tsql")

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows; COUNT alone ends at two thousand millions."""
        return int(self._asked(count_sql(self._own(relation)), "extract", str(relation))[0][0])

    def close(self) -> None:
        """End the query that may still run, and the session."""
        self._stop()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the server is sent an attention."""
        self._is_cancelled.set()
        with self._lock:
            if self._in_driver and self._cursor is not None:
                cancel(self._cursor)

    def _stop(self) -> None:
        """End what runs, and its transaction, in which a scan may hold locks and versions of rows."""
        cursor, self._cursor = self._cursor, None
        if cursor is None:
            return
        with self._lock:
            cancel(cursor)
        import mssql_python

        if self.connection.options["isolation"] == "snapshot":
            with contextlib.suppress(mssql_python.Error, RuntimeError):
                cursor.close()
            return
        try:
            cursor.close()
            self._session.rollback()
        except (mssql_python.Error, RuntimeError):  # it broke: the next scan has a session of its own
            session, self._session = self._session, None
            with contextlib.suppress(mssql_python.Error, RuntimeError):
                session.close()

    def _connect(self) -> Any:
        return connect(self.connection, self._is_cancelled)

    def _own(self, relation: Relation) -> Relation:
        schema = relation.schema or str(self.connection.first("schema", default="dbo"))
        return dataclasses.replace(relation, schema=schema)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver raises becomes a dvt error."""
        import mssql_python

        try:
            yield
        except (mssql_python.Error, mssql_python.Warning, RuntimeError) as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    @contextlib.contextmanager
    def _driving(self) -> Iterator[None]:
        """Within it, the cursor is in the driver and `cancel` reaches it."""
        with self._lock:
            self._check()
            self._in_driver = True
        try:
            yield
        finally:
            with self._lock:
                self._in_driver = False
        self._check()  # a cancelled call may end without a word

    def _started(self, sql: str, label: str) -> Any:
        """A cursor that runs a statement; what may pass in a moment is tried again, before there is a row."""

        def attempt() -> Any:
            session = self._opened()
            with self._guarded("extract", label):
                cursor = self._cursor = session.cursor()
                try:
                    with self._driving():
                        cursor.execute(sql)
                except BaseException:
                    self._stop()
                    raise
            return cursor

        again = tried_again(self.connection)
        return attempts(attempt, again, self.connection, cancelled=self._is_cancelled, phase="extract")

    def _asked(self, sql: str, phase: str, label: str) -> list[Any]:
        """The rows of a small result."""
        session = self._opened()
        with self._guarded(phase, label):
            cursor = self._cursor = session.cursor()
            try:
                with self._driving():
                    return list(cursor.execute(sql).fetchall())
            finally:
                self._stop()

    def _readers(self, request: ExtractionConfig) -> list[ColumnReader]:
        whole = request
        if request.relation is not None:
            whole = ExtractionConfig(relation=request.relation)
        described = self._asked(describe_sql(self.source_sql(whole)), "describe", request.label)
        readers = column_readers(self.connection, described, request.label)
        if request.columns is None or request.query is not None:
            return readers
        known = {reader.schema.name: reader for reader in readers}
        for name in request.columns:
            if name not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return [known[name] for name in request.columns]

    def _batches(
        self, cursor: Any, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        rows = fetch_rows(readers, self.batch_rows(request))
        place = {"connection": self.connection.name, "relation": request.label}
        with self._guarded("extract", request.label):
            while True:
                with self._driving():
                    batch = cursor.arrow_batch(rows)
                if batch.num_rows == 0:
                    return
                yield read_batch(batch, readers, place)
