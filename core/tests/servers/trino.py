"""A Trino coordinator for the tests: its client protocol, direct and spooled, over `fake_sql`, in threads.

A fake: the paging, the segments, the errors' shape and the JSON of values follow Trino's documentation of its protocol;
the vendor's client talks to it unchanged. The SQL is DuckDB's. It proves nothing of Trino's planner, of its connectors,
of users' rights, of the storage of segments, nor of any way to log in but a password and a token, compared as texts.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from servers.fake_sql import FakeColumn, FakeCursor, FakeResult, FakeSQL, FakeSQLError
from servers.place import Place, Tag
from servers.trino_external import CATALOG as FILES
from servers.trino_external import ExternalTables
from servers.trino_values import duckdb_native, signature, stored_as, text, wire_value
from servers.trino_writing import in_duckdb, refusal

CATALOG, VERSION = "lake", "479-fake"
_WAIT_S = 0.5  # so long an answer waits for the rows, as the coordinator's does for a second
_STATS = {
    "state": "RUNNING", "queued": False, "scheduled": True, "nodes": 1, "totalSplits": 1, "queuedSplits": 0,
    "runningSplits": 0, "completedSplits": 1, "cpuTimeMillis": 1, "wallTimeMillis": 1, "processedRows": 0,
    "processedBytes": 0, "physicalInputBytes": 0, "peakMemoryBytes": 0, "spilledBytes": 0,
}  # fmt: skip
_ERRORS = {
    "syntax": (1, "SYNTAX_ERROR"), "table": (46, "TABLE_NOT_FOUND"), "schema": (45, "SCHEMA_NOT_FOUND"),
    "column": (47, "COLUMN_NOT_FOUND"), "query": (13, "INVALID_ARGUMENTS"), "cancelled": (3, "USER_CANCELED"),
}  # fmt: skip
_FUNCTIONS = tuple(
    f"create macro {CATALOG}.main.{name}() as {value}"
    for name, value in (("version", f"'{VERSION}'"), ("nan", "'nan'::double"), ("infinity", "'inf'::double"))
)
_STATISTICS = re.compile(r"(?is)^\s*show\s+stats\s+for\s+(.+?)\s*$")


@dataclass
class Behaviour:
    """What the server does that a test may change.

    Args:
        spools: Whether it answers with segments to a client that takes them.
        page_rows: Rows of a direct page, and of a segment.
        segments_a_page: Segments that one answer names.
        inline_bytes: Segments below this size stand in the answer itself.
        queued_answers: Answers that say QUEUED before the first rows.
        zone: The zone in which instants are shown.
        segment_delay_s: How long segment number n takes.
        segment_failures: Statuses with which segment n fails before it succeeds; bytes are sent in its place.
        post_failures: Statuses with which statements are answered by what stands before the coordinator: they run.
        page_failures: The same for answers to GET, by their token.
        breaks_after: Rows after which a result ends in an error, which is this.
        connector: What the catalogue's connector is called; by it, types and statements are refused.
        most_characters: Its query.max-length.
        fails: The beginning of statements that fail with an error of the connector's.
    """

    spools: bool = True
    page_rows: int = 500
    segments_a_page: int = 2
    inline_bytes: int = 200
    queued_answers: int = 1
    zone: str = "America/Lima"
    segment_delay_s: Callable[[int], float] = lambda number: 0.0
    segment_failures: dict[int, list[int | bytes]] = field(default_factory=dict)
    post_failures: list[int] = field(default_factory=list)
    page_failures: dict[int, list[int]] = field(default_factory=dict)
    breaks_after: tuple[int, dict[str, Any]] | None = None
    connector: str = "memory"
    most_characters: int = 1_000_000
    fails: str = ""


@dataclass
class _Query:
    """A statement at the server."""

    id: str
    sql: str
    encoding: str
    cursor: FakeCursor
    result: FakeResult | None = None
    error: dict[str, Any] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    pages: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_over(self) -> bool:
        """Whether it has run, and no rows are left."""
        return self.done.is_set() and self.result is None


@dataclass
class TrinoServer:
    """A running fake.

    Args:
        port: Its port on the loopback address.
        behaviour: What it does.
        certificate: Its own certificate when it speaks TLS; else None.
        password: With TLS, the password that user "dvt" needs.
        token: With TLS, the token that is taken in its place.
    """

    port: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    certificate: Path | None = None
    password: str = "pa55 w'or\"d`%\\"
    token: str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkdnQifQ.c2lnbmVk"
    engine: FakeSQL = field(default_factory=lambda: FakeSQL(
        "trino", CATALOG, stored_as, in_duckdb, _FUNCTIONS))  # fmt: skip
    queries: dict[str, _Query] = field(default_factory=dict)
    segments: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    downloads: list[int] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    _sent: int = 0

    def __post_init__(self) -> None:
        self.external = ExternalTables(self.engine)

    @property
    def address(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def execute(self, *statements: str) -> None:
        """Run statements in Trino's dialect, not through the wire."""
        for statement in statements:
            self.engine.run(statement)
        self.statements()

    def statements(self) -> list[str]:
        """What was sent since this was last asked."""
        new = self.engine.statements[self._sent :]
        self._sent += len(new)
        return new

    def unfinished(self) -> list[str]:
        """Statements whose results lie open: neither read to the end, nor failed, nor cancelled."""
        return [query.sql for query in self.queries.values() if not query.is_over and query.error is None]

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        login: dict[str, Any] = {"method": "none", "user": "dvt"}
        if self.certificate:
            login = {"method": "ldap", "user": "dvt", "password": self.password, "cert": str(self.certificate)}
        place = {"type": "trino", "host": "127.0.0.1", "port": self.port, "database": CATALOG, "schema": "main"}
        return {**place, **login, **more}


