"""An Exasol cluster for the tests: its WebSocket protocol and the tunnel of EXPORT and IMPORT, over `fake_sql`.

A fake: logging in, statements, their columns, the CSV and the tunnel follow Exasol's documentation of its protocol and
of EXPORT and IMPORT; the vendor's driver talks to it unchanged, without TLS. The SQL is DuckDB's; empty texts become
NULL as in Exasol. It proves nothing of Exasol's SQL, its digits of doubles, TLS, rights, nor of clusters of many nodes.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from sqlglot import exp

from servers.exasol_import import import_of, insert_lines, lines_of, list_columns, said_to_sqlglot
from servers.fake_sql import FakeColumn, FakeCursor, FakeResult, FakeSQL, FakeSQLError
from servers.fake_transaction import Transaction
from servers.hash_words import of_exasol, rewriting
from servers.place import Place, Tag

_T = exp.DataType.Type
_TUNNEL = struct.pack("i", 0x02212102)
_KEY = rsa.generate_private_key(65537, 2048)
_PEM = _KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1).decode()
_EXPORT = re.compile(r"(?is)^\s*EXPORT\s*\(\s*(.*)\s*\)\s*INTO\s+CSV\s+AT\s+'https?://[^:]+:(\d+)'(.*)$")
_END = re.compile(r"(?i)^\s*(COMMIT|ROLLBACK)\s*$")
_ALTER = re.compile(r"(?i)^\s*ALTER\s+SESSION\s+SET\s+(\w+)\s*=\s*'([^']*)'\s*$")
_CATALOGUE = (
    'create view fake.main.EXA_ALL_TABLES as select schema_name "TABLE_SCHEMA", table_name "TABLE_NAME",'
    " estimated_size \"TABLE_ROW_COUNT\" from duckdb_tables() where database_name = 'fake'",
    'create view fake.main.EXA_ALL_VIEWS as select schema_name "VIEW_SCHEMA", view_name "VIEW_NAME"'
    " from duckdb_views() where database_name = 'fake' and view_name not like 'EXA%'",
    'create view fake.main.EXA_SCHEMAS as select schema_name "SCHEMA_NAME" from duckdb_schemas()'
    " where database_name = 'fake'",
    'create table fake.main.EXA_ALL_COLUMNS ("COLUMN_SCHEMA" text, "COLUMN_TABLE" text, "COLUMN_NAME" text,'
    ' "COLUMN_TYPE" text)',
)


def stored_as(native: exp.DataType) -> str | None:
    """Texts for what DuckDB does not hold: they come out as the test put them in."""
    if native.this in (_T.CHAR, _T.VARCHAR, _T.TEXT, _T.GEOMETRY) or isinstance(native.this, exp.Interval):
        return "VARCHAR"
    if native.this is _T.TIMESTAMP:
        digits = (_numbers(native) or [6])[0]
        return "VARCHAR" if digits > 6 else "TIMESTAMP_MS" if digits <= 3 else "TIMESTAMP"
    return "TIMESTAMPTZ" if native.this is _T.TIMESTAMPLTZ else None


@dataclass
class Behaviour:
    """What the server does that a test may change.

    Args:
        null: The text of NULL in an export.
        chunk_rows: Rows of one chunk in the tunnel.
        chunk_delay_s: How long a chunk takes.
        breaks_after: Rows after which an export ends in an error, and the error.
        cuts_after: Rows after which the tunnel is cut, with an export that says that all is well.
    """

    null: str = '""'
    chunk_rows: int = 1000
    chunk_delay_s: float = 0.0
    breaks_after: tuple[int, str] | None = None
    cuts_after: int | None = None


@dataclass
class ExasolServer:
    """A running fake.

    Args:
        port: Its port on the loopback address.
        behaviour: What it does.
        password: The password that user "dvt" needs.
    """

    port: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    password: str = "pa55 w'or\"d`%\\"
    engine: FakeSQL = field(
        default_factory=lambda: FakeSQL("exasol", "fake", stored_as, rewriting(of_exasol), _CATALOGUE)
    )
    tunnels: dict[int, socket.socket] = field(default_factory=dict)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    running: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    sessions: int = 0
    _sent: int = 0

    def execute(self, *statements: str) -> None:
        """Run statements in Exasol's dialect, not through the wire."""
        for statement in statements:
            self.engine.run(statement)
        self.statements()

    def statements(self) -> list[str]:
        """What was sent since this was last asked."""
        new = self.engine.statements[self._sent :]
        self._sent += len(new)
        return new

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        place = {"type": "exasol", "dsn": f"127.0.0.1:{self.port}", "schema": "main", "dbname": "fake"}
        return {**place, "user": "dvt", "password": self.password, "encryption": False, **more}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def running(behaviour: Behaviour | None = None) -> Iterator[ExasolServer]:
    """Serve on a free port until the end of the block."""
    fake = ExasolServer(behaviour=behaviour or Behaviour())
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def exasol_place(folder: Path) -> Iterator[Place]:
    """The fake as the conformance tests take it."""
    with running() as server:
        yield Place("exasol", Tag.FAKE, server.output(), server.execute, server.statements)


