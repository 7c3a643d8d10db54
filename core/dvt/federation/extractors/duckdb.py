"""Reads DuckDB files through the database instance that dbt-duckdb uses in the same process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.duckdb import SPEC, connect, translate
from dvt.connections.duckdb_retries import querying_again
from dvt.connections.retrying import Retries, attempts, says
from dvt.errors import DvtError, TimeoutExceededError, UnsupportedError
from dvt.federation.duckdb_result import DuckDBResult, describe_result, native_columns, open_result
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    import duckdb


class DuckDBExtractor(BaseExtractor):
    """One session; the first statement begins the transaction whose snapshot all scans see."""

    spec = SPEC
    whole_because = "it reads with threads of its own"
    _session: duckdb.DuckDBPyConnection | None = None
    _is_in_transaction = False
    _has_scanned = False

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_cancelled = threading.Event()

    def ping(self) -> str:
        """DuckDB's version, after opening the file."""
        with self._errors("connect", None):
            # fetchall: a result that is not drained keeps the session busy.
            version = self._begun().execute("select version()").fetchall()[0][0]
        return f"DuckDB {version}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns, from binding the statement."""
        with self._errors("describe", request):
            return describe_result(self._begun(), self._sql(request))

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """The catalogue's number of rows; DuckDB does not say how large one table is."""
        relation = request.relation
        if relation is None:
            return None
        with self._errors("describe", request):
            found = (
                self._begun()
                .execute(
                    "select estimated_size from duckdb_tables() where lower(table_name) = lower(?) "
                    "and lower(schema_name) = lower(coalesce(?, current_schema())) "
                    "and lower(database_name) = lower(coalesce(?, current_database()))",
                    [relation.name, relation.schema, relation.database],
                )
                .fetchall()
            )
        return TableStatistics(rows=int(found[0][0])) if found and found[0][0] is not None else None

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the primary key, from the catalogue."""
        with self._errors("describe", ExtractionConfig(relation=relation)):
            found = (
                self._begun()
                .execute(
                    "select constraint_column_names from duckdb_constraints() where constraint_type = 'PRIMARY KEY' "
                    "and lower(table_name) = lower(?) and lower(schema_name) = lower(coalesce(?, current_schema())) "
                    "and lower(database_name) = lower(coalesce(?, current_database()))",
                    [relation.name, relation.schema, relation.database],
                )
                .fetchall()
            )
        return tuple(found[0][0]) if found else ()

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Stream the statement's result as Arrow."""

        def attempt() -> DuckDBResult:
            with self._errors("extract", request):
                return open_result(self._begun(), self._sql(request), self.batch_rows(request))

        # A statement that fails ends the transaction: a session's second scan would see another state than its first.
        again = Retries(0, says()) if self._has_scanned else querying_again(self.connection)
        result = attempts(attempt, again, self.connection, cancelled=self._is_cancelled, phase="extract")
        self._has_scanned = True
        return RowStream(result.columns, self._batches(result, request), close=result.close, method="arrow_streaming")

    def cancel(self) -> None:
        """Interrupt the running statement, or the waiting for another attempt; the session can still be closed."""
        self._is_cancelled.set()
        self._interrupt()

    def _interrupt(self) -> None:
        if self._session is not None:
            self._session.interrupt()

    def close(self) -> None:
        """End the transaction and the session."""
        session, self._session = self._session, None
        self._is_in_transaction = self._has_scanned = False
        if session is not None:
            session.close()

    def _begun(self) -> duckdb.DuckDBPyConnection:
        if self._session is None:
            self._session = connect(self.connection, writable=False, cancelled=self._is_cancelled)
        if not self._is_in_transaction:
            self._session.begin()
            self._is_in_transaction = True
        return self._session

    def _sql(self, request: ExtractionConfig) -> str:
        if request.query is not None:
            self._check_query(request)
        elif request.columns is None:
            # Named columns, so that a column that is added between two statements changes nothing.
            names = native_columns(self._begun(), scan_sql(replace(request, predicates=(), limit=None), "duckdb"))
            request = replace(request, columns=tuple(name for name, _ in names))
        return scan_sql(request, "duckdb")

    def _check_query(self, request: ExtractionConfig) -> None:
        """One statement that reads: DuckDB would run any other at once, while its result is bound."""
        import duckdb

        statements = duckdb.extract_statements(request.query or "")
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UnsupportedError(
                "the query is not one SELECT",
                connection=self.connection.name,
                relation=request.label,
                remedy="Give one query that returns rows",
            )

    def _batches(self, result: DuckDBResult, request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        while True:
            with self._errors("extract", request):
                batch = result.next_batch()
            if batch is None:
                return
            yield batch

    @contextlib.contextmanager
    def _errors(self, phase: str, request: ExtractionConfig | None) -> Iterator[None]:
        """Run driver calls under the statement timeout; an error ends the transaction and is translated."""
        import duckdb

        label = request.label if request else None
        limit_s = int(self.connection.options["statement_timeout_s"])
        is_over = threading.Event()

        def interrupt() -> None:
            is_over.set()
            self._interrupt()

        timer = threading.Timer(limit_s, interrupt) if limit_s else None
        if timer:
            timer.start()
        try:
            yield
        except DvtError:
            raise
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            self.close()  # DuckDB refuses everything but a rollback in a transaction that failed
            if is_over.is_set():
                raise TimeoutExceededError(
                    f"the statement ran longer than {limit_s} s",
                    connection=self.connection.name,
                    relation=label,
                    phase=phase,
                    remedy="Raise dvt.statement_timeout_s",
                ) from error
            raise translate(error, self.connection, relation=label, phase=phase) from error
        finally:
            if timer:
                timer.cancel()
