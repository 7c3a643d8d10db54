"""The session of a PostgreSQL extractor: one read-only snapshot, and a savepoint behind which each scan runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dvt.connections.postgres import cancel, connect, translate
from dvt.errors import ConnectionLostError, DvtError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.methods import BUFFERED, STREAMING, Chosen, Method
from dvt.federation.extractors.postgres_catalog import missing_relation
from dvt.federation.extractors.postgres_lanes import Ahead
from dvt.federation.extractors.postgres_methods import methods_of
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.sessions import SessionExtractor

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection
    from dvt.federation.extractors.postgres_lanes import Copy
    from dvt.federation.extractors.postgres_parallel import ParallelCopy
    from dvt.native.raw import RawPull

_SAVEPOINT = "dvt_scan"
BEHIND_SCAN = f"rollback to savepoint {_SAVEPOINT}"
_UNDEFINED_TABLE = "42P01"


class SnapshotExtractor(SessionExtractor["psycopg.Connection[Any]"]):
    """Logs in, and begins a READ ONLY REPEATABLE READ transaction with the first scan.

    All scans see its snapshot, also after one of them failed or was closed early.
    """

    kinds = frozenset({STREAMING, BUFFERED})

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._snapshot: str | None = None
        self._chosen: Chosen | None = None
        self._parallel: ParallelCopy | None = None
        self._copy: Copy | RawPull | None = None

    def ping(self) -> str:
        """Log in and give the server's version."""
        import psycopg

        session = self._opened()
        try:
            row = session.execute("show server_version").fetchone()
        except psycopg.Error as error:
            raise self._translated(error, "connect", None) from error
        return f"PostgreSQL {row[0] if row else ''}"

    def methods(self) -> Sequence[Method]:
        """COPY decoded in C, COPY as CSV, a server-side cursor, or the whole result at once."""
        return methods_of(self._opened(), self.connection)

    def chosen(self) -> Chosen:
        """As the server, or what stands before it, allows; asked once a session, before its snapshot."""
        import psycopg

        if self._chosen is None:
            try:
                self._chosen = super().chosen()
            except psycopg.Error as error:
                raise self._translated(error, "extract", None) from error
        return self._chosen

    def close(self) -> None:
        """End the session; a transaction that is open is rolled back by the server.

        A statement that runs is ended first: a server notices only when it sends that nobody is there.
        """
        is_ended = self._end_parts()
        session, self._session, self._snapshot = self._session, None, None  # another thread may close it, too
        if session is not None:
            if not is_ended and _is_running(session):
                cancel(session)
            session.close()

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too; the scan raises `InterruptedRunError`."""
        self._is_cancelled.set()
        parallel, session = self._parallel, self._session
        if parallel is not None:
            parallel.cancel()
        if session is not None:
            cancel(session)

    def _connect(self) -> psycopg.Connection[Any]:
        return connect(self.connection, cancelled=self._is_cancelled)

    def _begin(self, session: psycopg.Connection[Any], *, is_shared: bool = False) -> None:
        """Take the snapshot, where it is not taken yet, and set the savepoint."""
        if self._snapshot is None:
            session.execute("begin isolation level repeatable read read only")
            # The first statement that reads takes the snapshot: it must stand before the first savepoint.
            session.execute("select ''")
            self._snapshot = ""
        if is_shared and not self._snapshot:  # no savepoint exports one
            row = session.execute("select pg_export_snapshot()").fetchone()
            self._snapshot = str(row[0]) if row else ""
        session.execute(f"savepoint {_SAVEPOINT}")

    def _rewind(self, session: psycopg.Connection[Any]) -> None:
        """Go back behind the savepoint; the snapshot stays."""
        import psycopg

        try:
            session.execute(BEHIND_SCAN.encode())
            session.execute(f"release savepoint {_SAVEPOINT}")
        except psycopg.Error:
            self.close()

    def _end_scan(self, session: psycopg.Connection[Any]) -> None:
        """Stop what still runs on the server, and go back behind the savepoint."""
        import psycopg

        is_ended = self._end_parts()
        if session.closed:
            return
        try:
            if _is_running(session):
                if not is_ended:
                    cancel(session)
                Wire(session).discard_copy()
            self._rewind(session)
        except psycopg.Error:
            # The scan is over either way; a session that broke is opened anew by the next one.
            self.close()

    def _end_parts(self) -> bool:
        """Stop what reads; gives whether the server was told to end the session's own statement."""
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()
        parallel, self._parallel = self._parallel, None
        if parallel is not None:
            parallel.close()
        return isinstance(copy, Ahead) and copy.is_ended

    def _translated(self, error: BaseException, phase: str, request: ExtractionConfig | None) -> DvtError:
        label = request.label if request is not None else None
        found = translate(error, self.connection, phase=phase, relation=label, is_cancelled=self._is_cancelled.is_set())
        if isinstance(found, ConnectionLostError):
            self.close()
        if (
            getattr(error, "sqlstate", None) == _UNDEFINED_TABLE
            and request is not None
            and request.relation is not None
        ):
            assert self._session is not None, "the server answered a moment ago"
            return missing_relation(self._session, request.relation, self.connection, phase)
        return found


def _is_running(session: psycopg.Connection[Any]) -> bool:
    from psycopg.pq import TransactionStatus

    return bool(session.pgconn.transaction_status == TransactionStatus.ACTIVE)
