"""Reads Exasol: the server exports CSV through a tunnel, which becomes Arrow by the types of the statement."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.exasol import SPEC, connect
from dvt.connections.exasol_errors import CutOffError, translate
from dvt.errors import ConnectionLostError, DataError, QueryError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.exasol import Reading, column, reading

if TYPE_CHECKING:
    from pyexasol import ExaConnection

    from dvt.federation.extractors.exasol_export import Export

_QUERY = Relation("dvt_query")
_SHOWN_CHARACTERS = 60
_DIGITS_OF_A_CONSTANT = 18


class ExasolExtractor(SessionExtractor["ExaConnection"]):
    """Reads one Exasol cluster, a statement at a time; each sees a state of its own."""

    spec = SPEC
    whole_because = "its sessions do not share a snapshot"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._running: Export | None = None

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return f"Exasol {self._opened().login_info.get('releaseVersion', '')}".strip()

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the statement as the server prepares it."""
        return [schema for schema, _ in self._columns(request)]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and bytes as the catalogue has them; None for views and queries."""
        relation = self._qualified(request).relation
        if relation is None or not relation.schema:
            return None
        place = [exp.Literal.string(part).sql(dialect="exasol") for part in (relation.schema, relation.name)]
        rows = "SELECT TABLE_ROW_COUNT FROM EXA_ALL_TABLES WHERE TABLE_SCHEMA ="
        session = self._opened()
        with self._guarded("describe", request.label):
            found = session.execute(" ".join([rows, place[0], "AND TABLE_NAME =", place[1]])).fetchone()
        return None if found is None or found[0] is None else TableStatistics(int(found[0]), None)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server writes rows as they are taken."""
        columns = self._columns(request)
        for schema, how in columns:
            if how.type is None:
                raise UnsupportedError(
                    f"no type carries {how.native}",
                    connection=self.connection.name,
                    relation=request.label,
                    column=schema.name,
                    phase="extract",
                    remedy="Leave the column out, or cast it in a query or a view",
                )
        from dvt.federation.extractors.exasol_export import Export

        session = self._opened()
        export = self._running = Export(session, self.source_sql(request))
        self._check()  # it was cancelled while there was nothing to cancel
        schemas = [schema for schema, _ in columns]
        batches = self._batches(export, columns, request)
        return RowStream(schemas, batches, close=export.stop, method="csv_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement that is exported. A user's query stays letter for letter as it is."""
        request = self._qualified(request)
        for predicate in request.predicates:
            self._require_short(predicate, request.label)
        if request.query is None:
            return scan_sql(request, "exasol")
        text = request.query.strip().rstrip(";")
        if not (request.columns or request.predicates or request.limit is not None):
            return text
        outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), "exasol")
        return " ".join(["WITH", _QUERY.sql("exasol"), "AS (\n", text, "\n)", outer])

    def _require_short(self, predicate: exp.Expr, label: str) -> None:
        """Raise where a constant is so long that Exasol would compare it as a double."""
        for number in predicate.find_all(exp.Literal):
            if not number.is_string and len(re.sub(r"\D", "", number.this)) > _DIGITS_OF_A_CONSTANT:
                raise UnsupportedError(
                    f"Exasol does not compare exactly with {number.this}",
                    connection=self.connection.name,
                    relation=label,
                    phase="extract",
                    remedy="Set `pushdown: off` in dvt.yml for this query, or use a shorter constant",
                )

    def close(self) -> None:
        """End the export that may still run, and the session."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
        session, self._session = self._session, None
        if session is not None and not session.is_closed:
            with contextlib.suppress(Exception):  # it is gone already
                session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the statement is aborted on the server."""
        self._is_cancelled.set()
        running = self._running
        if running is not None:
            running.stop()

    def _connect(self) -> ExaConnection:
        return connect(self.connection, self._is_cancelled)

    def _opened(self) -> ExaConnection:
        if self._session is not None and self._session.is_closed:
            self._session = None
        return super()._opened()

    def _check(self) -> None:
        if self._is_cancelled.is_set() and self._running is not None:
            self._running.stop()
        super()._check()

    def _own(self, relation: Relation) -> Relation:
        return dataclasses.replace(relation, schema=relation.schema or self.connection.first("schema"))

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str | None) -> Iterator[None]:
        """Within it, what the driver, the server or the socket raises becomes a dvt error."""
        import pyexasol

        from dvt.connections.exasol_tunnel import StoppedError

        try:
            yield
        except (pyexasol.ExaError, OSError, CutOffError, StoppedError, pa.ArrowInvalid) as error:
            self._check()
            told = translate(error, self.connection, phase=phase, relation=label)
            if isinstance(told, ConnectionLostError):
                self._session = None  # the next statement logs in again
            raise told from error

    def _columns(self, request: ExtractionConfig) -> list[tuple[ColumnSchema, Reading]]:
        session = self._opened()
        with self._guarded("describe", request.label):
            statement = session.create_prepared_statement(self.source_sql(request))
            announced = list(statement.columns().items())
            statement.close()
        if not announced:
            raise QueryError(
                "the statement gives no rows", connection=self.connection.name, relation=request.label, phase="describe"
            )
        found = [(name, reading(type_)) for name, type_ in announced]
        return [(ColumnSchema(name, how.type or pa.string(), True, how.native), how) for name, how in found]

    def _batches(
        self, export: Export, columns: Sequence[tuple[ColumnSchema, Reading]], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.batching import of_size

        names = [schema.name for schema, _ in columns]
        longest = sum(how.longest_bytes + 3 for _, how in columns)
        place = {"connection": self.connection.name, "relation": request.label}
        try:
            with self._guarded("extract", request.label):
                texts = export.batches(names, longest)
                for batch in of_size((_converted(text, columns, place) for text in texts), self.batch_rows(request)):
                    self._check()  # what had arrived is no answer any more
                    yield batch
        finally:
            export.stop()


def _converted(
    batch: pa.RecordBatch, columns: Sequence[tuple[ColumnSchema, Reading]], place: dict[str, str]
) -> pa.RecordBatch:
    arrays = []
    for texts, (schema, how) in zip(batch.columns, columns, strict=True):
        try:
            arrays.append(column(texts, how))
        except ValueError as error:
            raise _refusal(texts, schema, how, error).at(**place) from error
    fields = [pa.field(schema.name, schema.type) for schema, _ in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _refusal(texts: pa.Array, schema: ColumnSchema, how: Reading, error: ValueError) -> DataError:
    shown = "a value"
    for index in range(len(texts)):
        try:
            column(texts.slice(index, 1), how)
        except ValueError as own:
            shown, error = f"value '{texts[index].as_py()[:_SHOWN_CHARACTERS]}'", own
            break
    return DataError(
        f"{shown} of type {how.native} cannot be carried as {schema.type}: {error}",
        column=schema.name,
        phase="extract",
        remedy="Cast the column in a query or a view of the source",
    )
