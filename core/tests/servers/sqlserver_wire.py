"""The process behind `sqlserver.py`: TDS 7.4 on a loopback port, answered by `sqlserver_sql`'s engine.

It is a process of its own because the driver holds Python's lock while it waits for an answer to an attention. Run as
`python sqlserver_wire.py`; it prints its port, then takes questions in JSON, a line each.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from servers import tds
from servers.sqlserver_sql import DATABASE, Engine, SqlServerError
from servers.sqlserver_types import column_list
from servers.sqlserver_writing import Locks, Writing
from servers.tds import Column

USER, PASSWORD = "dvt", "Pa55;w'o}r\"d={ä"
_PACKET_BYTES = 4096
_DESCRIBE = re.compile(r"(?s)dm_exec_describe_first_result_set\s*\(N'(.*)', *NULL, *0\)")
_DECLARED = re.compile(r"(?s)^EXEC \(N?'(.*)'\) WITH RESULT SETS \(\((.*)\)\)$")
_SLOW = re.compile(r"(?i)^(?!.*describe_first).*\bfrom slow\b")  # a table that nobody gets to the first row of
_COMMENT = re.compile(r"(?s)^\s*/\*.*?\*/\s*|\s+$")
_INDIRECT = re.compile(r"(?s)^exec \[\w+\]\.sys\.sp_executesql N'((?:[^']|'')*)'$")


class _AttentionError(Exception):
    """The client asks to stop."""


class Server:
    """The fake: an engine, the statements that it was sent, and its open sessions."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.sessions: set[int] = set()
        self.running: set[int] = set()
        self.locks = Locks()
        self.attentions = 0
        self.password: str | None = None  # another one than usual
        self.fail_logins: list[int] = []  # numbers of errors for the next logins
        self.cut_after_rows: int | None = None
        self.fail_after_rows: int | None = None
        self._log: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def statements(self) -> list[str]:
        """What it was sent since this was last asked."""
        log, self._log = self._log, []
        return log

    def log(self, sql: str) -> None:
        """Remember a statement."""
        self._log.append(sql)

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=_Session(self, client, number).serve, daemon=True).start()


