"""One InnoDB table read by several sessions whose snapshots were taken while it was locked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.mysql import default_database, open_session
from dvt.connections.mysql_errors import ServerError
from dvt.connections.mysql_session import Session
from dvt.errors import DvtError
from dvt.federation.extractors.part_readers import PartReaders
from dvt.identifiers import Relation

SNAPSHOT = "start transaction with consistent snapshot, read only"

# Whoever writes waits as long as we wait for those that wrote. With autocommit off the table is locked in InnoDB too,
# which waits for transactions that have written and not ended, as the server's own lock of old versions does not.
_PATIENCE = "set session autocommit = 0, lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, innodb_table_locks = 1"
_DENIED = frozenset({1044, 1142, 1227})
_WAITED = frozenset({1205})


class OneSnapshot:
    """Sessions that see one state of a table, also the one that leads them.

    Args:
        connection: Where to log in.
        leader: An open session; its transaction begins anew.
        relation: The table.
        count: How many sessions there are to be beside the leader.
    """

    def __init__(self, connection: Connection, leader: Session, relation: Relation, count: int) -> None:
        self.sessions: list[Session] = []
        self.refusal = ""
        try:
            for _ in range(count):
                self.sessions.append(open_session(connection, default_database(connection)))
            # Logged in before the lock: while it is held there are only these few statements.
            with contextlib.closing(open_session(connection, default_database(connection))) as locking:
                locking.run(_PATIENCE)
                if self._locks(locking, relation):
                    for session in (leader, *self.sessions):
                        session.run("set session transaction isolation level repeatable read")
                        session.run(SNAPSHOT)
                    locking.run("unlock tables")
        except BaseException:
            self.close()
            raise
        if self.refusal:
            self.close()

    def _locks(self, session: Session, relation: Relation) -> bool:
        try:
            session.run(" ".join(["lock tables", relation.sql("mysql"), "read"]))
        except ServerError as error:
            if error.errno in _DENIED:
                self.refusal = "the login may not LOCK TABLES, without which sessions do not share a snapshot"
            elif error.errno in _WAITED:
                self.refusal = "a transaction that has written to it did not end within a second"
            else:
                raise
        return not self.refusal

    def close(self) -> None:
        """End the sessions."""
        for session in self.sessions:
            session.close()


class ParallelRows:
    """Several open results at once.

    Args:
        sessions: Each with its result open; they are ended with the reading.
        read: The batches of one of them.
    """

    def __init__(self, sessions: Sequence[Session], read: Callable[[Session], Iterator[pa.RecordBatch]]) -> None:
        self._sessions = sessions
        self._readers = PartReaders([read(session) for session in sessions], self.cancel)

    def __len__(self) -> int:
        return len(self._sessions)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every session is through; the first failure of any of them is raised."""
        return self._readers.batches()

    def cancel(self) -> None:
        """Kill what still runs on the server."""
        for session in self._sessions:
            if session.is_streaming and not session.is_closed:
                with contextlib.suppress(DvtError):  # no session to be had: closing its socket ends it as well
                    session.kill("connection")

    def close(self) -> None:
        """End the threads, the statements and the sessions."""
        self._readers.close()
        self.cancel()
        for session in self._sessions:
            session.close()
