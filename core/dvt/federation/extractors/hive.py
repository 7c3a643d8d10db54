"""Reads Hive over HiveServer2: columns as the server sends them, made Arrow column by column."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.hive import SPEC, connect, translate
from dvt.errors import (
    ConnectionLostError,
    DataError,
    DvtError,
    TimeoutExceededError,
    UnsupportedError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import quote

if TYPE_CHECKING:
    from impala.hiveserver2 import HiveServer2Connection, HiveServer2Cursor

    from dvt.federation.extractors.hive_result import HiveColumn

_REMEDY = "Leave the column out, or cast it in a query or a view of the source"
_RUNNING = frozenset({"INITIALIZED_STATE", "PENDING_STATE", "RUNNING_STATE"})
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.01, 0.25


class HiveExtractor(CancellableExtractor):
    """Reads one HiveServer2 in one session. Each statement sees a state of its own."""

    spec = SPEC
    whole_because = "its sessions do not share a snapshot"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: HiveServer2Connection | None = None
        self._cursor: HiveServer2Cursor | None = None
        self._is_spark = False
        self._is_lost = False

    def ping(self) -> str:
        """Connect, log in, and give the server's name and version."""
        self._opened()
        with self._guarded("connect", ""):
            return f"{self._info('CLI_DBMS_NAME')} {self._info('CLI_DBMS_VER')}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give: those of its statement, asked for no rows."""
        empty = dataclasses.replace(request, limit=0, order=())
        with self._executed(self.source_sql(empty), "describe", request.label) as cursor:
            return self._columns(self._found(cursor, request.label), request)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the rows are fetched as they are taken."""
        held = contextlib.ExitStack()
        cursor = held.enter_context(self._executed(self.source_sql(request), "extract", request.label))
        try:
            found = self._found(cursor, request.label)
            columns = self._columns(found, request)
        except BaseException:
            held.close()
            raise
        batches = self._batches(cursor, found, columns, request)
        return RowStream(columns, batches, close=held.close, method="cursor_streaming")

    def shown(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SHOW, which no WITH takes; they are few."""
        from dvt.federation.extractors.hive_result import next_rows

        rows: list[tuple[Any, ...]] = []
        with self._executed(sql, "describe", "") as cursor:
            found = self._found(cursor, "")
            with self._guarded("describe", ""):
                while (sent := next_rows(cursor, found, 1000)) is not None:
                    rows += zip(*(map(_text, part.values) for part in sent), strict=True)
        return rows

    def ran(self, sql: str, phase: str) -> None:
        """Run a statement that gives no rows, to its end."""
        with self._executed(sql, phase, ""):
            pass

    def is_spark(self) -> bool:
        """Whether it is Spark that speaks Hive's protocol."""
        self._opened()
        return self._is_spark

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement that `scan` sends."""
        from dvt.federation.extractors.hive_sql import hive_sql

        return hive_sql(request)

    def askable(self, request: ExtractionConfig) -> ExtractionConfig:
        """The request without what the server takes for a variable."""
        from dvt.federation.extractors.spark_sql import askable

        return askable(request, "hive")

    def close(self) -> None:
        """End the statement that may still run, and the session."""
        session, self._session = self._session, None
        cursor, self._cursor = self._cursor, None
        if cursor is not None and not self._is_lost:
            with contextlib.suppress(DvtError), self._guarded("extract", ""):
                cursor.close()
        if cursor is not None:
            # The client would ask the server once more when it forgets the cursor, and wait for the answer.
            cursor._closed, cursor._last_operation_active = True, False
        if session is not None:
            session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the one that waits for it ends it on the server, within moments."""
        self._is_cancelled.set()

    def _opened(self) -> HiveServer2Cursor:
        self._check()
        if self._cursor is None:
            self._session = connect(self.connection, self._is_cancelled)
            with self._guarded("connect", ""):
                self._cursor = self._session.cursor(
                    user=self.connection.first("user", "username"),
                    convert_types=False,
                    convert_strings_to_unicode=False,
                )
                self._is_spark = "spark" in self._info("CLI_DBMS_NAME").lower()
                self._begin(self._cursor)
            self._check()  # it was cancelled while it logged in
        return self._cursor

    def _begin(self, cursor: HiveServer2Cursor) -> None:
        schema = self.connection.first("schema", "database")
        if schema:
            cursor.execute("use " + quote(str(schema), "hive"))
        if self._is_spark:  # it writes moments in the zone of its session
            cursor.execute("set spark.sql.session.timeZone=UTC")

    def _info(self, name: str) -> str:
        """What the server says of itself."""
        from impala._thrift_gen.TCLIService.ttypes import TGetInfoReq, TGetInfoType

        assert self._cursor is not None, "a session is open"
        own = self._cursor.session
        answer = own.client.GetInfo(TGetInfoReq(sessionHandle=own.handle, infoType=getattr(TGetInfoType, name)))
        return str(answer.infoValue.stringValue)

    @contextlib.contextmanager
    def _executed(self, sql: str, phase: str, label: str) -> Iterator[HiveServer2Cursor]:
        """The cursor over a statement's result; at the end the statement is closed on the server."""
        cursor = self._opened()
        try:
            with self._guarded(phase, label):
                cursor.execute_async(sql)
                self._wait(cursor)
            yield cursor
        finally:
            if not self._is_lost:
                with contextlib.suppress(DvtError), self._guarded(phase, label):
                    cursor.close_operation()

    def _wait(self, cursor: HiveServer2Cursor) -> None:
        """Until the statement has ended, was cancelled, or is out of time."""
        limit_s = int(self.connection.options["statement_timeout_s"])
        started, wait_s = time.monotonic(), _FIRST_WAIT_S
        while cursor.status() in _RUNNING:
            is_late = bool(limit_s) and time.monotonic() - started > limit_s
            if is_late or self._is_cancelled.is_set():
                cursor.cancel_operation(reset_state=False)
                self._check()
                raise TimeoutExceededError(
                    f"the statement ran longer than {limit_s} seconds",
                    connection=self.connection.name,
                    phase="extract",
                    remedy="Raise dvt.statement_timeout_s, or make it quicker",
                )
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _LONGEST_WAIT_S)
        cursor._wait_to_finish()  # it raises the server's error

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the client, Thrift or the socket raises becomes a dvt error."""
        try:
            yield
        except (DvtError, GeneratorExit):
            raise
        except Exception as error:  # Thrift's have no root of their own
            found = translate(error, self.connection, phase=phase, relation=label or None)
            self._is_lost = self._is_lost or isinstance(found, ConnectionLostError)
            self._check()
            raise found from error

    def _columns(self, found: Sequence[HiveColumn], request: ExtractionConfig) -> list[ColumnSchema]:
        from dvt.types.hive import carried, native_name

        columns = []
        names = self._plain_names([column.name for column in found], request)
        for name, column in zip(names, found, strict=True):
            type_ = carried(column.kind, column.precision, column.scale)
            if type_ is None:
                raise UnsupportedError(
                    f"no type carries {column.kind.lower()}",
                    connection=self.connection.name,
                    relation=request.label,
                    column=name,
                    phase="describe",
                    remedy=_REMEDY,
                )
            native = native_name(column.kind, column.precision, column.scale)
            columns.append(ColumnSchema(name, type_, native_type=native))
        return columns

    def _found(self, cursor: HiveServer2Cursor, label: str) -> list[HiveColumn]:
        from dvt.federation.extractors.hive_result import result_columns

        with self._guarded("describe", label):
            return result_columns(cursor)

    def _plain_names(self, names: list[str], request: ExtractionConfig) -> list[str]:
        """Hive puts the relation before the names that a star stands for; Spark does not."""
        prefix = f"{request.relation.name if request.relation else 'dvt_query'}.".lower()
        if self._is_spark or not all(name.lower().startswith(prefix) for name in names):
            return names
        return [name[len(prefix) :] for name in names]

    def _batches(
        self,
        cursor: HiveServer2Cursor,
        found: list[HiveColumn],
        columns: Sequence[ColumnSchema],
        request: ExtractionConfig,
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.hive_result import next_rows

        schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column in columns])
        while True:
            self._check()
            with self._guarded("extract", request.label):
                sent = next_rows(cursor, found, self.batch_rows(request))
            if sent is None:
                return
            arrays = [
                self._array(part, own.kind, column, request)
                for part, own, column in zip(sent, found, columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _array(self, sent: Any, kind: str, column: ColumnSchema, request: ExtractionConfig) -> pa.Array:
        from dvt.types.hive import column_array

        try:
            return column_array(sent.values, sent.nulls.tobytes(), kind, column.type)
        except ValueError as error:
            raise DataError(
                f"a value of type {column.native_type} cannot be carried as {column.type}: {error}",
                connection=self.connection.name,
                relation=request.label,
                column=column.name,
                phase="extract",
                remedy="Cast the column in a query or a view of the source",
            ) from error


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
