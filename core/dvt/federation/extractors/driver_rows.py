"""What engines share that are read by a vendor's DB-API module: columns, statements, a cursor's rows, cancelling."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.retrying import Retries, attempts, says
from dvt.errors import DataError, DvtError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.methods import BUFFERED, HELD_IN_MEMORY, STREAMING, Method
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation, quote
from dvt.types.row_reading import RowReading

_QUERY = Relation("dvt_query")
_NEVER = exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(0))


@dataclass(frozen=True)
class RowColumn:
    """A column of a source.

    Args:
        schema: As the stream announces it.
        reading: How it is asked for and read.
        in_star: Whether it is among all columns.
    """

    schema: ColumnSchema
    reading: RowReading
    in_star: bool = True


def column_of(name: str, native: str, reading: RowReading, nullable: bool = True, in_star: bool = True) -> RowColumn:
    """A column by its name and type."""
    return RowColumn(ColumnSchema(name, reading.type, nullable, native), reading, in_star)


class DriverRowsExtractor(SessionExtractor[Any]):
    """Scans by a DB-API cursor, batch by batch. Each statement sees a state of its own."""

    method = "cursor_streaming"
    kinds = frozenset({STREAMING, BUFFERED})
    _session: Any

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_in_driver = False

    @abstractmethod
    def _translated(self, error: Exception, phase: str, label: str) -> DvtError | None:
        """A driver's error as dvt's; None for one that is not the driver's."""

    @abstractmethod
    def _catalogue(self, relation: Relation, label: str) -> Mapping[str, RowColumn]:
        """The columns of a relation; none when there is no such relation."""

    @abstractmethod
    def _of_query(self, query: str, label: str) -> Mapping[str, RowColumn]:
        """The columns of a query, without its rows."""

    def _statements_again(self) -> Retries:
        """What is tried again of a statement that has given no row; nothing, unless an engine says more."""
        return Retries(0, says())

    @abstractmethod
    def _interrupt(self) -> None:
        """End the statement that runs in the driver, from another thread; what it cannot do is no error."""

    def methods(self) -> Sequence[Method]:
        """A cursor's rows as they come, or all of them at once."""
        return (Method(self.method), Method(BUFFERED, BUFFERED, remarks=(HELD_IN_MEMORY,)))

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the catalogue or the cursor."""
        return [column.schema for column in self._columns(request)]

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading."""
        columns = self._columns(request)
        for column in columns:
            if column.reading.refused:
                raise UnsupportedError(
                    column.reading.refused,
                    connection=self.connection.name,
                    relation=request.label,
                    column=column.schema.name,
                    phase="extract",
                )
        return self._stream(self._sql(request, columns), columns, request)

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan; its columns are named, and some asked for in other words, when it runs."""
        return self._sql(request, None)

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(*self._ending_errors()):
                session.close()

    def cancel(self) -> None:
        """End a running scan from another thread."""
        self._is_cancelled.set()
        if self._is_in_driver and self._session is not None:
            self._interrupt()

    @abstractmethod
    def _ending_errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises when a session or a cursor is closed that is broken already."""

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver raises becomes a dvt error."""
        self._is_in_driver = True
        try:
            yield
        except Exception as error:
            translated = self._translated(error, phase, label)
            if translated is None:
                raise
            self._check()
            raise translated from error
        finally:
            self._is_in_driver = False

    def _rows(self, sql: str, phase: str, label: str) -> list[Sequence[Any]]:
        """All rows of a small result."""
        session = self._opened()
        with self._guarded(phase, label), contextlib.closing(session.cursor()) as cursor:
            self._execute(cursor, sql)
            return list(cursor.fetchall())

    def _execute(self, cursor: Any, sql: str) -> None:
        cursor.execute(sql)

    def _columns(self, request: ExtractionConfig) -> list[RowColumn]:
        known = (
            self._catalogue(request.relation, request.label)
            if request.relation is not None
            else self._of_query(_text(request), request.label)
        )
        if not known:
            raise RelationNotFoundError(
                f"there is no relation {request.relation}",
                connection=self.connection.name,
                relation=request.label,
                phase="describe",
                remedy="Check schema and name",
            )
        wanted = request.columns if request.columns is not None else [n for n, c in known.items() if c.in_star]
        for name in wanted:
            if name not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return [known[name] for name in wanted]

    def _sql(self, request: ExtractionConfig, columns: Sequence[RowColumn] | None) -> str:
        """The statement of a scan; a user's query stays letter for letter as it is."""
        dialect = self.connection.dialect
        query = request.query
        asks_more = bool(request.columns is not None or request.predicates or request.limit is not None)
        if query is not None and not asks_more and all(column.reading.is_plain for column in columns or ()):
            return _text(request)
        if request.limit == 0:  # not every server takes a limit of none
            request = replace(request, limit=None, order=(), predicates=(*request.predicates, _NEVER))
        expressions: dict[str, exp.Expr] = {}
        if columns is not None:
            request = replace(request, columns=tuple(column.schema.name for column in columns))
            expressions = {
                column.schema.name: exp.Var(this=column.reading.sql(quote(column.schema.name, dialect)))
                for column in columns
                if not column.reading.is_plain
            }
        outer = replace(request, query=None, relation=request.relation or _QUERY)
        sql = scan_sql(outer, dialect, expressions)
        if query is None:
            return sql
        return " ".join(["WITH", _QUERY.sql(dialect), "AS (\n" + _text(request) + "\n)", sql])

    def _stream(self, sql: str, columns: Sequence[RowColumn], request: ExtractionConfig) -> RowStream:
        chosen = self.chosen()

        def attempt() -> tuple[Any, Sequence[Any] | None]:
            session = self._opened()
            with self._guarded("extract", request.label):
                cursor = session.cursor()
                try:
                    self._execute(cursor, sql)
                    return cursor, cursor.fetchall() if chosen.method == BUFFERED else None
                except BaseException:
                    self._let_go(cursor)
                    raise

        again = self._statements_again()
        cursor, held = attempts(attempt, again, self.connection, cancelled=self._is_cancelled, phase="extract")
        batches = self._batches(cursor, columns, request, held)
        return RowStream(
            [column.schema for column in columns],
            batches,
            close=lambda: self._let_go(cursor),
            method=chosen.method,
            how=HowRead(passed_over=chosen.passed_over),
        )

    def _let_go(self, cursor: Any) -> None:
        """Close a cursor, which may be of a session that has ended."""
        with contextlib.suppress(*self._ending_errors()):
            cursor.close()

    def _batches(
        self, cursor: Any, columns: Sequence[RowColumn], request: ExtractionConfig, held: Sequence[Any] | None
    ) -> Generator[pa.RecordBatch, None, None]:
        """The rows of a cursor, or those that were held, in batches."""
        size, first_row = self.batch_rows(request), 1
        while True:
            self._check()
            with self._guarded("extract", request.label):
                rows = cursor.fetchmany(size) if held is None else held[first_row - 1 : first_row - 1 + size]
            self._check()  # a statement that was ended may end without a word
            if not rows:
                return
            yield self._batch(rows, columns, request, first_row)
            first_row += len(rows)

    def _batch(
        self, rows: Sequence[Sequence[Any]], columns: Sequence[RowColumn], request: ExtractionConfig, first_row: int
    ) -> pa.RecordBatch:
        arrays = [
            self._array([row[index] for row in rows], column, request, first_row)
            for index, column in enumerate(columns)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(columns))

    def _array(self, values: Sequence[Any], column: RowColumn, request: ExtractionConfig, first_row: int) -> pa.Array:
        try:
            return column.reading.array(values)
        except ValueError as error:
            index, value, own = _first_refused(values, column.reading, error)
            shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
            raise DataError(
                f"the value {shown} of type {column.schema.native_type} is not carried as {column.schema.type}: {own}",
                connection=self.connection.name,
                relation=request.label,
                column=column.schema.name,
                rows=f"row {first_row + index} of the scan",
                phase="extract",
                remedy=self._remedy(column),
            ) from error

    def _remedy(self, column: RowColumn) -> str:
        return "Cast the column at the source, in a query or a view"


def arrow_schema(columns: Sequence[RowColumn]) -> pa.Schema:
    """The schema of batches of these columns."""
    return pa.schema([pa.field(c.schema.name, c.schema.type, c.schema.nullable) for c in columns])


def text_literal(text: str, dialect: str) -> str:
    """A text as a literal of a catalogue query."""
    return exp.Literal.string(text).sql(dialect=dialect)


def _text(request: ExtractionConfig) -> str:
    return (request.query or "").strip().rstrip(";")


def _first_refused(values: Sequence[Any], reading: RowReading, error: ValueError) -> tuple[int, Any, ValueError]:
    for index, value in enumerate(values):
        try:
            reading.array([value])
        except ValueError as own:
            return index, value, own
    return 0, values[0], error
