"""Reads ClickHouse over HTTP: Arrow as the server streams it, each value cast there where Arrow would change it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.clickhouse import (
    SPEC,
    connect,
    default_database,
    kill,
    new_query_id,
    statement_settings,
    tried_again,
)
from dvt.connections.clickhouse_errors import CutOffError, ServerError, is_busy, translate
from dvt.connections.connection import Connection
from dvt.connections.retrying import attempts
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from dvt.federation.extractors.clickhouse_columns import ColumnReader
    from dvt.federation.extractors.clickhouse_stream import ArrowBody

_QUERY = Relation("dvt_query")


class ClickHouseExtractor(SessionExtractor["Client"]):
    """Reads one ClickHouse server. Each statement sees a state of its own: ClickHouse has no snapshot of several."""

    spec = SPEC
    whole_because = "each of its statements sees a state of its own"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._running: tuple[str, ArrowBody | None] | None = None

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return f"ClickHouse {self._opened().server_version}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from DESCRIBE."""
        return [reader.schema for reader in self._readers(self._qualified(request))]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and compressed bytes of the active parts; tables that are kept elsewhere, and views, have none."""
        relation = self._qualified(request).relation
        if relation is None:
            return None
        sql = "SELECT total_rows, total_bytes FROM system.tables WHERE database = {d:String} AND name = {t:String}"
        parameters = {"d": relation.schema, "t": relation.name}
        found = self._asked(f"{sql} FORMAT TSV", "describe", request.label, parameters).split()
        numbers = [int(text) if text.isdigit() else None for text in found]
        return TableStatistics(*numbers) if len(numbers) == 2 else None

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server sends blocks as they are taken."""
        request = self._qualified(request)
        readers = self._readers(request)
        for reader in readers:
            reader.require(self.connection, request.label)
        if request.relation is not None:
            request = dataclasses.replace(request, columns=tuple(reader.schema.name for reader in readers))
        from dvt.federation.extractors.clickhouse_columns import select_sql

        return self._stream(select_sql(_inner_sql(request), readers), readers, request)

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the casts that its columns' types ask for."""
        return _inner_sql(self._qualified(request))

    def close(self) -> None:
        """End the query that may still run, and the session."""
        self._stop()
        client, self._session = self._session, None
        if client is not None:
            client.close()

    def cancel(self) -> None:
        """End a running scan from another thread: its query is killed on the server."""
        self._is_cancelled.set()
        self._stop()

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is None or self._session is None:
            return
        query_id, body = running
        kill(self._session, query_id)
        if body is not None:
            body.cut()

    def _connect(self) -> Client:
        return connect(self.connection, self._is_cancelled)

    def _own(self, relation: Relation) -> Relation:
        return relation if relation.schema else dataclasses.replace(relation, schema=default_database(self.connection))

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver, the server or the socket raises becomes a dvt error."""
        import urllib3
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except (ClickHouseError, urllib3.exceptions.HTTPError, OSError, ServerError, CutOffError) as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label) from error

    def _asked(self, sql: str, phase: str, label: str, parameters: dict[str, Any] | None = None) -> str:
        """The text of a small result."""
        client = self._opened()
        settings = statement_settings(self.connection, new_query_id())
        with self._running_query(settings["query_id"]), self._guarded(phase, label):
            answer: bytes = client.raw_query(sql, parameters=parameters, settings=settings)
            return answer.decode()

    @contextlib.contextmanager
    def _running_query(self, query_id: str) -> Iterator[None]:
        self._running = (query_id, None)
        try:
            yield
        finally:
            self._running = None

    def _readers(self, request: ExtractionConfig) -> list[ColumnReader]:
        from dvt.federation.extractors.clickhouse_columns import column_readers

        what = request.relation.sql("clickhouse") if request.relation else f"(\n{_text(request)}\n)"
        described = self._asked(f"DESCRIBE TABLE {what} FORMAT JSONCompact", "describe", request.label)
        known = column_readers(self.connection, described)
        wanted = request.columns or [name for name, reader in known.items() if reader.in_star]
        for name in wanted:
            if name not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return [known[name] for name in wanted]

    def _stream(self, sql: str, readers: Sequence[ColumnReader], request: ExtractionConfig) -> RowStream:
        from dvt.federation.extractors.clickhouse_stream import ArrowBody

        def attempt() -> tuple[str, ArrowBody]:
            client = self._opened()
            settings = statement_settings(self.connection, new_query_id(), self.batch_rows(request))
            query_id = settings["query_id"]
            with self._guarded("extract", request.label):
                try:
                    self._running = (query_id, None)
                    body = ArrowBody(client.raw_stream(sql, settings=settings, fmt="ArrowStream"))
                    self._running = (query_id, body)
                    self._check()
                except BaseException:
                    self._running = None
                    raise
            return query_id, body

        again = tried_again(self.connection, is_busy)
        query_id, body = attempts(attempt, again, self.connection, cancelled=self._is_cancelled, phase="extract")

        def close() -> None:
            if self._running is not None and self._running[0] == query_id:
                self._stop()
            body.close()

        columns = [reader.schema for reader in readers]
        return RowStream(columns, self._batches(body, readers, request), close=close, method="arrow_streaming")

    def _batches(
        self, body: ArrowBody, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.clickhouse_columns import read_batch

        size = self.batch_rows(request)
        place = {"connection": self.connection.name, "relation": request.label}
        with self._guarded("extract", request.label):
            for batch in body.batches():
                for start in range(0, batch.num_rows, size):
                    yield read_batch(batch.slice(start, size), readers, place)
        self._check()  # a killed query may end without a word
        self._running = None


def _text(request: ExtractionConfig) -> str:
    return (request.query or "").strip().rstrip(";")


def _inner_sql(request: ExtractionConfig) -> str:
    """The statement without casts. A user's query stays letter for letter as it is."""
    if request.query is None:
        return scan_sql(request, "clickhouse")
    if not (request.columns or request.predicates or request.limit is not None):
        return _text(request)
    outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), "clickhouse")
    return " ".join(["WITH", _QUERY.sql("clickhouse"), "AS (\n", _text(request), "\n)", outer])