class _Handler(socketserver.StreamRequestHandler):
    """One connection: a session, or a tunnel."""

    disable_nagle_algorithm = True
    fake: ExasolServer

    def handle(self) -> None:
        """Serve it to its end."""
        with suppress(ConnectionError, OSError):
            if self.rfile.peek(4)[:4] == _TUNNEL:  # type: ignore[attr-defined]
                self._tunnel()
            else:
                self._session()

    def _tunnel(self) -> None:
        self.rfile.read(12)
        port = self.client_address[1]
        self.request.sendall(struct.pack("ii16s", 0, port, b"127.0.0.1"))
        with self.fake.arrived:
            self.fake.tunnels[port] = self.request
            self.fake.arrived.notify_all()
            self.fake.arrived.wait_for(lambda: port not in self.fake.tunnels, 3600)

    def _session(self) -> None:
        self.rfile.readline()
        headers = {}
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        accepted = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        answer = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Accept: {base64.b64encode(accepted.digest()).decode()}\r\n\r\n"
        self.request.sendall(answer.encode())
        session = _Session(self.fake)
        self.fake.sessions += 1
        worker: threading.Thread | None = None
        try:
            while (command := self._frame()) is not None:
                if command.get("command") == "abortQuery":
                    session.abort()
                    continue
                if worker is not None:
                    worker.join()
                worker = threading.Thread(target=self._answer, args=(session, command), daemon=True)
                worker.start()
        finally:
            session.abort()
            if worker is not None:
                worker.join()
            session.end()
            self.fake.sessions -= 1

    def _answer(self, session: _Session, command: dict[str, Any]) -> None:
        with self._told_that_it_runs():
            try:
                answer = {"status": "ok", "responseData": session.run(command)}
            except _Refused as error:
                answer = {"status": "error", "exception": {"text": str(error), "sqlCode": error.code}}
        answer["attributes"] = {"autocommit": session.is_automatic, "currentSchema": session.schema}
        with suppress(ConnectionError, OSError):
            self._send(json.dumps(answer).encode())

    @contextmanager
    def _told_that_it_runs(self) -> Iterator[None]:
        """Once a second the client is told that a command still runs, as the server's feedbackInterval has it."""
        is_over = threading.Event()

        def tell() -> None:
            while not is_over.wait(1):
                with suppress(ConnectionError, OSError):
                    self._send(b"", 10)

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            is_over.set()
            teller.join()

    def _frame(self) -> dict[str, Any] | None:
        """The next command; None at the end of the session."""
        while True:
            head = self.rfile.read(2)
            if len(head) < 2:
                return None
            kind, size = head[0] & 15, head[1] & 127
            if size >= 126:
                size = struct.unpack("!H" if size == 126 else "!Q", self.rfile.read(2 if size == 126 else 8))[0]
            mask = self.rfile.read(4) if head[1] & 128 else bytes(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(size)))
            if kind == 8:
                return None
            if kind == 9:
                self._send(data, 10)
            else:
                return dict(json.loads(data))

    def _send(self, data: bytes, kind: int = 1) -> None:
        size = len(data)
        long = b"\x7e" + struct.pack("!H", size) if size < 1 << 16 else b"\x7f" + struct.pack("!Q", size)
        self.request.sendall(bytes([0x80 | kind]) + (bytes([size]) if size < 126 else long) + data)


class _Refused(Exception):
    """What the server answers with an error."""

    def __init__(self, text: str, code: str = "42000") -> None:
        super().__init__(f"{text} (Session: 1)")
        self.code = code


