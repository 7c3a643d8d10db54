"""Reads any database through a driver of one of four kinds: ADBC, ODBC, DB-API or JDBC."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.generic import SPEC, dialect_of, method_of
from dvt.connections.generic_errors import translate
from dvt.errors import (
    DvtError,
    TimeoutExceededError,
    UnsupportedError,
)
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.generic_method import Method, Opened, Statement
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation
from dvt.types.generic import Reading


@dataclass
class _Scan:
    """A scan on its way, and whether its rows were all read."""

    method: Method
    is_done: bool = False


class GenericExtractor(CancellableExtractor):
    """Reads one connection. What drivers say of values counts, and what they are known to spoil is asked for otherwise.

    A session whose scan ends early is closed: of drivers nothing else is certain to stop the query.
    """

    spec = SPEC
    whole_because = "of an unknown server it is not known whether its sessions share a snapshot"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._method: Method | None = None
        self._is_over = threading.Event()

    def ping(self) -> str:
        """Connect, log in, and give the version, as far as the driver tells one."""
        method = self._opened()
        with self._guarded(method, "connect", None):
            return method.version()

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, by the driver's description of a result."""
        method = self._opened()
        statement = self._statement(request)
        with self._guarded(method, "describe", request.label):
            columns = method.describe(replace(statement, sql=statement.describing))
        found = [column for column, _ in self._chosen(columns, request)]
        if request.query is not None:
            self._drop()  # the query may run on
        return [_schema(column) for column in found]

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading."""
        method = self._opened()
        self._is_over.clear()
        with self._guarded(method, "extract", request.label):
            opened = method.open(self._statement(request))
        try:
            chosen = self._chosen(opened.columns, request)
            for column, _ in chosen:
                column.require(self.connection.name, request.label)
        except DvtError:
            self._drop()
            raise
        scan = _Scan(method)

        def close() -> None:
            if not scan.is_done and self._method is method:
                self._drop()

        batches = self._batches(scan, opened, chosen, request)
        return RowStream(
            [_schema(column) for column, _ in chosen],
            batches,
            close=close,
            method=method.name,
            how=HowRead(passed_over=self.chosen().passed_over),
        )

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the casts that ODBC drivers may need."""
        return self._statement(request).sql

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows, counted by the database."""
        counted = exp.alias_(exp.Count(this=exp.Star()), "dvt_count", quoted=True)
        sql = exp.select(counted).from_(relation.ast()).sql(dialect=dialect_of(self.connection))
        # Not every driver says of which type a count is.
        with self.scan(ExtractionConfig(query=sql, declared={"dvt_count": "bigint"})) as stream:
            return int(stream.to_table().column(0)[0].as_py())

    def close(self) -> None:
        """End the session, and the query that may still run."""
        self._drop()

    def cancel(self) -> None:
        """End a running scan from another thread: at the server where the driver can, else at the next batch."""
        self._is_cancelled.set()
        if self._method is not None:
            self._method.cancel()

    def _drop(self) -> None:
        method, self._method = self._method, None
        if method is not None:
            with self._guarded(method, "extract", None):
                method.close()

    def _abandon(self, method: Method) -> None:
        """Close a session in which a statement failed: its transaction may be of no more use."""
        if self._method is method:
            self._method = None
        with contextlib.suppress(*method.errors):
            method.close()

    def _opened(self) -> Method:
        self._check()
        if self._method is None:
            method = self._new_method()
            with self._guarded(method, "connect", None):
                method.connect()
            self._method = method
            self._check()  # it was cancelled while it logged in
        return self._method

    def _new_method(self) -> Method:
        return _method(self.connection)

    @contextlib.contextmanager
    def _guarded(self, method: Method, phase: str, label: str | None) -> Iterator[None]:
        """Within it a call may last no longer than allowed, and what the driver raises becomes a dvt error."""
        limit_s = int(self.connection.options["statement_timeout_s"]) if phase == "extract" else 0

        def stop() -> None:
            self._is_over.set()  # a driver may tell of it in a later call
            method.cancel()

        timer = threading.Timer(limit_s, stop) if limit_s else None
        if timer:
            timer.start()
        try:
            yield
        except DvtError as error:
            raise error.at(connection=self.connection.name, relation=label, phase=phase) from error.__cause__
        except method.errors as error:
            self._abandon(method)
            self._check()
            if self._is_over.is_set():
                raise TimeoutExceededError(
                    f"the statement ran longer than {limit_s} s",
                    connection=self.connection.name,
                    relation=label,
                    phase=phase,
                    remedy="Raise dvt.statement_timeout_s",
                ) from error
            raise translate(error, self.connection, phase=phase, relation=label) from error
        finally:
            if timer:
                timer.cancel()

    def _statement(self, request: ExtractionConfig) -> Statement:
        """A relation's columns are named, a user's query is sent as it stands and cut to size here."""
        dialect = dialect_of(self.connection)
        rows, limit = self.batch_rows(request), request.limit
        if request.query is not None:
            if request.predicates or request.order:
                raise UnsupportedError(
                    "conditions and an order are not added to a query",
                    connection=self.connection.name,
                    remedy="Write them into the query",
                )
            text = request.query.strip().rstrip(";")
            text += "\n" if "--" in text else ""  # drivers put their own words behind it
            return Statement(text, text, request.declared, rows, limit, request)
        # Standard SQL has no LIMIT that every database knows: there the rows are cut here.
        sent = request if dialect else replace(request, limit=None)
        nothing = exp.Literal.number(1).eq(exp.Literal.number(0))
        describing = replace(request, predicates=(nothing,), limit=None, order=())
        return Statement(scan_sql(sent, dialect), scan_sql(describing, dialect), request.declared, rows, limit, request)

    def _chosen(self, columns: Sequence[Reading], request: ExtractionConfig) -> list[tuple[Reading, int]]:
        """The wanted columns and their places in the result, under the names that were asked for."""
        if request.columns is None:
            return [(column, index) for index, column in enumerate(columns)]
        if request.query is None and len(columns) == len(request.columns):
            pairs = list(zip(request.columns, range(len(columns)), strict=True))
        else:
            by_name = {column.name: index for index, column in reversed(list(enumerate(columns)))}
            pairs = [(name, by_name.get(name, -1)) for name in request.columns]
        for name, index in pairs:
            # SQLite takes a quoted name that it does not know for a text, and the text for the column's name.
            if index < 0 or columns[index].name.lower().rpartition(".")[2] != name.lower().rpartition(".")[2]:
                raise unknown_column(name, [column.name for column in columns], self.connection.name, request.label)
        return [(replace(columns[index], name=name), index) for name, index in pairs]

    def _batches(
        self, scan: _Scan, opened: Opened, chosen: Sequence[tuple[Reading, int]], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        schema = pa.schema([pa.field(column.name, column.type) for column, _ in chosen])
        left = request.limit
        while left is None or left > 0:
            self._check()
            with self._guarded(scan.method, "extract", request.label):
                arrays = next(opened.batches, None)
                self._check()  # a cancelled query may end without a word
                if arrays is None:
                    scan.is_done = True
                    return
                read = [column.read(arrays[index]) for column, index in chosen]
            batch = pa.RecordBatch.from_arrays(read, schema=schema)
            if left is not None:
                batch = batch.slice(0, left)
                left -= batch.num_rows
            yield batch


def _schema(column: Reading) -> ColumnSchema:
    return ColumnSchema(column.name, column.type, True, column.native)


def _method(connection: Connection) -> Method:
    method, dialect = method_of(connection), dialect_of(connection)
    if method == "adbc":
        from dvt.federation.extractors.generic_adbc import AdbcMethod

        return AdbcMethod(connection, dialect)
    if method == "odbc":
        from dvt.federation.extractors.generic_odbc import OdbcMethod

        return OdbcMethod(connection, dialect)
    if method == "jdbc":
        from dvt.federation.extractors.generic_jdbc import JdbcMethod

        return JdbcMethod(connection, dialect)
    from dvt.federation.extractors.generic_dbapi import DbapiMethod

    return DbapiMethod(connection, dialect)
