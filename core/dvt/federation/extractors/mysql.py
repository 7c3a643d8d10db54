"""Reads MySQL and MariaDB: unbuffered results, decoded by column, within one consistent snapshot."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC, default_database, open_session, spec_for
from dvt.connections.mysql_errors import ServerError, translating
from dvt.connections.spec import ConnectionSpec
from dvt.errors import QueryError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.methods import BUFFERED, HELD_IN_MEMORY, STREAMING, Method, PassedOver
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.connections.mysql_session import Session
    from dvt.federation.extractors.mysql_parallel import ParallelRows
    from dvt.federation.extractors.mysql_values import ColumnReader
    from dvt.federation.hashing.words import HashWords

_NO_SUCH_FUNCTION = 1305
_LATER = (
    "the session's snapshot began with its first scan: other sessions share that of a table only if it is locked then"
)
_ONE_RESULT = "a result that is held in memory comes through one session"


class MySQLExtractor(SessionExtractor["Session"]):
    """Reads one MySQL or MariaDB server.

    All scans run in one read-only transaction with a consistent snapshot, which InnoDB tables honour. It begins when
    the session does; where the first scan is read in parts, it begins anew, together with those of its sessions.
    """

    spec = SPEC
    whole_because = ""
    kinds = frozenset({STREAMING, BUFFERED})

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._parallel: ParallelRows | None = None
        self._has_scanned = False
        self._has_md5: bool | None = None

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec under the name "mysql" or "mariadb"."""
        return spec_for(type_)

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return self._opened().server.version

    def methods(self) -> Sequence[Method]:
        """Rows as the server sends them, or all of them before the first is given."""
        return (Method("cursor_streaming"), Method(BUFFERED, BUFFERED, remarks=(HELD_IN_MEMORY,)))

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the catalogue or the result's field descriptions."""
        request = self._qualified(request)
        session = self._opened()
        with self._guarded("describe", request.label):
            if request.relation is not None:
                return [reader.schema for reader in self._relation_readers(session, request)]
            return [reader.schema for reader in self._described(session, scan_sql(request, "mysql"))]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows and bytes as the storage engine last estimated them."""
        from dvt.federation.extractors.mysql_schema import table_statistics

        relation = self._qualified(request).relation
        if relation is None:
            return None
        session = self._opened()
        with self._guarded("describe", request.label):
            return table_statistics(session, relation)

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the primary key, from the catalogue."""
        from dvt.federation.extractors.mysql_schema import primary_key

        own, session = self._own(relation), self._opened()
        with self._guarded("describe", str(own)):
            return primary_key(session, own)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server sends rows as they are taken."""
        request = self._qualified(request)
        chosen, session, reason = self.chosen(), self._opened(), ""
        with self._guarded("extract", request.label):
            if chosen.method == BUFFERED:
                reason = _ONE_RESULT if self.parts_wanted(request) > 1 else ""
            elif self.parts_wanted(request) > 1:
                stream, reason = self._in_parts(session, request, chosen.passed_over)
                if stream is not None:
                    return stream
            self._has_scanned = True
            readers = self._started(session, request)
        batches: Iterator[pa.RecordBatch] = self._batches(session, readers, request)
        if chosen.method == BUFFERED:
            batches = iter(list(batches))
        return RowStream(
            [reader.schema for reader in readers],
            batches,
            close=session.stop_reading,
            method=chosen.method,
            how=HowRead(1, reason, chosen.passed_over),
        )

    def _in_parts(
        self, session: Session, request: ExtractionConfig, passed: tuple[PassedOver, ...]
    ) -> tuple[RowStream | None, str]:
        """The rows read by several sessions, or why not."""
        from dvt.federation.extractors.mysql_parallel import OneSnapshot, ParallelRows
        from dvt.federation.extractors.mysql_split import parts_of

        if self._has_scanned:
            return None, _LATER
        ranges, reason = parts_of(session, request, self.parts_wanted(request), self.connection)
        if not ranges or request.relation is None:
            return None, reason
        snapshot = OneSnapshot(self.connection, session, request.relation, len(ranges))
        if snapshot.refusal:
            return None, snapshot.refusal
        self._has_scanned = True
        try:
            readers = self._relation_readers(session, request)
            for one, part in zip(snapshot.sessions, ranges, strict=True):
                of_part = dataclasses.replace(request, predicates=(*request.predicates, part))
                one.open(_exact_sql(of_part, readers))
            parallel = self._parallel = ParallelRows(
                snapshot.sessions, lambda one: self._batches(one, readers, request)
            )
            self._check()  # it was cancelled while they began, when `cancel` did not know of them
        except BaseException:
            self._end_parts()
            snapshot.close()
            raise
        columns = [reader.schema for reader in readers]
        how = HowRead(len(ranges), "", passed)
        return RowStream(columns, parallel.batches(), close=self._end_parts, how=how), ""

    def _end_parts(self) -> None:
        parallel, self._parallel = self._parallel, None
        if parallel is not None:
            parallel.close()

    def hash_words(self) -> HashWords | None:
        """None where the server has no MD5: MySQL 9.6 and later keep it in a component that is to be installed."""
        session = self._opened()
        if self._has_md5 is None:
            with self._guarded("extract", None):
                self._has_md5 = _knows_md5(session)
        return super().hash_words() if self._has_md5 else None

    def close(self) -> None:
        """End the session, and on the server the query that it may still run."""
        self._end_parts()
        session, self._session = self._session, None
        if session is None or session.is_closed:
            return
        try:
            if not self._is_cancelled.is_set():
                session.stop_reading()
        finally:
            session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the session is killed on the server."""
        self._is_cancelled.set()
        session, parallel = self._session, self._parallel
        if parallel is not None:
            parallel.cancel()
        if session is not None:
            session.kill("connection")

    def _connect(self) -> Session:
        session = open_session(self.connection, default_database(self.connection), self._is_cancelled)
        try:
            with self._guarded("connect", None):
                session.run("set session transaction isolation level repeatable read")
                session.run("start transaction with consistent snapshot, read only")
        except BaseException:
            session.close()
            raise
        self._has_scanned, self._has_md5 = False, None
        return session

    def _own(self, relation: Relation) -> Relation:
        return relation if relation.schema else dataclasses.replace(relation, schema=default_database(self.connection))

    def _guarded(self, phase: str, label: str | None) -> AbstractContextManager[None]:
        return translating(self.connection, phase, label, self._is_cancelled)

    def _relation_readers(self, session: Session, request: ExtractionConfig) -> list[ColumnReader]:
        from dvt.federation.extractors.mysql_schema import catalogue, relation_readers

        assert request.relation is not None
        columns = catalogue(session, request.relation)
        return relation_readers(self.connection, columns, request.columns, request.relation)

    def _described(self, session: Session, sql: str) -> list[ColumnReader]:
        """A query's columns: it is run for no rows, and stopped where its own LIMIT asks for some."""
        session.run("set session sql_select_limit = 0")
        try:
            return self._query_readers(session, sql)
        finally:
            session.stop_reading()
            session.run("set session sql_select_limit = default")

    def _query_readers(self, session: Session, sql: str) -> list[ColumnReader]:
        from dvt.federation.extractors.mysql_schema import field_readers

        fields = session.open(sql)
        if not fields:
            raise QueryError("the statement gives no rows", remedy="Give a query that returns rows")
        return field_readers(self.connection, fields)

    def _started(self, session: Session, request: ExtractionConfig) -> list[ColumnReader]:
        """Send the statement whose text of every value is exact; gives the readers of its columns."""
        from dvt.federation.extractors.mysql_schema import exact_expressions

        is_query = request.relation is None
        if is_query:
            readers = self._query_readers(session, scan_sql(request, "mysql"))
        else:
            readers = self._relation_readers(session, request)
        expressions = exact_expressions(readers)
        if is_query and not expressions:
            return readers
        names = tuple(reader.schema.name for reader in readers)
        if is_query:
            session.stop_reading()
            if len(set(names)) < len(names):
                raise QueryError(
                    "a FLOAT column in a result with two columns of one name cannot be read exactly",
                    column=next(iter(expressions)),
                    remedy="Give the columns different names, or cast this one to double",
                )
        session.open(_exact_sql(request, readers))
        return readers

    def _batches(
        self, session: Session, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        from dvt.federation.extractors.mysql_arrays import decoder_of

        schema = pa.schema([pa.field(r.schema.name, r.schema.type, r.schema.nullable) for r in readers])
        decoded = decoder_of(readers, is_native=bool(self.connection.options["native"]))
        with self._guarded("extract", request.label):
            for rows in session.fetched(self.batch_rows(request)):
                self._check()
                yield pa.RecordBatch.from_arrays(decoded(rows), schema=schema)


def _knows_md5(session: Session) -> bool:
    try:
        session.rows("select md5('')")
    except ServerError as error:
        if error.errno == _NO_SUCH_FUNCTION:
            return False
        raise
    return True


def _exact_sql(request: ExtractionConfig, readers: Sequence[ColumnReader]) -> str:
    """The statement in whose result the text of every value is exact."""
    from dvt.federation.extractors.mysql_schema import exact_expressions

    names = tuple(reader.schema.name for reader in readers)
    return scan_sql(dataclasses.replace(request, columns=names), "mysql", exact_expressions(readers))
