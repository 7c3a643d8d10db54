"""Reads Snowflake: Arrow chunks of the connector, each cast exactly to what the result's description announced."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.snowflake import SPEC, cancel_all, connect, folded, qualified
from dvt.connections.snowflake_errors import IncompleteError, translate
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.federation.extractors.snowflake_columns import ColumnReader

_QUERY = Relation("DVT_QUERY")


class SnowflakeExtractor(SessionExtractor[Any]):
    """Reads one Snowflake account. Each statement sees a state of its own: there is no snapshot of several."""

    spec = SPEC
    whole_because = "the server itself cuts a result into chunks"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_busy = False

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return f"Snowflake {self._row('SELECT CURRENT_VERSION()', 'connect', 'the version')[0]}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from a description that runs nothing."""
        return [reader.schema for reader in self._readers(self._qualified(request))]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and bytes of a table, which Snowflake always knows; views have none."""
        relation = self._qualified(request).relation
        if relation is None or not relation.schema:
            return None
        tables = Relation("TABLES", "INFORMATION_SCHEMA", relation.database).ast()
        named = [("TABLE_SCHEMA", relation.schema), ("TABLE_NAME", relation.name)]
        columns = [exp.column(name, quoted=True) for name in ("ROW_COUNT", "BYTES")]
        query = exp.select(*columns).from_(tables)
        for name, value in named:
            query = query.where(exp.column(name, quoted=True).eq(exp.Literal.string(value)))
        found = self._row(query.sql(dialect="snowflake"), "describe", request.label)
        return TableStatistics(*(None if number is None else int(number) for number in found)) if found else None

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server has the whole result before its first rows come, and they are fetched in chunks."""
        from dvt.federation.extractors.snowflake_columns import select_sql

        request = self._qualified(request)
        readers = self._readers(request)
        for reader in readers:
            reader.require(self.connection, request.label)
        if request.relation is not None:
            request = dataclasses.replace(request, columns=tuple(reader.schema.name for reader in readers))
        cursor = self._opened().cursor()
        with self._guarded("extract", request.label), self._busy():
            cursor.execute(select_sql(_inner_sql(request), readers))
        self._check()
        columns = [reader.schema for reader in readers]
        batches = self._batches(cursor, readers, request)
        rows = cursor.rowcount
        return RowStream(columns, batches, close=cursor.close, estimated_row_count=rows, method="arrow_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the casts that its columns' types ask for."""
        return _inner_sql(self._qualified(request))

    def landed_name(self, name: str) -> str:
        """In upper case, where the option for names says so."""
        return folded(name, self.connection)

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(*self._errors()):
                session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: whatever its session runs is ended on the server."""
        self._is_cancelled.set()
        session = self._session
        if session is not None and self._is_busy:
            cancel_all(self.connection, session.session_id)

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self._is_busy = True
        try:
            self._check()
            yield
        finally:
            self._is_busy = False

    def _connect(self) -> Any:
        return connect(self.connection, self._is_cancelled)

    def _own(self, relation: Relation) -> Relation:
        return qualified(relation, self.connection)

    def _errors(self) -> tuple[type[Exception], ...]:
        """What the connector and the socket raise; an overflow comes from its decoding of batches."""
        import snowflake.connector

        return (snowflake.connector.Error, OSError, OverflowError, IncompleteError, pa.ArrowException)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the connector or the socket raises becomes a dvt error."""
        try:
            yield
        except self._errors() as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label) from error

    def _row(self, sql: str, phase: str, label: str) -> Any:
        """The first row of a small result, None when there is none."""
        cursor = self._opened().cursor()
        try:
            with self._guarded(phase, label), self._busy():
                return cursor.execute(sql).fetchone()
        finally:
            cursor.close()

    def _readers(self, request: ExtractionConfig) -> list[ColumnReader]:
        from dvt.federation.extractors.snowflake_columns import column_readers, has_vector

        whole = dataclasses.replace(request, columns=None, predicates=(), limit=None)
        cursor = self._opened().cursor()
        try:
            with self._guarded("describe", request.label), self._busy():
                sql = _inner_sql(whole)
                described = cursor.describe(sql) or ()
                if has_vector(described) and hasattr(cursor, "_describe_internal"):
                    # What a vector is made of is left out by the public one.
                    described = cursor._describe_internal(sql)
        finally:
            cursor.close()
        readers = column_readers(self.connection, described)
        if request.columns is None:
            return readers
        known = {reader.schema.name: reader for reader in readers}
        for name in request.columns:
            if name not in known and folded(name, self.connection) not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return [known.get(name) or known[folded(name, self.connection)] for name in request.columns]

    def _batches(
        self, cursor: Any, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.snowflake_chunks import chunk_tables
        from dvt.federation.extractors.snowflake_columns import read_batch

        size = self.batch_rows(request)
        place = {"connection": self.connection.name, "relation": request.label}
        tables = chunk_tables(self._session, cursor)
        try:
            with self._guarded("extract", request.label):
                for table in tables:
                    self._check()
                    for batch in table.to_batches(max_chunksize=size):
                        yield read_batch(batch, readers, place)
        finally:
            tables.close()


def _inner_sql(request: ExtractionConfig) -> str:
    """The statement without casts. A user's query stays letter for letter as it is, in brackets: it can only read."""
    if request.query is None:
        return scan_sql(request, "snowflake")
    outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), "snowflake")
    text = request.query.strip().rstrip(";")
    return " ".join(["WITH", _QUERY.sql("snowflake"), "AS (\n", text, "\n)", outer])
