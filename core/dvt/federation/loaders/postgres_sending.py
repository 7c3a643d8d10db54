"""COPY FROM STDIN whose pieces are sent by a thread of its own, while the next ones are read and encoded.

As psycopg's `QueuedLibpqWriter`, but for what waits to be sent, which is bounded by bytes here, and for a server that
has stopped to take anything when the load is given up.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from dvt.connections.postgres import cancel

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

_PIECES: Final = 8  # that wait to be sent
_PIECE_BYTES: Final = 1 << 20  # of each at most
_PATIENCE_S: Final = 1.0  # when the load is given up
_LAST_PATIENCE_S: Final = 10.0  # after the server was told to end


class SendingAhead:
    """A writer for psycopg's `cursor.copy`. The session is the thread's alone until `finish` has waited for it.

    Args:
        cursor: On which the COPY is started.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        from psycopg.copy import LibpqWriter

        self._session = cursor.connection
        self._writer = LibpqWriter(cursor)
        self._queue: queue.Queue[bytes | None] = queue.Queue(_PIECES)
        self._error: BaseException | None = None
        self._is_given_up = False
        self._ended = threading.Event()  # not `join`: a signal in it makes Python take the thread for ended
        self._thread: threading.Thread | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Have a copy of the data sent; waits while too much of it waits already.

        Raises:
            psycopg.Error: What was found out about the session while earlier data was sent.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._send, name="dvt-copy", daemon=True)
            self._thread.start()
        for start in range(0, len(data), _PIECE_BYTES):
            if self._error is not None:
                raise self._error
            self._queue.put(bytes(data[start : start + _PIECE_BYTES]))

    def finish(self, exc: BaseException | None = None) -> None:
        """Wait until all is sent, and end the COPY; after a failure the rest is not sent."""
        import psycopg

        try:
            if self._thread is not None and exc is None:
                self._queue.put(None)
                self._ended.wait()
        finally:
            self._give_up()
        if exc is None:
            if self._error is not None:
                raise self._error
            self._writer.finish()
            return
        with contextlib.suppress(psycopg.OperationalError), _ended_soon(self._session):
            self._writer.finish(exc)

    def _give_up(self) -> None:
        """Have the thread end, if it has not. The server may have stopped to take anything: then it is told to."""
        if self._thread is None or self._ended.is_set():
            return
        self._is_given_up = True
        with _ended_soon(self._session):
            while not self._ended.wait(0.02):
                with contextlib.suppress(queue.Full):
                    self._queue.put_nowait(None)

    def _send(self) -> None:
        try:
            while (piece := self._queue.get()) is not None:
                if self._error is None and not self._is_given_up:
                    self._put(piece)
        finally:
            self._ended.set()

    def _put(self, piece: bytes) -> None:
        try:
            self._writer.write(piece)
            self._session.wait(_flushed(self._session.pgconn))
        except BaseException as error:  # noqa: BLE001 - it is raised where the next piece is handed over
            self._error = error


def _flushed(pgconn: PGconn) -> PQGen[None]:
    """Wait until the system has taken what libpq holds: releases of psycopg before 3.3.9 let it hold all that comes."""
    from psycopg.waiting import Wait

    while pgconn.flush():
        while not (yield Wait.W):
            pass


@contextlib.contextmanager
def _ended_soon(session: psycopg.Connection[Any]) -> Iterator[None]:
    """What waits for the server within it does not wait for ever.

    The server is told to end what it does after a second. Where that does not help either, as of a server that is
    frozen or a network that is dead, the session is cut.
    """
    is_over = threading.Event()

    def end() -> None:
        for patience_s, act in ((_PATIENCE_S, cancel), (_LAST_PATIENCE_S, _cut)):
            if is_over.wait(patience_s):
                return
            act(session)

    ending = threading.Thread(target=end, name="dvt-copy-end", daemon=True)
    ending.start()
    try:
        yield
    finally:
        is_over.set()
        ending.join()  # a cancel meets no later statement


def _cut(session: psycopg.Connection[Any]) -> None:
    """End the session's socket, so that whoever waits in it is told."""
    import psycopg

    with contextlib.suppress(OSError, psycopg.OperationalError):  # it is closed
        with socket.socket(fileno=os.dup(session.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
