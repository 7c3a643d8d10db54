"""A session on a MySQL or MariaDB server: its settings, its statements and its results."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dvt.connections.connection import Connection
from dvt.connections.mysql_errors import ServerError, translating
from dvt.connections.mysql_login import login
from dvt.connections.mysql_rows import Rows
from dvt.connections.mysql_wire import Field, Outcome, Wire
from dvt.errors import DvtError, InterruptedRunError
from dvt.native import library as codec
from dvt.native.mysql_rows import Walk, walk_of

# The server's own mode must not change what our SQL means (ANSI_QUOTES, NO_BACKSLASH_ESCAPES) or what a value is
# (PAD_CHAR_TO_FULL_LENGTH). Strict, so that a value that does not fit is an error; NO_AUTO_VALUE_ON_ZERO, so that a
# zero stays one. NO_BACKSLASH_ESCAPES stays off because sqlglot renders text with backslash escapes.
_SQL_MODE = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
# A reader that waits for another source, or a load that waits for its rows, must not look dead to the server.
_PATIENCE_S = 86_400
_SENT_BYTES = 256 << 10
_INTERRUPTED = 1317
_LOST = (2006, 2013)
# Seconds that who fills a table has to stop by itself, once it was asked to.
_TO_STOP_S = 5.0


@dataclass(frozen=True)
class Server:
    """What the server said about itself and the session.

    Args:
        version: Version as it stands in `select version()`.
        numbers: Its leading numbers.
        is_mariadb: Whether it is MariaDB.
        session_id: Number under which the session can be killed.
        max_packet_bytes: Longest statement or value.
        allows_local_infile: Whether LOAD DATA LOCAL is allowed.
    """

    version: str
    numbers: tuple[int, ...]
    is_mariadb: bool
    session_id: int
    max_packet_bytes: int
    allows_local_infile: bool


def _walk(connection: Connection) -> Walk | None:
    library = codec.load()
    return walk_of(library) if connection.options["native"] and not isinstance(library, str) else None


class Session:
    """One logged-in session, used by one thread at a time.

    Args:
        connection: The connection.
        database: The session's current database.
    """

    def __init__(self, connection: Connection, database: str | None = None) -> None:
        self.connection = connection
        self._login = login(connection, database)
        self._wire = Wire(self._login.socket, self._login.has_query_attributes, _walk(connection))
        self.is_streaming = False
        self.is_closed = False
        self._reading: object | None = None  # of the result that is read; None once another thread has stopped it
        self._one_reads = threading.RLock()
        self._is_wanted = True
        self._is_not_filling = threading.Event()
        self._is_not_filling.set()
        try:
            with translating(connection, "connect"):
                self.run(f"set session sql_mode = '{_SQL_MODE}', time_zone = '+00:00', autocommit = 1")
                self.run("set names utf8mb4")
                for name in ("net_write_timeout", "net_read_timeout", "wait_timeout"):
                    self.run(f"set session {name} = {_PATIENCE_S}")
                self.server = self._ask_server()
                self._limit_statements(int(connection.options["statement_timeout_s"]))
        except BaseException:
            self.close()
            raise

    def _ask_server(self) -> Server:
        asked = "select version(), connection_id(), @@max_allowed_packet, @@local_infile"
        version, number, packet, local = (str(value) for value in self.rows(asked)[0])
        numbers = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", version)
        return Server(
            version=version,
            numbers=tuple(int(part) for part in numbers.groups()) if numbers else (0, 0, 0),
            is_mariadb="mariadb" in version.lower(),
            session_id=int(number),
            max_packet_bytes=int(packet),
            allows_local_infile=local in ("1", "ON"),
        )

    def _limit_statements(self, timeout_s: int) -> None:
        if timeout_s and self.server.is_mariadb:
            self.run(f"set session max_statement_time = {timeout_s}")
        elif timeout_s:  # MySQL limits SELECT only
            self.run(f"set session max_execution_time = {timeout_s * 1000}")

    def run(self, sql: str) -> Outcome:
        """Run a statement that gives no rows."""
        self._wire.ask(sql)
        return self._wire.read_outcome()

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        """A small result as text."""
        fields = self.open(sql)
        found: list[tuple[str | None, ...]] = []
        for rows in self.fetched(10_000):
            columns = [column.cast("string").to_pylist() for column in rows.columns(len(fields))]
            found.extend(zip(*columns, strict=True))
        return found

    def open(self, sql: str) -> list[Field]:
        """Run a statement whose rows are then read with `fetched`; gives its columns."""
        self._wire.ask(sql)
        fields = self._wire.read_fields()
        self.is_streaming, self._reading = bool(fields), object()
        return fields

    def fetched(self, batch_rows: int) -> Iterator[Rows]:
        """The rows of the open result, each part to be decoded before the next is taken.

        Raises:
            InterruptedRunError: Another thread stopped the reading, or closed the session: what came is not all.
        """
        reading = self._reading
        while self.is_streaming or self._reading is not reading:
            with self._one_reads:
                if reading is None or self._reading is not reading:
                    raise InterruptedRunError("the scan was closed before its end", connection=self.connection.name)
                rows = self._next_rows(batch_rows)
            if rows is not None:
                yield rows

    def _next_rows(self, most: int) -> Rows | None:
        """Rows of the open result, which ends with None, or with an error."""
        rows = None
        try:
            rows = self._wire.read_rows(most)
        finally:
            self.is_streaming = rows is not None
        return rows

    @contextlib.contextmanager
    def filling(self) -> Iterator[None]:
        """While the body runs, which asks `check_wanted` between rows, `interrupt` leaves it time to stop by itself.

        What a server has to undo takes it as long as it took to do, and nobody can drop the table meanwhile.
        """
        self._is_not_filling.clear()
        try:
            self.check_wanted()
            yield
        finally:
            self._is_not_filling.set()

    def check_wanted(self) -> None:
        """Raise `InterruptedRunError` when the session was interrupted."""
        if not self._is_wanted:
            raise InterruptedRunError("the session was interrupted", connection=self.connection.name)

    def interrupt(self) -> None:
        """End what runs, from another thread; who uses the session does nothing in it afterwards but to close it."""
        self._is_wanted = False
        if self._is_not_filling.is_set():
            self.kill("connection")
        else:
            threading.Thread(target=self._kill_unless_stopped, daemon=True, name="dvt-interrupt").start()

    def _kill_unless_stopped(self) -> None:
        if not self._is_not_filling.wait(_TO_STOP_S):
            with contextlib.suppress(DvtError):  # a server that cannot be reached ends the session by itself
                self.kill("connection")

    def load_local(self, sql: str, payloads: Iterable[bytes | memoryview]) -> Outcome:
        """Run LOAD DATA LOCAL, with the payloads as the file; each of them is whole lines.

        When the payloads raise, or the session is interrupted, the statement is ended properly (the rows sent so far
        are in the table) and the exception goes on.
        """
        with self.filling():
            self._wire.ask(sql)
            if not self._wire.begins_file():
                raise ServerError(2027, "the server did not ask for the rows of LOAD DATA LOCAL")
            try:
                for payload in payloads:
                    self._send(memoryview(payload))
            except ServerError:
                raise
            except BaseException:
                with contextlib.suppress(ServerError):
                    self._wire.write(b"")
                    self._wire.read_outcome()
                raise
            self._wire.write(b"")
            return self._wire.read_outcome()

    def _send(self, lines: memoryview) -> None:
        """Send lines; when the session is interrupted, no further one than that which was begun."""
        most = min(_SENT_BYTES, self.server.max_packet_bytes)
        for at in range(0, len(lines), most):
            part = lines[at : at + most]
            if not self._is_wanted and (end := bytes(part).find(b"\n") + 1):
                self._wire.write(part[:end])
                break
            self._wire.write(part)
        self.check_wanted()

    def stop_reading(self) -> None:
        """End an open result early: the query is killed on the server, and what was on its way is thrown away.

        The session and its snapshot go on. Reading a huge result to its end would be the only other way.
        """
        if not self.is_streaming or self.is_closed:
            return
        self._reading = None
        try:
            self.kill("query")
        except DvtError:
            # No second session to be had: this one is given up, and whoever goes on with it is told that it is lost.
            self.close()
            return
        with self._one_reads:  # who reads in another thread comes out with what was sent, or the end
            self._throw_away()

    def _throw_away(self) -> None:
        if self.is_closed:
            return
        try:
            while self.is_streaming:
                self._next_rows(100_000)
        except ServerError as error:
            if error.errno in _LOST:  # it was cancelled meanwhile, as whoever reads is told
                self.close()
                return
            if error.errno != _INTERRUPTED:
                raise
        # A kill that came too late must not hit the next statement.
        with contextlib.suppress(ServerError):
            self.run("do 0")

    def kill(self, what: str) -> None:
        """Kill this session's running query, or the whole session, from another one.

        Args:
            what: "query" or "connection".
        """
        other = Session(self.connection)
        try:
            with contextlib.suppress(ServerError):  # 1094: it has already gone
                other.run(" ".join(["kill", what, str(self.server.session_id)]))
        finally:
            other.close()

    def close(self) -> None:
        """End the session; closing twice is allowed."""
        if self.is_closed:
            return
        self.is_closed, self._reading = True, None
        with contextlib.suppress(OSError, ServerError):
            if not self.is_streaming:
                self._wire.quit()
            self._login.socket.close()
        self.is_streaming = False
        self._login.owner.close()
