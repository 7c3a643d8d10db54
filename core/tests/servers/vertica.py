"""A server that speaks Vertica's protocol to vertica-python: ours, over DuckDB.

It logs in by password, balances load to itself, announces columns, sends values in their binary form, one row a
message, and takes cancel requests. It proves how dvt uses the vendor's driver. It proves nothing of Vertica's SQL,
its locales, limits, TLS, Kerberos and OAuth: queries are PostgreSQL's as sqlglot reads them, run by DuckDB, and the
bytes of values are made here as the driver's own decoders read them.
"""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

from sqlglot import exp

from servers.fake_sql import FakeCursor, FakeSQL, FakeSQLError
from servers.fake_transaction import Transaction
from servers.hash_words import of_postgres_kin, rewriting
from servers.place import Place, Tag
from servers.vertica_copy import CATALOGUE, copy_of, insert_lines, rename_all, renames_of

_CANCEL, _TLS, _BALANCE = 80877102, 80877103, 80936960
_STATES = {"syntax": "42601", "table": "42V01", "schema": "3F000", "column": "42703", "query": "22012"}
_SESSION = re.compile(r"(?i)^set (time zone|locale|standard_conforming_strings|session)\b")
_DDL = re.compile(r"(?is)^\s*(?:/\*.*?\*/\s*)?(?:create|drop|alter)\b")
_AUTOCOMMIT = re.compile(r"(?i)autocommit to '?(on|off)")
_OIDS = {"BOOLEAN": 5, "DOUBLE": 7, "FLOAT": 7, "VARCHAR": 9, "DATE": 10, "TIME": 11, "TIMESTAMP": 12}
_OIDS |= {"TIMESTAMP WITH TIME ZONE": 13, "UUID": 20, "BLOB": 17}
_TEXTS = (4, 8, 9, 115)


def _stored_as(native: exp.DataType) -> str | None:
    return "BLOB" if native.is_type("varbinary") else None


_LONG = re.compile(r"(?i)(?<=as )long varchar(?=\))")


@dataclass(frozen=True)
class Canned:
    """The answer to a statement: fields as name, type's number and modifier, and rows of bytes."""

    fields: Sequence[tuple[str, int, int]]
    rows: Sequence[Sequence[bytes | None]]


@dataclass
class VerticaServer:
    """A running server.

    Args:
        port: Where it listens.
        sql: What answers queries.
        canned: Answers by a part of the statement.
        most_bytes: After how many a connection is cut off; None for never.
    """

    port: int = 0
    user: str = "dbadmin"
    password: str = "p4ss w'or\"d%"
    sql: FakeSQL = field(
        default_factory=lambda: FakeSQL(
            "postgres",
            database="fake",
            stored_as=_stored_as,
            rewrite=rewriting(of_postgres_kin),
            functions=CATALOGUE,
        )
    )
    canned: dict[str, Canned] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    running: dict[int, FakeCursor] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        place = {"host": "127.0.0.1", "port": self.port, "username": self.user, "password": self.password}
        return {"type": "vertica", **place, "database": "fake", "schema": "main", "tlsmode": "disable", **more}

    def taken(self) -> list[str]:
        """What was sent since this was last asked."""
        found, self.statements[:] = list(self.statements), []
        return found


@contextmanager
def running() -> Iterator[VerticaServer]:
    """Start a server in threads of this process."""
    server = VerticaServer()
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
    try:
        yield server
    finally:
        listener.close()


@contextmanager
def vertica_place() -> Iterator[Place]:
    """The place of the conformance kit."""
    with running() as server:
        yield Place("vertica", Tag.FAKE, server.output(), lambda sql: server.sql.run(sql) and None, server.taken)


def _accept(listener: socket.socket, server: VerticaServer) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_session, args=(client, server), daemon=True).start()


def _session(client: socket.socket, server: VerticaServer) -> None:
    with client, suppress(OSError, EOFError):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Session(client, server).serve()


