"""Reads Trino: spooled segments where the server has them, else the pages of its answers, as Arrow."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.trino import SPEC, connect
from dvt.connections.trino_errors import CutOffError, translate
from dvt.connections.trino_statement import Cancelled, Statement
from dvt.errors import QueryError, RelationNotFoundError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.stream import RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from trino.client import TrinoRequest

    from dvt.connections.trino import TrinoLogin
    from dvt.federation.extractors.trino_columns import ColumnReader
    from dvt.federation.stream import ColumnSchema

_QUERY = Relation("dvt_query")


class TrinoExtractor(CancellableExtractor):
    """Reads one Trino coordinator. Each statement sees a state of its own: there is no snapshot of several."""

    spec = SPEC
    whole_because = "the server itself cuts a result into segments"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._login: TrinoLogin | None = None
        self._running: Statement | None = None

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return f"Trino {self.asked('select version()', 'connect')[0][0]}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the plan of the statement for no rows."""
        return [reader.schema for reader in self._readers(request)]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows as the connector's statistics have them; None where it has none, as for views."""
        if request.relation is None:
            return None
        try:
            rows = self.asked("show stats for " + request.relation.sql("trino"), "describe", request.label)
        except QueryError:  # it is a view, or it is not there
            return None
        count = next((row[4] for row in rows if row[0] is None), None)
        return TableStatistics(None if count is None else int(float(count)), None)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server makes rows as they are taken."""
        from dvt.federation.extractors.trino_columns import select_sql

        readers = self._readers(request)
        for reader in readers:
            reader.require(self.connection, request.label)
        statement = self._statement(select_sql(_inner_sql(request), readers))
        with self._guarded("extract", request.label):
            try:
                announced = statement.columns()
            except BaseException:
                statement.close()
                raise
        self._require_same(announced, readers, request)
        columns = [reader.schema for reader in readers]
        batches = self._batches(statement, readers, request)
        return RowStream(columns, batches, close=statement.close, method="arrow_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the zone in which instants are asked for."""
        return _inner_sql(request)

    def close(self) -> None:
        """End the statement that may still run, and the session."""
        running, self._running = self._running, None
        if running is not None:
            running.close()
        login, self._login = self._login, None
        if login is not None:
            login.http.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the query is cancelled on the server."""
        self._is_cancelled.set()
        running = self._running
        if running is not None:
            running.cancel()

    def _opened(self) -> TrinoRequest:
        self._check()
        if self._login is None:
            self._login = connect(self.connection)
        return self._login.request

    def _statement(self, sql: str) -> Statement:
        self._running = Statement(self._opened(), sql)
        self._check()  # it was cancelled while there was nothing to cancel
        return self._running

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str | None) -> Iterator[None]:
        """Within it, what the client, the server or the socket raises becomes a dvt error."""
        import requests
        from trino.exceptions import Error, HttpError

        try:
            yield
        except (Error, HttpError, requests.RequestException, OSError, CutOffError, Cancelled) as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label) from error

    def asked(self, sql: str, phase: str, label: str | None = None) -> list[list[Any]]:
        """The rows of a small result."""
        statement = self._statement(sql)
        with self._guarded(phase, label):
            try:
                readers = self._described(statement)
                batches = list(self._segments(statement, readers, {}).batches(statement.pages()))
            finally:
                statement.close()
        return [list(row.values()) for batch in batches for row in batch.to_pylist()]

    def _described(self, statement: Statement) -> list[ColumnReader]:
        from dvt.federation.extractors.trino_columns import column_readers

        return column_readers(statement.columns())

    def _readers(self, request: ExtractionConfig) -> list[ColumnReader]:
        """The readers of a request's columns, in its order."""
        bare = dataclasses.replace(request, predicates=(), order=(), limit=0)
        statement = self._statement(_inner_sql(bare))
        with self._guarded("describe", request.label):
            try:
                readers = self._described(statement)
                for _ in statement.pages():  # there are no rows; the server hears that it is over
                    pass
            finally:
                statement.close()
        if not readers:
            raise QueryError(
                "the statement gives no rows", connection=self.connection.name, relation=request.label, phase="describe"
            )
        return readers

    def _require_same(
        self, announced: Sequence[dict[str, Any]], readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> None:
        from dvt.federation.extractors.trino_columns import column_readers

        found = [reader.reading for reader in column_readers(announced)]
        if found != [reader.reading for reader in readers]:
            self._running = None
            raise RelationNotFoundError(
                "its columns changed while it was asked for them",
                connection=self.connection.name,
                relation=request.label,
                phase="extract",
                remedy="Run it again",
            )

    def _segments(self, statement: Statement, readers: Sequence[ColumnReader], place: dict[str, Any]) -> Any:
        from dvt.connections.trino_login import headers, verification
        from dvt.federation.extractors.trino_columns import record_batch
        from dvt.federation.extractors.trino_segments import Segments

        return Segments(
            lambda rows: record_batch(rows, readers, place),
            self._check,
            threads=int(self.connection.options["download_threads"]),
            retries=self._opened().max_attempts,
            verify=verification(self.connection),
            host=str(self.connection.first("host")),
            headers=headers(self.connection),
        )

    def _batches(
        self, statement: Statement, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.batching import of_size

        place = {"connection": self.connection.name, "relation": request.label}
        batches = self._segments(statement, readers, place).batches(statement.pages())
        try:
            with self._guarded("extract", request.label):
                yield from of_size(batches, self.batch_rows(request))
                self._check()
        finally:
            batches.close()
            statement.close()


def _inner_sql(request: ExtractionConfig) -> str:
    """The statement in which nothing is cast. A user's query stays letter for letter as it is."""
    from dvt.federation.extractors.trino_columns import worded

    request = dataclasses.replace(request, predicates=tuple(worded(p) for p in request.predicates))
    if request.query is None:
        return scan_sql(request, "trino")
    text = request.query.strip().rstrip(";")
    if not (request.columns or request.predicates or request.limit is not None):
        return text
    outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), "trino")
    return " ".join(["WITH", _QUERY.sql("trino"), "AS (\n", text, "\n)", outer])