class _Session:
    """A session's state, and what it answers to each command."""

    def __init__(self, fake: ExasolServer) -> None:
        self._fake = fake
        self.schema = "main"
        self._formats: dict[str, str] = {}
        self._is_aborted = threading.Event()
        self._cursor: FakeCursor | None = None
        self._tunnel: socket.socket | None = None
        self._transaction = Transaction(fake.engine)

    @property
    def is_automatic(self) -> bool:
        """Whether each statement commits."""
        return self._transaction.is_automatic

    def abort(self) -> None:
        """End what runs."""
        self._is_aborted.set()
        if self._cursor is not None:
            self._cursor.interrupt()
        if self._tunnel is not None:
            with suppress(OSError):
                self._tunnel.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Take back what was not committed."""
        self._transaction.end("rollback")

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer's data."""
        name = command.get("command")
        if name == "login":
            return {"publicKeyPem": _PEM, "publicKeyModulus": "", "publicKeyExponent": ""}
        if name is None:
            return self._login(command)
        if name == "execute":
            return self._execute(command["sqlText"])
        if name == "createPreparedStatement":
            return {"statementHandle": 1, **self._prepared(command["sqlText"])}
        if name == "setAttributes" and "autocommit" in command["attributes"]:
            self._transaction.set_automatic(command["attributes"]["autocommit"])
        if name in ("getAttributes", "setAttributes", "closePreparedStatement", "closeResultSet", "disconnect"):
            return {}
        raise _Refused(f"unknown command {name}", "00000")

    def _login(self, command: dict[str, Any]) -> dict[str, Any]:
        given = _KEY.decrypt(base64.b64decode(command["password"]), padding.PKCS1v15()).decode()
        if (command["username"], given) != ("dvt", self._fake.password):
            raise _Refused("Connection exception - authentication failed.", "08004")
        self.schema = command["attributes"].get("currentSchema") or "main"
        return {
            "sessionId": 1, "protocolVersion": 3, "releaseVersion": "8.32.0", "databaseName": "fake",
            "productName": "EXASolution", "maxDataMessageSize": 67108864, "maxIdentifierLength": 128,
            "maxVarcharLength": 2000000, "identifierQuoteString": '"', "timeZone": "EUROPE/BERLIN",
            "timeZoneBehavior": "INVALID SHIFT AMBIGUOUS ST",
        }  # fmt: skip

    def _execute(self, sql: str) -> dict[str, Any]:
        if found := _ALTER.match(sql):
            self._formats[found.group(1).upper()] = found.group(2)
            return _counted(0)
        if found := _EXPORT.match(sql):
            self._fake.exports.append(sql)
            return _counted(self._export(found.group(1), int(found.group(2))))
        if found := import_of(sql):
            self._fake.imports.append(sql)
            return _counted(self._import(sql, *found))
        if _END.match(sql):
            self._transaction.end(sql)
            return _counted(0)
        if "EXA_ALL_COLUMNS" in sql:
            list_columns(self._fake.engine)
        result = self._result(sql)
        rows = [[self._text(value, column) for value, column in zip(row, result.columns, strict=True)]
                for row in result.fetchmany(1000)]  # fmt: skip
        return _rows([_column(column) for column in result.columns], rows) if result.columns else _counted(0)

    def _prepared(self, sql: str) -> dict[str, Any]:
        return _rows([_column(column) for column in self._result(sql, batch_rows=0).columns], [])

    def _result(self, sql: str, batch_rows: int | None = None) -> FakeResult:
        self._is_aborted.clear()
        try:
            self._cursor = self._transaction.cursor()
            own = said_to_sqlglot(sql)
            return self._fake.engine.run(own, self.schema, sql, cursor=self._cursor, batch_rows=batch_rows)
        except FakeSQLError as error:
            raise self._refusal(sql, error) from error

    def _refusal(self, sql: str, error: FakeSQLError) -> _Refused:
        if error.kind == "cancelled":
            self._fake.aborted.append(sql)
            return _Refused("Client requests execution abort.", "R0003")
        if error.kind == "syntax":
            return _Refused(f"syntax error, unexpected IDENTIFIER_PART_ [line 1, column 1]: {error}")
        if error.kind == "schema":
            return _Refused(f"schema {error.name} not found [line 1, column 15]")
        if error.name:
            return _Refused(f'object "{error.name}" not found [line 1, column 8]')
        return _Refused(error.message)

    @contextmanager
    def _through(self, port: int, sql: str) -> Iterator[socket.socket]:
        """The tunnel of a statement that runs, and its end."""
        with self._fake.arrived:
            self._fake.arrived.wait_for(lambda: port in self._fake.tunnels, 20)
            tunnel = self._tunnel = self._fake.tunnels[port]
        self._fake.running.append(sql)
        try:
            yield tunnel
        finally:
            self._fake.running.remove(sql)
            self._tunnel = self._cursor = None
            with suppress(OSError):
                tunnel.shutdown(socket.SHUT_RDWR)
            with self._fake.arrived:
                self._fake.tunnels.pop(port, None)
                self._fake.arrived.notify_all()

    def _import(self, sql: str, table: str, columns: str, port: int) -> int:
        """Take CSV out of the tunnel into a table; gives the rows' number."""
        self._is_aborted.clear()
        self._fake.engine.statements.append(sql)
        with self._through(port, sql) as tunnel:
            try:
                lines = lines_of(tunnel)
                return insert_lines(self._fake.engine, self._transaction.cursor(), self.schema, table, columns, lines)
            except FakeSQLError as error:
                raise self._refusal(sql, error) from error
            except OSError as error:
                if self._is_aborted.is_set():
                    self._fake.aborted.append(sql)
                    raise _Refused("Client requests execution abort.", "R0003") from error
                raise _Refused(
                    f"ETL-5105: error while reading data from external connection: {error}", "42636"
                ) from error

    def _export(self, sql: str, port: int) -> int:
        """Send a query's rows down the tunnel; gives their number."""
        how = self._fake.behaviour
        result = self._result(sql)
        sent = 0
        with self._through(port, sql) as tunnel:
            try:
                tunnel.sendall(b"PUT /000.csv HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                while rows := self._next(result):
                    lines = "".join(self._line(row, result.columns) for row in rows).encode()
                    tunnel.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))
                    sent += len(rows)
                    time.sleep(how.chunk_delay_s)
                    if how.breaks_after is not None and sent >= how.breaks_after[0]:
                        raise _Refused(how.breaks_after[1], "22000")
                    if how.cuts_after is not None and sent >= how.cuts_after:
                        return 10**6
                tunnel.sendall(b"0\r\n\r\n")
                tunnel.recv(1024)  # the client's 200
            except OSError as error:
                if not self._is_aborted.is_set():
                    raise _Refused(
                        f"ETL-5106: error while writing data to external connection: {error}", "42636"
                    ) from error
        if self._is_aborted.is_set():
            self._fake.aborted.append(sql)
            raise _Refused("Client requests execution abort.", "R0003")
        return sent

    def _next(self, result: FakeResult) -> list[tuple[Any, ...]]:
        if self._is_aborted.is_set():
            return []
        try:
            return result.fetchmany(self._fake.behaviour.chunk_rows)
        except Exception as error:
            if self._is_aborted.is_set():
                return []
            raise _Refused(f"data exception - {error}", "22000") from error

    def _line(self, row: tuple[Any, ...], columns: list[FakeColumn]) -> str:
        texts = (self._text(value, column) for value, column in zip(row, columns, strict=True))
        null = self._fake.behaviour.null
        return ",".join(null if text is None else '"' + text.replace('"', '""') + '"' for text in texts) + "\n"

    def _text(self, value: Any, column: FakeColumn) -> str | None:
        """A value as the session's formats have it."""
        if value is None:
            return None
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, dt.datetime):
            assert self._formats["TIME_ZONE"] == "UTC"
            assert self._formats["NLS_TIMESTAMP_FORMAT"] == "YYYY-MM-DD HH24:MI:SS.FF9"
            return f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}000"
        native = column.native
        if native is not None and native.this is _T.CHAR:
            return str(value).ljust((_numbers(native) or [1])[0])
        return str(value)


