"""Reads Spark over Spark Connect: Arrow batches as the server makes them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.spark import SPEC, connect, limit_s, run, translate
from dvt.errors import DvtError, TimeoutExceededError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.stream import ColumnSchema, RowStream

if TYPE_CHECKING:
    from pyspark.sql.connect.client import SparkConnectClient

    from dvt.federation.extractors.spark_columns import SparkColumn


class SparkExtractor(SessionExtractor["SparkConnectClient"]):
    """Reads one Spark Connect server, in a session of its own. Each statement sees a state of its own."""

    spec = SPEC
    whole_because = "it reads with tasks of its own"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_running = False
        self._is_late = threading.Event()

    @classmethod
    def over(cls, connection: Connection, client: SparkConnectClient) -> SparkExtractor:
        """An extractor in a session that is another's, who ends it."""
        made = cls(connection)
        made._session = client
        return made

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        client = self._opened()
        with self._guarded("connect", ""):
            return f"Spark {client._analyze(method='spark_version').spark_version}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, as the server analyses its statement."""
        return [column.schema for column in self._columns(self.source_sql(request), request)]

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server makes batches as they are taken."""
        from dvt.federation.extractors.spark_columns import asked_sql

        sql = self.source_sql(request)
        columns = self._columns(sql, request)
        for column in columns:
            column.require(self.connection, request.label)
        held = contextlib.ExitStack()
        held.callback(self._stop)
        batches = self._batches(asked_sql(sql, columns), columns, request)
        return RowStream([c.schema for c in columns], batches, close=held.close, method="arrow_streaming")

    def shown(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SHOW, which no WITH takes; they are few."""
        client = self._opened()
        with self._guarded("describe", ""):
            return [tuple(row.values()) for row in run(client, sql).to_pylist()]

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without what its columns' types ask for."""
        from dvt.federation.extractors.spark_sql import spark_sql

        return spark_sql(request, "spark")

    def askable(self, request: ExtractionConfig) -> ExtractionConfig:
        """The request without what the server takes for a variable."""
        from dvt.federation.extractors.spark_sql import askable

        return askable(request, "spark")

    def close(self) -> None:
        """End the statement that may still run, and the session."""
        self._stop()
        client, self._session = self._session, None
        if client is not None:
            with contextlib.suppress(DvtError), self._guarded("extract", ""):
                client.release_session()
            client.close()

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too."""
        self._is_cancelled.set()
        self._stop()

    def _stop(self) -> None:
        """End what runs in the session, on the server."""
        if self._is_running and self._session is not None:
            self._is_running = False
            with contextlib.suppress(DvtError), self._guarded("extract", ""):
                self._session.interrupt_all()

    def _connect(self) -> SparkConnectClient:
        return connect(self.connection, self._is_cancelled)

    def _check(self) -> None:
        super()._check()
        if self._is_late.is_set():
            self._is_late.clear()
            raise TimeoutExceededError(
                f"the statement ran longer than {limit_s(self.connection)} seconds",
                connection=self.connection.name,
                phase="extract",
                remedy="Raise dvt.statement_timeout_s or query_timeout, or make it quicker",
            )

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the client or gRPC raises becomes a dvt error."""
        try:
            yield
        except (DvtError, GeneratorExit):
            raise
        except Exception as error:  # gRPC's have no root of their own
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    def _columns(self, sql: str, request: ExtractionConfig) -> list[SparkColumn]:
        from dvt.federation.extractors.spark_columns import SparkColumn

        client = self._opened()
        from pyspark.sql.connect.plan import SQL

        with self._guarded("describe", request.label):
            fields = client.schema(SQL(sql).to_proto(client)).fields
        return [SparkColumn.of(field.name, field.dataType) for field in fields]

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Within it a statement is ended when its time is over."""
        seconds = limit_s(self.connection)
        self._is_running = True
        timer = threading.Timer(seconds, self._end_late) if seconds else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _end_late(self) -> None:
        self._is_late.set()
        self._stop()

    def _batches(
        self, sql: str, columns: Sequence[SparkColumn], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from pyspark.sql.connect.plan import SQL

        from dvt.federation.extractors.spark_columns import read_batch

        client, size = self._opened(), self.batch_rows(request)
        place = {"connection": self.connection.name, "relation": request.label}
        with self._guarded("extract", request.label), self._limited():
            answers = client.to_table_as_iterator(SQL(sql).to_proto(client), {})
            with contextlib.closing(answers):
                for answer in answers:
                    self._check()
                    if not isinstance(answer, pa.Table):
                        continue  # the schema, which is known
                    for batch in answer.to_batches(max_chunksize=size):
                        yield read_batch(batch, columns, place)
            self._is_running = False
        self._check()
