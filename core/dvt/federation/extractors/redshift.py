"""Reads Redshift: UNLOAD to Parquet where the output names a bucket, else a cursor on the server."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.redshift import SPEC, connect, end_session, run, translate
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.row_batches import record_batch
from dvt.federation.extractors.s3_parquet import ScanFolders
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.extractors.wrapped_sql import wrapped_sql
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.redshift import RedshiftType, native_type

if TYPE_CHECKING:
    import redshift_connector

    from dvt.federation.extractors.redshift_unload import Unload

_LOG = logging.getLogger(__name__)
# A cluster of one node gives no more rows at once, and says so.
_SINGLE_NODE_ROWS = 1000


class RedshiftExtractor(CancellableExtractor):
    """Reads one Redshift database. All scans are in one transaction, which is one snapshot.

    Where `keeps_snapshot` is taken away, each query ends its own: it sees what others did, and locks nothing.
    """

    keeps_snapshot = True

    spec = SPEC
    whole_because = "the cluster unloads a result in parts of its own"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: redshift_connector.Connection | None = None
        self._backend_pid = 0
        self._in_transaction = False
        self._folders = ScanFolders()
        self._numbers = itertools.count(1)

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        with self._guarded("connect", ""):
            return str(run(self._opened(), "select version()")[0][0])

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, as the server announces them for no rows."""
        return [schema for schema, _ in self._described(self._qualified(request))]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """What the catalogue of the cluster's own tables says; views and external tables are not in it."""
        relation = self._qualified(request).relation
        if relation is None or relation.database not in (None, self.connection.first("dbname", "database")):
            return None
        sql = 'select tbl_rows, size from svv_table_info where "schema" = %s and "table" = %s'
        try:
            with self._guarded("describe", request.label):
                found = run(self._opened(), sql, relation.schema or "public", relation.name)
        except DvtError:
            self._end_transaction()
            return None  # a login that may not see it reads without it
        return TableStatistics(int(found[0][0]), int(found[0][1]) * 2**20) if found else None

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading. UNLOAD is chosen before the first row, when all columns come back exactly."""
        request = self._qualified(request)
        described = self._described(request)
        columns = [column for column, _ in described]
        target = self.connection.options["unload_to"]
        left = [column.name for column, kind in described if not kind.unloads]
        if target and described and not left:
            return self._unloaded(request, described)
        if target and left:
            _LOG.info("%s is read by a cursor: UNLOAD does not write %s exactly", request.label, ", ".join(left))
        return self._fetched(request, columns, [kind.is_padded for _, kind in described])

    def source_sql(self, request: ExtractionConfig) -> str:
        """The query that a cursor, or UNLOAD, is given."""
        return wrapped_sql(self._qualified(request), "redshift")

    def close(self) -> None:
        """End the transaction, which nothing was changed in, and the session."""
        session, self._session, self._in_transaction = self._session, None, False
        try:
            with self._guarded("extract", ""):
                self._folders.remove_all()
        finally:
            if session is not None:
                end_session(session)

    def cancel(self) -> None:
        """End what runs, from another thread: by a session of its own, as dbt-redshift does."""
        self._is_cancelled.set()
        pid = self._backend_pid
        if self._session is None or not pid:
            return
        try:
            other = connect(self.connection)
        except DvtError:
            return  # the server is not there: nothing runs
        try:
            run(other, f"select pg_terminate_backend({int(pid)})")
        finally:
            end_session(other)

    def _opened(self) -> redshift_connector.Connection:
        self._check()
        if self._session is None:
            self._session = connect(self.connection, self._is_cancelled)
            self._backend_pid = int(run(self._session, "select pg_backend_pid()")[0][0])
            self._check()  # it was cancelled while it logged in
        return self._session

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver, the server, S3 or the socket raises becomes a dvt error."""
        self.connection.require_driver()
        import redshift_connector
        from botocore.exceptions import BotoCoreError, ClientError

        # The driver takes a socket that broke for a message that is too short.
        broken = (OSError, AttributeError, ValueError, IndexError, _struct_error())
        try:
            yield
        except (redshift_connector.Error, BotoCoreError, ClientError, *broken) as error:
            self._check()
            self._in_transaction = self._in_transaction and isinstance(error, redshift_connector.Error)
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    def _own(self, relation: Relation) -> Relation:
        schema = relation.schema or self.connection.first("schema")
        return dataclasses.replace(relation, schema=schema)

    def _begin(self) -> redshift_connector.Connection:
        session = self._opened()
        if not self._in_transaction:
            run(session, "begin isolation level serializable")
            self._in_transaction = True
        return session

    def _end_transaction(self) -> None:
        """After an error a transaction is of no more use; the next scan begins another."""
        if self._in_transaction and self._session is not None:
            self._in_transaction = False
            with contextlib.suppress(Exception):
                run(self._session, "rollback")

    def _described(self, request: ExtractionConfig) -> list[tuple[ColumnSchema, RedshiftType]]:
        sql = wrapped_sql(dataclasses.replace(request, limit=0, order=()), "redshift")
        with self._guarded("describe", request.label):
            try:
                cursor = self._begin().cursor()
                cursor.execute(sql)
            except Exception:
                self._end_transaction()
                raise
            fields = list(cursor.ps["row_desc"])
            cursor.close()
        return [self._column(field) for field in fields]

    def _column(self, field: dict[str, Any]) -> tuple[ColumnSchema, RedshiftType]:
        scale = self.connection.options["numeric_scale"]
        kind = native_type(field["type_oid"], field["type_modifier"], scale)
        return ColumnSchema(field["label"].decode(), kind.type, native_type=kind.name), kind

    def _fetched(self, request: ExtractionConfig, columns: list[ColumnSchema], padded: list[bool]) -> RowStream:
        cursor = ServerCursor(self, wrapped_sql(request, "redshift"), self.batch_rows(request), request.label)
        batches = (record_batch(_unpadded(rows, padded), columns) for rows in cursor.rows())
        return RowStream(columns, batches, close=cursor.close, method="cursor_streaming")

    def _unloaded(self, request: ExtractionConfig, described: list[tuple[ColumnSchema, RedshiftType]]) -> RowStream:
        from dvt.federation.extractors.redshift_unload import Unload

        with self._guarded("extract", request.label):
            unload = Unload(self.connection, wrapped_sql(request, "redshift"), described)
            try:
                session = self._begin()
                run(session, unload.sql())
                rows = int(run(session, "select pg_last_unload_count()")[0][0])
            except BaseException:
                self._end_transaction()
                with contextlib.suppress(Exception):
                    unload.folder.remove()
                raise
        columns = [column for column, _ in described]
        batches = self._read(unload, rows, request)
        close = self._folders.remover(unload.folder, lambda: self._guarded("extract", request.label))
        return RowStream(columns, batches, close=close, estimated_row_count=rows, method="unload_parquet")

    def _read(self, unload: Unload, rows: int, request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        read = 0
        with self._guarded("extract", request.label):
            for batch in unload.batches(self.batch_rows(request)):
                self._check()
                read += batch.num_rows
                yield batch
        if read != rows:
            raise DataError(
                f"the server unloaded {rows} rows, {read} were found",
                connection=self.connection.name,
                relation=request.label,
                phase="extract",
                remedy="Run it again; nothing else may use the folder of dvt.unload_to",
            )


class ServerCursor:
    """A cursor on the server that is read in portions; the driver alone would hold the whole result.

    Args:
        owner: The extractor.
        sql: The query.
        rows_at_once: Rows in one portion.
        label: What messages call the relation.
    """

    def __init__(self, owner: RedshiftExtractor, sql: str, rows_at_once: int, label: str) -> None:
        self._owner = owner
        self._sql = sql
        self._rows_at_once = rows_at_once
        self._label = label
        # A name of its own: the driver keeps what it once learned of a statement.
        self._name = f"dvt_{next(owner._numbers)}"
        self._is_open = False

    def rows(self) -> Iterator[list[Any]]:
        """The portions."""
        with self._owner._guarded("extract", self._label):
            try:
                rows = self._first()
                while rows:
                    yield rows
                    self._owner._check()
                    rows = self._next()
                self.close()
            except Exception:
                self._is_open = False
                self._owner._end_transaction()
                raise

    def _first(self) -> list[Any]:
        self._declare()
        try:
            return self._next()
        except Exception as error:
            if "single node" not in str(error) or self._rows_at_once <= _SINGLE_NODE_ROWS:
                raise
        self._owner._end_transaction()
        self._rows_at_once = _SINGLE_NODE_ROWS
        self._name += "_single"
        self._declare()
        return self._next()

    def _declare(self) -> None:
        run(self._owner._begin(), f"declare {self._name} cursor for {self._sql}")
        self._is_open = True

    def _next(self) -> list[Any]:
        return run(self._owner._opened(), f"fetch forward {self._rows_at_once} from {self._name}")

    def close(self) -> None:
        """Free the result that the cluster holds."""
        if self._is_open and self._owner._session is not None and not self._owner._is_cancelled.is_set():
            self._is_open = False
            with self._owner._guarded("extract", self._label):
                run(self._owner._session, f"close {self._name}")
            if not self._owner.keeps_snapshot:
                self._owner._end_transaction()


def _unpadded(rows: list[Any], padded: list[bool]) -> list[Any]:
    places = [index for index, is_padded in enumerate(padded) if is_padded]
    for row in rows if places else ():
        for place in places:
            if row[place] is not None:
                row[place] = row[place].rstrip(" ")
    return rows


def _struct_error() -> type[Exception]:
    import struct

    return struct.error