class _Session:
    def __init__(self, server: Server, client: socket.socket, number: int) -> None:
        self._server, self._client, self._number = server, client, number
        self._packet_bytes = _PACKET_BYTES
        self._unsent = bytearray()
        self._count = 0
        self._writing = Writing(server.engine, server.locks, number)

    def serve(self) -> None:
        self._server.sessions.add(self._number)
        try:
            while True:
                kind, body = self._receive()
                if not self._answer(kind, body):
                    return
        except OSError:
            return
        finally:
            self._writing.end("rollback")
            self._writing.over()
            self._server.sessions.discard(self._number)
            self._server.running.discard(self._number)
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)
            self._client.close()

    def _answer(self, kind: int, body: bytes) -> bool:
        if kind == tds.PRELOGIN:
            self._send(tds.prelogin_reply(), is_last=True)
        elif kind == tds.LOGIN:
            return self._login(body)
        elif kind == tds.TRANSACTION:
            self._transaction(body)
        elif kind == tds.BULK:
            self._answered(lambda: self._send(self._writing.loaded(body), is_last=True))
        elif kind == tds.ATTENTION:
            self._server.attentions += 1
            self._writing.over()
            self._server.running.discard(self._number)
            self._send(tds.done(attention=True), is_last=True)
        elif kind == tds.BATCH:
            start = struct.unpack_from("<I", body)[0]
            self._batch(body[start:].decode("utf-16le"))
        else:
            self._send(tds.error(2812, f"the fake has no packet of type {kind}") + tds.done(failed=True), is_last=True)
        return True

    def _login(self, body: bytes) -> bool:
        given = tds.login_fields(body)
        failure: tuple[int, str] | None = None
        if self._server.fail_logins:
            failure = (self._server.fail_logins.pop(0), "The service is busy. Retry the request later.")
        elif (given["user"], given["password"]) != (USER, self._server.password or PASSWORD):
            failure = (18456, f"Login failed for user '{given['user']}'.")
        elif given["database"] not in ("", DATABASE):
            failure = (4060, f'Cannot open database "{given["database"]}" requested by the login. The login failed.')
        if failure is not None:
            self._send(tds.error(*failure, 14) + tds.done(failed=True), is_last=True)
            return False
        size = struct.unpack_from("<I", body, 8)[0] or _PACKET_BYTES
        features = b"\xae\xff" if body[27] & 0x10 else b""
        self._send(tds.login_reply(given["database"] or "master", size) + features + tds.done(), is_last=True)
        self._packet_bytes = size
        return True

    def _transaction(self, body: bytes) -> None:
        start = struct.unpack_from("<I", body)[0]
        what = struct.unpack_from("<H", body, start)[0]
        mark = b"\x08" + b"\x01" * 8
        is_begin = what == 5
        kind = 8 if is_begin else 9 if what == 7 else 10
        self._server.log({5: "begin", 7: "commit", 8: "rollback"}.get(what, str(what)))
        self._writing.begin() if is_begin else self._writing.end("commit" if what == 7 else "rollback")
        self._send(
            tds.change(kind, mark if is_begin else b"\0", b"\0" if is_begin else mark) + tds.done(), is_last=True
        )

    def _batch(self, sql: str) -> None:
        self._server.log(sql)

        def act() -> None:
            if _SLOW.match(sql):
                self._sleep(20)
            self._run(sql)

        self._answered(act)

    def _answered(self, act: Callable[[], None]) -> None:
        """Do what answers, and say so where it fails."""
        self._server.running.add(self._number)
        try:
            act()
        except SqlServerError as error:
            self._writing.end("rollback")  # XACT_ABORT
            self._send(tds.error(error.number, error.message, error.severity) + tds.done(failed=True), is_last=True)
        except _AttentionError:
            self._server.attentions += 1
            self._send(tds.done(attention=True), is_last=True)
        finally:
            if not self._writing.is_loading:
                self._server.running.discard(self._number)

    def _run(self, sql: str) -> None:
        sql = _COMMENT.sub("", sql)
        if (answer := self._writing.answer(sql)) is not None:
            self._send(answer, is_last=True)
            return
        if indirect := _INDIRECT.match(sql):
            sql = indirect.group(1).replace("''", "'")
        while self._server.locks.holds(sql):
            self._check_attention(0.01)
        columns, blocks = self._result(sql)
        if not columns:
            self._send(tds.done(), is_last=True)
            return
        head, write = tds.row_writer(columns)
        self._send(head)
        rows = 0
        for block in blocks:
            if self._server.cut_after_rows is not None and rows >= self._server.cut_after_rows:
                raise ConnectionAbortedError
            if self._server.fail_after_rows is not None and rows >= self._server.fail_after_rows:
                raise SqlServerError(8115, "Arithmetic overflow error converting expression to data type int.")
            self._send(b"".join(write(row) for row in block))
            rows += len(block)
            self._check_attention(0)
        self._send(tds.done(rows), is_last=True)

    def _result(self, sql: str) -> tuple[list[Column], Iterator[list[Any]]]:
        engine = self._server.engine
        declared = _DECLARED.match(sql)
        if declared:
            inner, columns = declared.groups()
            return column_list(columns), engine.query(inner.replace("''", "'"))[1]
        describing = _DESCRIBE.search(sql)
        if describing:
            return _described(engine, describing.group(1).replace("''", "'"))
        return engine.query(sql, self._writing.cursor)

    def _sleep(self, seconds: int) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check_attention(0.02)

    def _check_attention(self, wait_s: float) -> None:
        readable, _, _ = select.select([self._client], [], [], wait_s)
        if readable and self._receive()[0] == tds.ATTENTION:
            raise _AttentionError

    def _receive(self) -> tuple[int, bytes]:
        body = bytearray()
        while True:
            head = self._exactly(tds.HEADER_BYTES)
            body += self._exactly(struct.unpack(">H", head[2:4])[0] - tds.HEADER_BYTES)
            if head[1] & 1:
                return head[0], bytes(body)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._client.recv(size - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return data

    def _send(self, data: bytes, *, is_last: bool = False) -> None:
        """Send in packets; the last one of an answer says so."""
        self._unsent += data
        room = self._packet_bytes - tds.HEADER_BYTES
        out = bytearray()
        while len(self._unsent) > room or (is_last and self._unsent):
            part = bytes(self._unsent[:room])
            del self._unsent[:room]
            self._count += 1
            ends = is_last and not self._unsent
            out += (
                struct.pack(">BBHHBB", tds.REPLY, ends, len(part) + tds.HEADER_BYTES, 51, self._count & 255, 0) + part
            )
        self._client.sendall(out)


def _described(engine: Engine, sql: str) -> tuple[list[Column], Iterator[list[Any]]]:
    names = ("name", "type_name", "is_nullable", "collation_name", "error_number", "error_message")
    kinds = ("nvarchar(128)", "nvarchar(256)", "bit", "nvarchar(128)", "int", "nvarchar(4000)")
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    rows: Sequence[tuple[Any, ...]]
    try:
        found = engine.described(sql)
        rows = [(c.name, c.type, c.nullable, c.collation, None, None) for c in found]
    except SqlServerError as error:
        rows = [(None, None, None, None, error.number, error.message)]
    return columns, iter([list(rows)])


def main() -> None:
    """Serve until nobody asks any more."""
    server = Server()
    answers: dict[str, Any] = {
        "execute": lambda sql: server.engine.execute(sql),
        "ask": lambda sql: [str(row[0]) for block in server.engine.query(sql)[1] for row in block],
        "statements": server.statements,
        "sessions": lambda: len(server.sessions),
        "running": lambda: len(server.running),
        "attentions": lambda: server.attentions,
        "set": lambda name, value: setattr(server, name, value),
    }
    print(server.port, flush=True)
    for line in sys.stdin:
        what, *arguments = json.loads(line)
        try:
            answer = {"is": answers[what](*arguments)}
        except Exception as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