class Session:
    """One connection."""

    def __init__(self, client: socket.socket, server: VerticaServer) -> None:
        self._client = client
        self._server = server
        self._pid = next(server.numbers)
        self._transaction = Transaction(server.sql)

    def serve(self) -> None:
        """Log in, then answer queries until the client goes."""
        if not self._logged_in():
            return
        try:
            while True:
                kind = self._read(1)
                body = self._read(struct.unpack("!I", self._read(4))[0] - 4)
                if kind == b"X":
                    return
                if kind == b"Q":
                    self._answer(body.rstrip(b"\0").decode())
                    self._send(b"Z", b"I")
        finally:
            self._transaction.end("rollback")
            self._server.running.pop(self._pid, None)

    def _logged_in(self) -> bool:
        while True:
            size = struct.unpack("!I", self._read(4))[0]
            body = self._read(size - 4)
            request = struct.unpack("!I", body[:4])[0]
            if request == _BALANCE:
                self._send(b"Y", struct.pack("!I", self._server.port) + b"127.0.0.1\0")
            elif request == _TLS:
                self._client.sendall(b"N")
            elif request == _CANCEL:
                self._cancel(struct.unpack("!I", body[4:8])[0])
                return False
            else:
                break
        assert b"binary_data_protocol\x001\x00" in body, "dvt asks for binary values"
        self._send(b"R", struct.pack("!I", 3))
        self._read(1)
        password = self._read(struct.unpack("!I", self._read(4))[0] - 4).rstrip(b"\0").decode()
        is_right = password == self._server.password and b"user\0" + self._server.user.encode() + b"\0" in body
        if not is_right:
            self._fail("FATAL", "28000", "Invalid username or password")
            return False
        self._send(b"R", struct.pack("!I", 0))
        for name, value in (
            ("protocol_version", str(3 << 16 | 5)),
            ("server_version", "v12.0.0"),
            ("auto_commit", "on"),
        ):
            self._send(b"S", f"{name}\0{value}\0".encode())
        self._send(b"K", struct.pack("!II", self._pid, 1))
        self._send(b"Z", b"I")
        return True

    def _cancel(self, pid: int) -> None:
        self._server.cancelled.add(pid)
        cursor = self._server.running.get(pid)
        if cursor is not None:
            cursor.interrupt()

    def _answer(self, sql: str) -> None:
        self._server.statements.append(sql)
        if _SESSION.match(sql):
            if found := _AUTOCOMMIT.search(sql):
                self._transaction.set_automatic(found.group(1).lower() == "on")
            self._send(b"C", b"SET\0")
            return
        for part, canned in self._server.canned.items():
            if part in sql:
                self._announce(canned.fields)
                rows = () if "LIMIT 0" in sql else canned.rows
                self._client.sendall(b"".join([_data_row(row) for row in rows]))
                self._send(b"C", b"SELECT\0")
                return
        if sql == "select version()":
            self._rows([("version", 9, 32)], [str.encode], [[("Vertica Analytic Database v12.0.0 (fake)",)]])
            return
        self._server.cancelled.discard(self._pid)
        try:
            if re.match(r"(?is)^with .*\(\s*(delete|insert|update|merge)\b", sql):
                raise FakeSQLError("syntax", "Syntax error at or near a statement that changes rows")
            if sql in ("commit", "rollback"):
                self._transaction.end(sql)
                self._send(b"C", b"DONE\0")
                return
            if _DDL.match(sql):
                self._transaction.end("commit")  # as the server does
            cursor = self._server.sql.cursor() if _DDL.match(sql) else self._transaction.cursor()
            self._server.running[self._pid] = cursor
            if copied := copy_of(sql):
                insert_lines(cursor, *copied, self._copied())
                self._send(b"C", b"COPY\0")
                return
            if renames := renames_of(sql):
                rename_all(self._server.sql, cursor, renames)
                self._send(b"C", b"ALTER TABLE\0")
                return
            # PostgreSQL's dialect has no such type
            result = self._server.sql.run(_LONG.sub("varchar", sql), said=sql, cursor=cursor)
            described = [_field(column.name, column.stored) for column in result.columns]
            if described:
                portions = iter(lambda: result.fetchmany(1000), [])
                self._rows([item[0] for item in described], [item[1] for item in described], portions)
            else:
                self._send(b"C", b"DONE\0")
        except Exception as error:
            self._refuse(error)
        finally:
            self._server.running.pop(self._pid, None)

    def _copied(self) -> bytes:
        """The lines that the client sends."""
        self._send(b"G", struct.pack("!BH", 0, 0))
        parts = []
        while True:
            kind = self._read(1)
            body = self._read(struct.unpack("!I", self._read(4))[0] - 4)
            if kind == b"c":
                return b"".join(parts)
            if kind == b"f":
                raise FakeSQLError("query", body.rstrip(b"\0").decode())
            parts.append(body)

    def _rows(self, fields: Any, encoders: Any, portions: Any) -> None:
        self._announce(fields)
        for rows in portions:
            packed = [_data_row([_encoded(*pair) for pair in zip(encoders, row, strict=True)]) for row in rows]
            self._client.sendall(b"".join(packed))
            if self._pid in self._server.cancelled:
                raise FakeSQLError("cancelled", "Execution canceled by operator")
        self._send(b"C", b"SELECT\0")

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, OSError):
            raise error
        if self._pid in self._server.cancelled:
            self._fail("ERROR", "57014", "Execution canceled by operator")
            return
        state = _STATES[error.kind] if isinstance(error, FakeSQLError) else "22012"
        self._fail("ERROR", state, str(error))

    def _announce(self, fields: Sequence[tuple[str, int, int]]) -> None:
        body = struct.pack("!HI", len(fields), 0)
        for number, (name, oid, modifier) in enumerate(fields, 1):
            body += name.encode() + b"\0" + struct.pack("!QH", 0, number)
            body += struct.pack("!BIhHHiH", 0, oid, 8, 1, 0, modifier, 1)
        self._send(b"T", body)

    def _fail(self, severity: str, state: str, message: str) -> None:
        fields = (("S", severity), ("C", state), ("V", state), ("M", message))
        self._send(b"E", b"".join([f"{key}{value}\0".encode() for key, value in fields]) + b"\0")

    def _send(self, kind: bytes, body: bytes = b"") -> None:
        self._client.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _read(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            part = self._client.recv(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts


def _data_row(values: Sequence[bytes | None]) -> bytes:
    parts = [struct.pack("!H", len(values))]
    parts += [struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values]
    body = b"".join(parts)
    return b"D" + struct.pack("!I", len(body) + 4) + body


def _encoded(encode: Callable[[Any], bytes], value: Any) -> bytes | None:
    return None if value is None else encode(value)


def _field(name: str, stored: str) -> tuple[tuple[str, int, int], Callable[[Any], bytes]]:
    """How a column of DuckDB's is announced, and the function that encodes its values."""
    if stored.startswith("DECIMAL"):
        precision, scale = (int(part) for part in stored[8:-1].split(","))
        return (name, 16, ((precision << 16) | scale) + 4), lambda value: _unscaled(value, scale)
    oid = _OIDS.get(stored, 6 if "INT" in stored else 9)
    return (name, oid, 84 if oid == 9 else -1), ENCODERS[oid]


def _unscaled(value: Decimal, scale: int) -> bytes:
    return int(value.scaleb(scale, Context(prec=200))).to_bytes(24, "big", signed=True)


def _int(value: int) -> bytes:
    return struct.pack("!q", value)


def _micros(value: timedelta) -> bytes:
    return _int(value // timedelta(microseconds=1))


ENCODERS: dict[int, Callable[[Any], bytes]] = {
    5: lambda value: b"\x01" if value else b"\0",
    6: _int,
    7: lambda value: struct.pack("!d", value),
    9: lambda value: str(value).encode(),
    10: lambda value: _int((value - date(2000, 1, 1)).days + 2_451_545),
    11: lambda value: _micros(datetime.combine(date.min, value) - datetime.combine(date.min, time.min)),
    12: lambda value: _micros(value - datetime(2000, 1, 1)),
    13: lambda value: _micros(value.replace(tzinfo=None) - value.utcoffset() - datetime(2000, 1, 1)),
    17: bytes,
    20: lambda value: uuid.UUID(str(value)).bytes,
}
