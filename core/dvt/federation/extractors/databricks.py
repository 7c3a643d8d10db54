"""Reads Databricks through its SQL connector: Arrow batches, from the answer itself or by links to cloud storage."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.databricks import SPEC, connect
from dvt.connections.databricks_errors import translate
from dvt.connections.databricks_statement import cancel, end
from dvt.errors import DvtError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.stream import ColumnSchema, RowStream

if TYPE_CHECKING:
    from databricks.sql.client import Connection as Session
    from databricks.sql.client import Cursor


class DatabricksExtractor(SessionExtractor["Session"]):
    """Reads one warehouse or cluster. Each statement sees a state of its own."""

    spec = SPEC
    whole_because = "the server itself cuts a result into files"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._running: Cursor | None = None

    def ping(self) -> str:
        """Connect, log in, and give the version of the Spark that answers."""
        with self.extract_stream("select version() as v") as rows:
            batch = rows.read_batch(1)
            assert batch is not None, "it gives one row"
            return f"Databricks (Spark {batch.column(0)[0].as_py()})"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give: those of its statement, asked for no rows."""
        empty = dataclasses.replace(request, limit=0, order=())
        with self._executed(self.source_sql(empty), "describe", request.label) as cursor:
            return self._columns(cursor, request)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; a few files of the result are fetched ahead."""
        held = contextlib.ExitStack()
        cursor = held.enter_context(self._executed(self.source_sql(request), "extract", request.label))
        try:
            columns = self._columns(cursor, request)
        except BaseException:
            held.close()
            raise
        return RowStream(columns, self._batches(cursor, columns, request), close=held.close, method="arrow_streaming")

    def shown(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SHOW, which no WITH takes; they are few."""
        with self._executed(sql, "describe", "") as cursor, self._guarded("describe", ""):
            return [tuple(row) for row in cursor.fetchall()]

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement that `scan` sends."""
        from dvt.federation.extractors.spark_sql import spark_sql

        return spark_sql(request, "databricks")

    def close(self) -> None:
        """End the statement that may still run, and the session."""
        session, self._session = self._session, None
        if session is not None:
            with self._guarded("extract", ""):
                session.close()

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too."""
        self._is_cancelled.set()
        with contextlib.suppress(DvtError), self._guarded("extract", ""):
            cancel(lambda: self._running)

    def _connect(self) -> Session:
        return connect(self.connection, self._is_cancelled)

    @contextlib.contextmanager
    def _executed(self, sql: str, phase: str, label: str) -> Iterator[Cursor]:
        """A cursor over a statement's result; at the end the statement is closed on the server."""
        session = self._opened()
        cursor = session.cursor()
        self._running = cursor
        try:
            with self._guarded(phase, label):
                cursor.execute(sql)
                self._check()
            yield cursor
        finally:
            self._running = None
            with self._guarded(phase, label):
                end(session, cursor)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the connector, HTTP or the socket raises becomes a dvt error."""
        try:
            yield
        except (DvtError, GeneratorExit):
            raise
        except Exception as error:  # the connector raises bare ones for links
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    def _columns(self, cursor: Cursor, request: ExtractionConfig) -> list[ColumnSchema]:
        from dvt.federation.extractors.arrow_columns import ArrowColumn
        from dvt.types.databricks import is_native, native_name, result_schema

        place = {"connection": self.connection.name, "relation": request.label}
        result, described = cursor.active_result_set, cursor.description or []
        fields = list(result_schema(result._arrow_schema_bytes)) if result is not None else []
        columns = []
        for field, (name, announced, *_) in zip(fields, described, strict=True):
            if not is_native(field, announced):
                words = "the server sends no Arrow types"
                raise UnsupportedError(words, column=name, remedy="Use a SQL warehouse, or DBR 10 or newer", **place)
            columns.append(ArrowColumn(name, field.type, native_name(field, announced)).schema(**place))
        return columns

    def _batches(
        self, cursor: Cursor, columns: list[ColumnSchema], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.arrow_columns import carried_batch

        size = self.batch_rows(request)
        place = {"connection": self.connection.name, "relation": request.label}
        while True:
            with self._guarded("extract", request.label):
                table = cursor.fetchmany_arrow(size)
            self._check()
            if table.num_rows == 0:
                return
            for batch in table.combine_chunks().to_batches(max_chunksize=size):
                yield carried_batch(batch, columns, place)