@contextmanager
def running(behaviour: Behaviour | None = None, tls_folder: Path | None = None) -> Iterator[TrinoServer]:
    """Serve on a free port until the end of the block."""
    server = TrinoServer(behaviour=behaviour or Behaviour())
    handler = type("Handler", (_Handler,), {"fake": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    if tls_folder is not None:
        server.certificate, key = _certificate(tls_folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate, key)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def trino_place(folder: Path) -> Iterator[Place]:
    """The fake as the conformance tests take it."""
    with running() as server:
        yield Place("trino", Tag.FAKE, server.output(), server.execute, server.statements)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece
    fake: TrinoServer

    def log_message(self, *details: object) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        """A statement."""
        sql = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if not self._may_enter():
            return
        self.fake.headers.append(dict(self.headers))
        accepted = [part.strip() for part in self.headers.get("X-Trino-Query-Data-Encoding", "").split(",")]
        encoding = accepted[0] if self.fake.behaviour.spools else ""
        query = _Query(uuid.uuid4().hex, sql, encoding, self.fake.engine.cursor())
        self.fake.queries[query.id] = query
        schema = _existing(self.fake, self.headers.get("X-Trino-Schema") or "main")
        threading.Thread(target=_worked_out, args=(self.fake, query, schema), daemon=True).start()
        if self.fake.behaviour.post_failures:
            self._send(self.fake.behaviour.post_failures.pop(0), b"upstream")
            return
        self._json({**_head(self.fake, query, "QUEUED"), "nextUri": _next(self.fake, query, 0)})

    def do_GET(self) -> None:
        """A page of a result, or a segment."""
        parts = urlsplit(self.path).path.split("/")
        if parts[1:3] == ["v1", "spooled"]:
            self._segment(parts[3], parts[4])
            return
        if not self._may_enter():
            return
        query, token = self.fake.queries.get(parts[4]), int(parts[5])
        if query is None:
            self._send(404, b"Query not found")
            return
        failures = self.fake.behaviour.page_failures.get(token)
        if failures:
            self._send(failures.pop(0), b"upstream")
            return
        with query.lock:
            if token not in query.pages:
                query.pages = {token: _page(self.fake, query, token)}
            self._json(query.pages[token])

    def do_HEAD(self) -> None:
        """The client's heartbeat."""
        self._send(200, b"")

    def do_DELETE(self) -> None:
        """The end of a query."""
        query = self.fake.queries[urlsplit(self.path).path.split("/")[4]]
        self.fake.cancelled.append(query.sql)
        query.error = _failure(3, "USER_CANCELED", "Query was canceled")
        query.cursor.interrupt()
        self._send(204, b"")

    def _segment(self, verb: str, name: str) -> None:
        if verb == "ack":
            self.fake.acknowledged.append(name)
            self.fake.segments.pop(name, None)
            self._send(200, b"")
            return
        number, data = self.fake.segments[name]
        time.sleep(self.fake.behaviour.segment_delay_s(number))
        failures = self.fake.behaviour.segment_failures.get(number)
        failure = failures.pop(0) if failures else None
        self.fake.downloads.append(number)
        if isinstance(failure, int):
            self._send(failure, b"<Error>of the storage</Error>")
        else:
            self._send(200, data if failure is None else failure)

    def _may_enter(self) -> bool:
        if self.fake.certificate is None:
            return True
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and given == self.fake.token:
            return True
        if scheme == "Basic" and base64.b64decode(given).decode() == f"dvt:{self.fake.password}":
            return True
        self._send(401, b"Invalid credentials")
        return False

    def _json(self, answer: dict[str, Any]) -> None:
        self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)


def _existing(fake: TrinoServer, schema: str) -> str:
    """A session's schema need not be there; names without one are then found nowhere: here, in the empty one."""
    sql = "select 1 from information_schema.schemata where catalog_name = ? and schema_name = ?"
    return schema if fake.engine.cursor().own.execute(sql, [CATALOG, schema]).fetchone() else "main"


def _worked_out(fake: TrinoServer, query: _Query, schema: str) -> None:
    """Run a statement, in a thread of its own."""
    how = fake.behaviour
    try:
        refused = refusal(query.sql, how.connector, how.most_characters, how.fails)
        if refused is not None:
            query.error = _failure(*refused)
            return
        query.result = _asked(fake, query.sql, schema) or fake.engine.run(
            fake.external.as_seen(query.sql), schema, query.sql, cursor=query.cursor
        )
    except FakeSQLError as error:
        query.error = query.error or _failure(*_ERRORS[error.kind], _words(error, schema))
    finally:
        query.done.set()


def _page(fake: TrinoServer, query: _Query, token: int) -> dict[str, Any]:
    """The answer for a token of the paging."""
    how = fake.behaviour
    is_done = query.done.wait(_WAIT_S)
    if query.error is not None:
        return {**_head(fake, query, "FAILED"), "error": query.error}
    if token < how.queued_answers or not is_done:
        return {**_head(fake, query, "QUEUED"), "nextUri": _next(fake, query, token + 1)}
    assert query.result is not None
    columns = query.result.columns
    answer = {**_head(fake, query, "RUNNING"), "columns": [_column(column) for column in columns]}
    if not columns:
        query.result = None
        return {**_head(fake, query, "FINISHED"), "updateType": "CREATE TABLE"}
    is_spooled = bool(query.encoding)
    chunks = []
    try:
        for _ in range(how.segments_a_page if is_spooled else 1):
            if rows := query.result.fetchmany(how.page_rows):
                chunks.append(_wire_rows(rows, columns, how.zone))
    except Exception as error:
        query.error = query.error or _failure(65536, "GENERIC_INTERNAL_ERROR", str(error))
        return {**_head(fake, query, "FAILED"), "error": query.error}
    if not chunks:
        query.result = None
        return {**answer, "stats": {**_STATS, "state": "FINISHED"}}
    if is_spooled:
        answer["data"] = {"encoding": query.encoding, "segments": [_spooled(fake, query, rows) for rows in chunks]}
    else:
        answer["data"] = chunks[0]
        query.rows += len(chunks[0])
    if how.breaks_after is not None and query.rows >= how.breaks_after[0]:
        query.error = how.breaks_after[1]
    return {**answer, "nextUri": _next(fake, query, token + 1)}


def _spooled(fake: TrinoServer, query: _Query, rows: list[Any]) -> dict[str, Any]:
    """A segment, kept until it is acknowledged, or in the answer itself when it is small."""
    raw = json.dumps(rows, separators=(",", ":")).encode()
    metadata = {"rowsCount": len(rows), "rowOffset": query.rows, "segmentSize": len(raw)}
    query.rows += len(rows)
    if len(raw) < fake.behaviour.inline_bytes:
        return {"type": "inline", "data": base64.b64encode(raw).decode(), "metadata": metadata}
    data = _compressed(raw, query.encoding)
    if query.encoding != "json":
        metadata.update(segmentSize=len(data), uncompressedSize=len(raw))
    name = uuid.uuid4().hex
    fake.segments[name] = next(fake.numbers), data
    return {
        "type": "spooled",
        "uri": f"{fake.address}/v1/spooled/download/{name}?X-Signature=s1gned-{name}",
        "ackUri": f"{fake.address}/v1/spooled/ack/{name}",
        "headers": {"x-segment-key": ["k"]},
        "metadata": metadata,
    }


def _compressed(raw: bytes, encoding: str) -> bytes:
    if encoding == "json+zstd":
        import zstandard

        return zstandard.compress(raw)
    if encoding == "json+lz4":
        import lz4.block

        return bytes(lz4.block.compress(raw, store_size=False))
    return raw


def _wire_rows(rows: list[tuple[Any, ...]], columns: list[FakeColumn], zone: str) -> list[list[Any]]:
    natives = [column.native or duckdb_native(column.stored) for column in columns]
    return [
        [wire_value(value, native, column, zone) for value, native, column in zip(row, natives, columns, strict=True)]
        for row in rows
    ]


def _column(column: FakeColumn) -> dict[str, Any]:
    sign = signature(column.native or duckdb_native(column.stored))
    return {"name": column.name, "type": text(sign), "typeSignature": sign}


def _head(fake: TrinoServer, query: _Query, state: str) -> dict[str, Any]:
    return {"id": query.id, "infoUri": f"{fake.address}/ui/query.html?{query.id}", "stats": {**_STATS, "state": state}}


def _next(fake: TrinoServer, query: _Query, token: int) -> str:
    return f"{fake.address}/v1/statement/executing/{query.id}/{token}"


def _words(error: FakeSQLError, schema: str) -> str:
    """Trino's own words, where it has some of its own."""
    known = {
        "table": f"Table '{CATALOG}.{schema}.{error.name}' does not exist",
        "schema": f"Schema '{error.name}' does not exist",
        "column": f"Column '{error.name}' cannot be resolved",
    }
    return f"line 1:1: {known.get(error.kind, error.message)}"


def _failure(code: int, name: str, message: str) -> dict[str, Any]:
    kind = "USER_ERROR" if code < 65536 else "INTERNAL_ERROR"
    info = {"type": "io.trino.spi.TrinoException", "message": message, "suppressed": [], "stack": []}
    return {"message": message, "errorCode": code, "errorName": name, "errorType": kind, "failureInfo": info}


def _asked(fake: TrinoServer, sql: str, schema: str) -> FakeResult | None:
    """SHOW STATS FOR: the row of the whole table, as Trino gives it last. And what catalogues there are."""
    if "system.metadata.catalogs" in sql:
        listed = f"('{CATALOG}', '{fake.behaviour.connector}'), ('{FILES}', 'hive')"
        about = f"values {listed}) as catalogs (catalog_name, connector_name)"
        return fake.engine.run(sql.replace("system.metadata.catalogs", f"({about}"), schema, sql)
    found = _STATISTICS.match(sql)
    if found is None:
        return None
    return fake.engine.run(
        "select cast(null as varchar) as column_name, cast(null as double) as data_size,"
        " cast(null as double) as distinct_values_count, cast(null as double) as nulls_fraction,"
        f" cast(count(*) as double) as row_count from {found.group(1)}", schema, sql
    )  # fmt: skip


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def header(headers: dict[str, str], name: str) -> str:
    """A header that was sent, its value unquoted."""
    return unquote(next((value for key, value in headers.items() if key.lower() == name.lower()), ""))