def _numbers(native: exp.DataType) -> list[int]:
    return [int(part.name) for part in native.expressions if isinstance(part, exp.DataTypeParam)]


def _column(column: FakeColumn) -> dict[str, Any]:
    return {"name": column.name, "dataType": _data_type(column)}


def _data_type(column: FakeColumn) -> dict[str, Any]:
    native = column.native or exp.DataType.build(column.stored, dialect="duckdb")
    kind, numbers = native.this, _numbers(native)
    if kind in (_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128):
        return {"type": "DECIMAL", "precision": 36 if kind is _T.INT128 else 18, "scale": 0}
    if kind is _T.DECIMAL:
        return {"type": "DECIMAL", "precision": (numbers or [18])[0], "scale": ([*numbers, 0, 0])[1]}
    if isinstance(kind, exp.Interval):
        return {"type": native.sql(dialect="exasol").upper(), "precision": 2, "fraction": 3}
    if kind in (_T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIMESTAMPLTZ):
        is_local = kind is not _T.TIMESTAMP
        name = "TIMESTAMP WITH LOCAL TIME ZONE" if is_local else "TIMESTAMP"
        return {"type": name, "withLocalTimeZone": is_local, "size": 8}
    if kind in (_T.DOUBLE, _T.FLOAT):
        return {"type": "DOUBLE"}
    if kind in (_T.BOOLEAN, _T.DATE, _T.GEOMETRY):
        return {"type": kind.value}
    name = "CHAR" if kind is _T.CHAR else "VARCHAR"
    return {"type": name, "size": (numbers or [2000000])[0], "characterSet": "UTF8"}


def _counted(rows: int) -> dict[str, Any]:
    return {"numResults": 1, "results": [{"resultType": "rowCount", "rowCount": rows}]}


def _rows(columns: list[dict[str, Any]], rows: list[list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"numColumns": len(columns), "numRows": len(rows), "numRowsInMessage": len(rows)}
    found.update(columns=columns, data=[list(values) for values in zip(*rows, strict=True)])
    return {"numResults": 1, "results": [{"resultType": "resultSet", "resultSet": found}]}
