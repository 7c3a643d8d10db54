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
import time
from typing import TYPE_CHECKING, Any, Final

from dvt.connections.postgres import cancel

if TYPE_CHECKING:
    import psycopg

_PIECES: Final = 8  # that wait to be sent
_PIECE_BYTES: Final = 1 << 20  # of each at most
_PATIENCE_S: Final = 1.0  # for the piece that is being sent when the load is given up
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
        if self._thread is not None:
            try:
                if exc is None:
                    self._queue.put(None)
                    self._ended.wait()
            finally:
                self._give_up()
            if self._error is not None and exc is None:
                raise self._error
        self._writer.finish(exc)

    def _give_up(self) -> None:
        """Have the thread end, if it has not. The server may have stopped to take anything: then it is told to.

        Where that does not help either, as of a server that is frozen or a network that is dead, the session is cut.
        """
        self._is_given_up = True
        for patience_s, then in ((_PATIENCE_S, cancel), (_LAST_PATIENCE_S, _cut)):
            if self._is_ended(patience_s):
                return
            then(self._session)
        self._is_ended(None)

    def _is_ended(self, most_s: float | None) -> bool:
        """Whether the thread ends, which it does when it is given the end; within some seconds, or whenever it is."""
        begun = time.monotonic()
        while not self._ended.wait(0.02):
            if most_s is not None and time.monotonic() - begun > most_s:
                return False
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                continue
        return True

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
        except BaseException as error:  # noqa: BLE001 - it is raised where the next piece is handed over
            self._error = error


def _cut(session: psycopg.Connection[Any]) -> None:
    """End the session's socket, so that whoever waits in it is told."""
    import psycopg

    with contextlib.suppress(OSError, psycopg.OperationalError):  # it is closed
        with socket.socket(fileno=os.dup(session.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)
