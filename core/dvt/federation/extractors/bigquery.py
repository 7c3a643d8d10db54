"""Reads BigQuery: tables by the Storage Read API, everything else as a query's result by the same."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.bigquery import SPEC, connect, job_config, qualified, read_client, table_path, timeout_s, translate
from dvt.connections.connection import Connection
from dvt.errors import InterruptedRunError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.federation.extractors.bigquery_columns import ColumnReader
    from dvt.federation.extractors.bigquery_streams import SessionReader

_QUERY = Relation("dvt_query")
# What the Storage Read API reads by itself; views and external tables are queried.
_SESSION_S = 120.0
_READABLE = frozenset({"TABLE", "SNAPSHOT", "CLONE"})


class BigQueryExtractor(CancellableExtractor):
    """Reads one BigQuery project. A scan sees one state; two scans see two."""

    spec = SPEC
    whole_because = "a session of the Storage API has streams of its own"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._client: Any = None
        self._running: Any = None

    def ping(self) -> str:
        """Log in, and have a query checked that runs nothing; BigQuery has no version, its client has one."""
        client = self._opened()
        from google.cloud.bigquery import __version__

        with self._guarded("connect", client.project):
            self._job("SELECT 1 AS one", dry_run=True)
        return f"BigQuery (project {client.project}, google-cloud-bigquery {__version__})"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the table's schema or a dry run."""
        return [reader.schema for reader in self._readers(self._qualified(request))[0]]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and bytes of a table; views have none."""
        relation = self._qualified(request).relation
        if relation is None:
            return None
        with self._guarded("describe", request.label):
            table = self._opened().get_table(_reference(relation), retry=self._retry())
        return TableStatistics(table.num_rows, table.num_bytes) if table.table_type in _READABLE else None

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; a limit without an order ends the streams of a table early."""
        request = self._qualified(request)
        readers, table = self._readers(request)
        for reader in readers:
            reader.require(self.connection, request.label)
        request = self._in_words(request, readers, table)
        columns = tuple(reader.schema.name for reader in readers)
        is_direct = table is not None and table.table_type in _READABLE and not (request.order and request.limit)
        if is_direct and request.relation is not None:
            source = self._session(request.relation, columns, request)
        else:
            whole = request if request.query else dataclasses.replace(request, columns=columns)
            source = self._session(self._result(whole), columns)
        batches = self._batches(source, readers, request)
        return RowStream([reader.schema for reader in readers], batches, close=source.close, method="arrow_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement that stands for a scan; a table's columns and conditions go to the Storage Read API."""
        return _inner_sql(self._qualified(request))

    def close(self) -> None:
        """End what runs, and the session."""
        self._stop()
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def cancel(self) -> None:
        """End a running scan from another thread: its job is cancelled, its streams are closed."""
        self._is_cancelled.set()
        self._stop()

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(*self._errors()):
                running()

    def _opened(self) -> Any:
        self._check()
        if self._client is None:
            self._client = connect(self.connection)
        return self._client

    def _own(self, relation: Relation) -> Relation:
        return qualified(relation, self.connection)

    def _errors(self) -> tuple[type[BaseException], ...]:
        """What Google's clients, gRPC and the socket raise."""
        import concurrent.futures

        import google.api_core.exceptions
        import google.auth.exceptions
        import grpc
        import requests

        google_s = (google.api_core.exceptions.GoogleAPIError, google.auth.exceptions.GoogleAuthError)
        return (*google_s, grpc.RpcError, requests.RequestException, OSError, concurrent.futures.TimeoutError)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what Google's clients or the socket raise becomes a dvt error."""
        try:
            yield
        except InterruptedRunError:
            self._check()  # who cancelled is told so, with the connection's name
            raise
        except self._errors() as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label) from error

    def _job(self, sql: str, *, dry_run: bool = False) -> Any:
        """A query that has been sent; `job_retries` and its deadline are the output's."""
        from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY

        first = self.connection.first
        retries = int(first("job_retries", "retries", default=1))
        return self._opened().query(
            sql,
            job_config=job_config(self.connection, dry_run=dry_run),
            job_id_prefix="dvt_",
            retry=self._retry() if retries else None,
            job_retry=DEFAULT_JOB_RETRY if retries and not dry_run else None,
            timeout=float(first("job_creation_timeout_seconds", default=60)),
        )

    def _retry(self) -> Any:
        """Requests that fail for a passing reason are sent again, for ten minutes if the client had its way."""
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        limit_s = self.connection.first(
            "job_retry_deadline_seconds", default=self.connection.options["connect_timeout_s"]
        )
        return DEFAULT_RETRY.with_timeout(float(limit_s))

    def _readers(self, request: ExtractionConfig) -> tuple[list[ColumnReader], Any]:
        """Readers of the wanted columns, and the client's table when the request names one."""
        from dvt.federation.extractors.bigquery_columns import column_readers

        client, table = self._opened(), None
        with self._guarded("describe", request.label):
            if request.relation is not None:
                table = client.get_table(_reference(request.relation), retry=self._retry())
                fields = table.schema
            else:
                job = self._job(_text(request), dry_run=True)
                fields = job.schema or ()
                if job.statement_type != "SELECT":
                    raise UnsupportedError(
                        f"the statement is a {job.statement_type}, and only queries are read",
                        connection=self.connection.name,
                        phase="describe",
                    )
        known = column_readers(self.connection, fields)
        for name in request.columns or ():
            if name not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return [known[name] for name in request.columns or known], table

    def _in_words(self, request: ExtractionConfig, readers: Sequence[ColumnReader], table: Any) -> ExtractionConfig:
        from dvt.federation.extractors.bigquery_words import in_words

        fields = {field.name: field for field in table.schema} if table else {r.schema.name: r.field for r in readers}
        return dataclasses.replace(request, predicates=tuple(in_words(p, fields) for p in request.predicates))

    def _result(self, request: ExtractionConfig) -> Relation:
        """The table in which a query's result stands, for a day."""
        with self._guarded("extract", request.label):
            job = self._job(_inner_sql(request))
            self._running = job.cancel
            self._check()
            job.result(max_results=0, timeout=timeout_s(self.connection))
            self._check()
        self._running = None
        found = job.destination
        return Relation(found.table_id, found.dataset_id, found.project)

    def _session(
        self, relation: Relation, columns: Sequence[str], request: ExtractionConfig | None = None
    ) -> SessionReader:
        """A read session over a table; conditions go to the server as text."""
        from google.api_core.exceptions import ServiceUnavailable
        from google.api_core.retry import Retry, if_exception_type
        from google.cloud.bigquery_storage_v1 import types

        from dvt.federation.extractors.bigquery_streams import SessionReader

        options = types.ReadSession.TableReadOptions(
            selected_fields=list(columns),
            arrow_serialization_options=types.ArrowSerializationOptions(
                buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
            ),
        )
        if request is not None and request.predicates:
            options.row_restriction = " AND ".join(f"({p.sql(dialect='bigquery')})" for p in request.predicates)
        client = self._opened()
        label = request.label if request is not None else "query"
        with self._guarded("extract", label):
            reader = read_client(self.connection, client._credentials)
            try:
                session = reader.create_read_session(
                    parent=f"projects/{client.project}",
                    read_session=types.ReadSession(
                        table=table_path(relation), data_format=types.DataFormat.ARROW, read_options=options
                    ),
                    max_stream_count=int(self.connection.options["read_streams"]),
                    retry=Retry(
                        predicate=if_exception_type(ServiceUnavailable),
                        timeout=float(self.connection.options["connect_timeout_s"]),
                    ),
                    timeout=_SESSION_S,
                )
            except BaseException:
                reader.transport.close()
                raise
        source = SessionReader(reader, session)
        self._running = source.close
        if self._is_cancelled.is_set():
            source.close()
            self._check()
        return source

    def _batches(
        self, source: SessionReader, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.bigquery_columns import read_batch

        size, left = self.batch_rows(request), request.limit
        place = {"connection": self.connection.name, "relation": request.label}
        if left == 0:
            return
        with self._guarded("extract", request.label):
            for whole in source.batches():
                batch = whole if left is None else whole.slice(0, left)
                for start in range(0, batch.num_rows, size):
                    yield read_batch(batch.slice(start, size), readers, place)
                left = None if left is None else left - batch.num_rows
                if left == 0:
                    break
        self._check()
        self._running = None


def _reference(relation: Relation) -> Any:
    from google.cloud.bigquery import DatasetReference, TableReference

    return TableReference(DatasetReference(str(relation.database), str(relation.schema)), relation.name)


def _text(request: ExtractionConfig) -> str:
    return (request.query or "").strip().rstrip(";")


def _inner_sql(request: ExtractionConfig) -> str:
    """The statement of a request. A user's query stays letter for letter as it is."""
    if request.query is None:
        return scan_sql(request, "bigquery")
    if not (request.columns or request.predicates or request.limit is not None):
        return _text(request)
    outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), "bigquery")
    return " ".join(["WITH", _QUERY.sql("bigquery"), "AS (\n", _text(request), "\n)", outer])
