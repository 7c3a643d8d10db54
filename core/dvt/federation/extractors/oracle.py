"""Reads Oracle through python-oracledb: Arrow frames, fetched as they are wanted, in one read-only transaction."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.oracle import SPEC, connect, default_schema, folded, translate
from dvt.errors import DvtError, PrivilegeError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.oracle_columns import (
    ColumnReader,
    column_readers,
    read_batch,
    said_in_oracle,
    select_sql,
)
from dvt.federation.extractors.oracle_split import (
    PRIMARY_KEY,
    UNASKED,
    AsOf,
    LeadingState,
    ParallelFrames,
    close_all,
    leading_state,
    parts_of,
)
from dvt.federation.extractors.scan_sql import count_sql, scan_sql
from dvt.federation.extractors.sessions import SessionExtractor
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema, HowRead, RowStream
from dvt.identifiers import Relation

_QUERY = Relation("DVT_QUERY")
_CHARSET = "SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'"
_STATISTICS = "SELECT num_rows, avg_row_len FROM all_tables WHERE owner = :owner AND table_name = :name"


class OracleExtractor(SessionExtractor[Any]):
    """Reads one Oracle database. All scans of an instance see the state in which the first one began."""

    spec = SPEC
    hash_keys: ClassVar[str] = "TEXT"
    whole_because = ""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._parallel: ParallelFrames | None = None
        self._state: LeadingState | None = None
        self._is_running = False
        self._charset = ""

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        return f"Oracle {self._opened().version}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the description of a query that gives no rows."""
        return [reader.schema for reader in self._readers(self._qualified(request))]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """What the last DBMS_STATS found; views have none."""
        relation = self._qualified(request).relation
        if relation is None:
            return None
        found, _ = self._asked(_STATISTICS, request.label, owner=relation.schema, name=relation.name)
        if not found or found[0][0] is None:
            return None
        rows, row_bytes = (int(value or 0) for value in found[0])
        return TableStatistics(rows, rows * row_bytes)

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of an enabled, validated key that is checked with each statement."""
        own = self._own(relation)
        found, _ = self._asked(PRIMARY_KEY, str(relation), owner=own.schema, name=own.name)
        return tuple(row[0] for row in found)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading; the server is asked for more rows as batches are taken."""
        request = self._qualified(request)
        readers = self._readers(request)
        state = self._fixed_state(request)
        for reader in readers:
            reader.require(self.connection, request.label)
        if request.relation is not None:
            request = dataclasses.replace(request, columns=tuple(reader.schema.name for reader in readers))
        columns, reason = [reader.schema for reader in readers], ""
        if self.parts_wanted(request) > 1:
            parts, reason = self._in_parts(request, readers, state)
            if parts:
                self._parallel = parallel = ParallelFrames(*zip(*parts, strict=True))
                close, how = self._end_parts, HowRead(len(parts))
                return RowStream(columns, parallel.batches(), close=close, method="arrow_streaming", how=how)
        batches = self._batches(self._opened(), select_sql(_inner_sql(request), readers), readers, request)
        return RowStream(columns, batches, method="arrow_streaming", how=HowRead(1, reason))

    def _fixed_state(self, request: ExtractionConfig) -> LeadingState:
        """The state of the session, whose SCN is found before its first scan where parts may be asked for."""
        self._opened()
        if self._state is None:
            self._state = self._leading_state(request) if self.parts_wanted(request) > 1 else UNASKED
        return self._state

    def _leading_state(self, request: ExtractionConfig) -> LeadingState:
        try:
            return leading_state(lambda sql: self._asked(sql, request.label)[0], self._begin_anew)
        except DvtError as error:
            self._check()
            return LeadingState(None, f"the state of a session is not told: {error.message}")

    def _in_parts(
        self, request: ExtractionConfig, readers: Sequence[ColumnReader], state: LeadingState
    ) -> tuple[list[tuple[Any, Iterator[pa.RecordBatch]]], str]:
        """Sessions with the batches of each part, or why there is but one."""

        def ask(sql: str, **bound: Any) -> list[Any]:
            return self._asked(sql, request.label, **bound)[0]

        def describe(name: str) -> ColumnSchema:
            return self._readers(dataclasses.replace(request, columns=(name,)))[0].schema

        ranges, reason = parts_of(ask, request, self.parts_wanted(request), describe)
        if not ranges or request.relation is None:
            return [], reason
        if state.scn is None:
            return [], state.reason
        then = AsOf(request.relation.name, request.relation.schema, scn=state.scn)
        sessions: list[Any] = []
        parts: list[tuple[Any, Iterator[pa.RecordBatch]]] = []
        try:
            for part in ranges:
                sessions.append(connect(self.connection))
                of_part = dataclasses.replace(request, relation=then, predicates=(*request.predicates, part))
                sql = select_sql(_inner_sql(of_part), readers)
                parts.append((sessions[-1], self._batches(sessions[-1], sql, readers, request)))
            # What the login may not read in a past state is read in this one, by the leader.
            probe = exp.Select().select(exp.Literal.number(1)).from_(then.ast()).where("1 = 0")
            with self._guarded("extract", request.label), sessions[0].cursor() as cursor:
                cursor.execute(probe.sql(dialect="oracle"))
        except PrivilegeError:
            close_all(sessions)
            return [], "the login may not read it AS OF an SCN"
        except BaseException:
            close_all(sessions)
            raise
        return parts, ""

    def _begin_anew(self) -> None:
        session = self._opened()
        session.rollback()
        with session.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")

    def _end_parts(self) -> None:
        parallel, self._parallel = self._parallel, None
        if parallel is not None:
            parallel.close()

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the conversions that its columns' types ask for."""
        return _inner_sql(self._qualified(request))

    def landed_name(self, name: str) -> str:
        """In upper case, where the option for names says so."""
        return folded(name) if self.connection.options["names_as"] == "folded" else name

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows."""
        self._fixed_state(ExtractionConfig(relation=relation))
        rows, _ = self._asked(count_sql(self._own(relation), "oracle"), str(relation))
        return int(rows[0][0])

    def close(self) -> None:
        """End the session, and its transaction."""
        self._end_parts()
        session, self._session = self._session, None
        if session is not None:
            import oracledb

            with contextlib.suppress(oracledb.Error, OSError):
                session.close()

    def cancel(self) -> None:
        """End a running scan from another thread: the server is sent a break."""
        self._is_cancelled.set()
        session, parallel = self._session, self._parallel
        if parallel is not None:
            parallel.cancel()
        if session is not None and self._is_running:
            import oracledb

            with contextlib.suppress(oracledb.Error, OSError):
                session.cancel()

    def _connect(self) -> Any:
        self._state = None
        return connect(self.connection)

    def _own(self, relation: Relation) -> Relation:
        """A relation by the names that the catalogue has."""
        name, schema = relation.name, relation.schema or default_schema(self.connection)
        is_folded = self.connection.options["names_as"] == "folded"
        return Relation(folded(name), folded(schema)) if is_folded else Relation(name, schema)

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what the driver raises becomes a dvt error."""
        import oracledb

        self._is_running = True
        try:
            yield
        except (oracledb.Error, OSError) as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error
        finally:
            self._is_running = False

    def _asked(self, sql: str, label: str, **bound: Any) -> tuple[list[Any], Any]:
        """The rows of a small result, and its description."""
        session = self._opened()
        with self._guarded("describe", label), session.cursor() as cursor:
            cursor.execute(sql, **bound)
            return cursor.fetchall(), cursor.description

    def _readers(self, request: ExtractionConfig) -> list[ColumnReader]:
        if not self._charset:
            self._charset = str(self._asked(_CHARSET, request.label)[0][0][0])
        what = request.relation.sql("oracle") if request.relation else f"(\n{_text(request)}\n)"
        _, description = self._asked(" ".join(["SELECT * FROM", what, "WHERE 1 = 0"]), request.label)
        readers = column_readers(self.connection, description, self._charset)
        known = {reader.schema.name: reader for reader in readers}
        for name in request.columns or ():
            if name not in known:
                raise unknown_column(name, known, self.connection.name, request.label)
        return readers if request.columns is None else [known[name] for name in request.columns]

    def _batches(
        self, session: Any, sql: str, readers: Sequence[ColumnReader], request: ExtractionConfig
    ) -> Generator[pa.RecordBatch, None, None]:
        place = {"connection": self.connection.name, "relation": request.label}
        frames = session.fetch_df_batches(sql, size=self.batch_rows(request), fetch_decimals=True)
        with contextlib.closing(frames):  # its cursor is open until then, also after an error
            while True:
                with self._guarded("extract", request.label):
                    frame = next(frames, None)
                self._check()
                if frame is None:
                    return
                for batch in pa.table(frame).to_batches():
                    yield read_batch(batch, readers, place)


def _text(request: ExtractionConfig) -> str:
    return (request.query or "").strip().rstrip(";")


def _inner_sql(request: ExtractionConfig) -> str:
    """The statement without conversions. A user's query stays letter for letter as it is."""
    if request.query is None:
        return scan_sql(said_in_oracle(request), "oracle")
    if not (request.columns or request.predicates or request.limit is not None):
        return _text(request)
    outer = scan_sql(said_in_oracle(dataclasses.replace(request, query=None, relation=_QUERY)), "oracle")
    return " ".join(["WITH", _QUERY.sql("oracle"), "AS (\n", _text(request), "\n)", outer])
