"""Statements over libpq's asynchronous calls: a COPY read row by row without a Python object per wait.

psycopg's own `Copy.read()` goes through a generator for each row. A COPY row is one protocol message (PostgreSQL
manual, "Message Formats", CopyData), so that rows can be counted and cut without looking into them.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_PIECE_ROWS = 100
_WIDE_BYTES = 1 << 16
_POLL_S = 0.1  # a socket that another thread closes wakes nobody who waits for it


class Wire:
    """The asynchronous side of one session; used by one thread.

    Args:
        session: An open session that runs nothing.
    """

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        self._pgconn = session.pgconn
        self._encoding = "utf-8"
        self.copied = 0  # rows of the last COPY that came to its end, as the server counted them

    def describe(self, sql: str) -> list[tuple[str, int, int, int, int]]:
        """Name, type oid, type modifier, table oid and attribute number of each column; nothing is run."""
        pgconn = self._pgconn
        self._finish(lambda: pgconn.send_prepare(b"", sql.encode()))
        result = self._finish(lambda: pgconn.send_describe_prepared(b""))
        return [
            (
                (result.fname(i) or b"").decode(),
                result.ftype(i),
                result.fmod(i),
                result.ftable(i),
                result.ftablecol(i),
            )
            for i in range(result.nfields)
        ]

    def widen(self) -> None:
        """Have libpq ask the socket for more at a time, for a long COPY.

        Its buffer begins with 16 kB and grows, for good, only for a message that does not fit: here is one.
        """
        self._finish(lambda: self._pgconn.send_query(b"select pg_catalog.repeat(' ', 100000)"))

    def start_copy(self, sql: str) -> None:
        """Send `COPY ... TO STDOUT` and wait until rows begin to come, or raise what the server says."""
        from psycopg.pq import ExecStatus

        self._pgconn.send_query(sql.encode())
        result = self._result()
        if result is None or result.status != ExecStatus.COPY_OUT:
            self._drain(result)

    def copy_rows(self, rows: int, max_bytes: int) -> Iterator[list[bytes]]:
        """The rows of a started COPY: blocks of at most `rows` whole rows that end soon after `max_bytes`.

        A block is a list of pieces of at most a hundred rows. libpq allocates each row by itself; a whole block of such
        rows does not fit the processor's cache, while those of a piece are freed and used again.
        """
        import psycopg

        get, pgconn = self._pgconn.get_copy_data, self._pgconn
        block: list[bytes] = []
        fresh: list[memoryview] = []
        take = fresh.append
        piece = range(max(1, min(rows, _PIECE_ROWS)))
        held = block_rows = 0
        with selectors.DefaultSelector() as readable:
            readable.register(pgconn.socket, selectors.EVENT_READ)
            size = 0
            while size >= 0:
                try:
                    for _ in piece:  # nothing but this is done for each row
                        size, data = get(1)
                        if not 0 < size < _WIDE_BYTES:
                            break
                        take(data)
                    if size >= _WIDE_BYTES:  # a hundred of those could be too much for the memory
                        take(data)
                except psycopg.Error:
                    self._drain(None)  # the server's own error says more than libpq's
                    raise
                if fresh:
                    block.append(b"".join(fresh))
                    held += len(block[-1])
                    block_rows += len(fresh)
                    fresh.clear()
                if held >= max_bytes or block_rows >= rows:
                    yield block
                    block, held, block_rows = [], 0, 0
                    piece = range(max(1, min(rows, _PIECE_ROWS)))
                elif rows - block_rows < len(piece):  # the block has exactly `rows` rows
                    piece = range(rows - block_rows)
                if size == 0:
                    readable.select(_POLL_S)
                    pgconn.consume_input()
        self.finish_copy()
        if block:
            yield block

    def finish_copy(self) -> int:
        """After the last row: the rows that the server counted, or what it says against them."""
        result = self._drain(None)
        self.copied = int(result.command_tuples or 0) if result is not None else 0
        return self.copied

    def discard_copy(self) -> None:
        """Read a cancelled COPY to its end, so that the session can be used again."""
        import psycopg

        try:
            for _ in self.copy_rows(10_000, 1 << 24):
                pass
        except psycopg.errors.QueryCanceled:
            return

    def _finish(self, send: Callable[[], None]) -> Any:
        send()
        return self._drain(self._result())

    def _drain(self, first: Any) -> Any:
        """Fetch results until there are no more; raise the first error among them, else give the first result."""
        from psycopg.errors import error_from_result
        from psycopg.pq import ExecStatus

        results = [first] if first is not None else []
        while (result := self._result()) is not None:
            results.append(result)
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result, self._encoding)
        return results[0] if results else None

    def _result(self) -> Any:
        pgconn = self._pgconn
        while pgconn.flush():
            self._wait(selectors.EVENT_READ | selectors.EVENT_WRITE)
            pgconn.consume_input()
        while pgconn.is_busy():
            self._wait(selectors.EVENT_READ)
            pgconn.consume_input()
        return pgconn.get_result()

    def _wait(self, events: int) -> None:
        """Wait for the socket, but not long: whoever waits asks the session again, which says when it was closed."""
        import psycopg

        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._pgconn.socket, events)
            except (OSError, ValueError) as error:  # it was closed a moment ago
                raise psycopg.OperationalError("the connection was closed while it waited") from error
            selector.select(_POLL_S)
