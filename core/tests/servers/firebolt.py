"""A server that speaks Firebolt Core's HTTP to firebolt-sdk: ours, over DuckDB.

It streams lines of JSON, knows queries by their labels, cancels them, and fails on the way when it is told. It proves
how dvt uses the vendor's client. It proves nothing of Firebolt's SQL, of its accounts, engines and logins (Core has
none), TLS and limits: queries are PostgreSQL's as sqlglot reads them, run by DuckDB.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from servers.fake_sql import FakeCursor, FakeSQL, FakeSQLError
from servers.firebolt_copy import copy, with_bytes
from servers.firebolt_writing import Transactions, drop_views, insert
from servers.hash_words import of_postgres_kin, rewriting
from servers.place import Place, Tag

_NAMES = {"BIGINT": "long", "INTEGER": "int", "HUGEINT": "long", "VARCHAR": "text", "DOUBLE": "double"}
_NAMES |= {"BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz"}
_NAMES |= {"FLOAT": "real", "BLOB": "bytea", "SMALLINT": "int"}
_CANCEL = re.compile(r"(?i)^cancel query where query_id = '([^']+)'$")
_LOOK_UP = re.compile(r"(?i)engine_running_queries where query_label = '([^']+)'$")


@dataclass(frozen=True)
class Canned:
    """The answer to a statement: columns as name and type, and rows as texts of JSON.

    Args:
        is_cut: The connection ends after the rows, without the last line.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[str] = ()
    is_cut: bool = False


_HASHED = rewriting(of_postgres_kin)


@dataclass
class FireboltServer:
    """A running server."""

    port: int = 0
    sql: FakeSQL = field(
        default_factory=lambda: FakeSQL("postgres", database="shop", rewrite=lambda tree: _HASHED(with_bytes(tree)))
    )
    canned: dict[str, Canned] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)  # labels by ids
    cursors: dict[str, FakeCursor] = field(default_factory=dict)  # by ids, too
    cancelled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.transactions = Transactions(self.sql)

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        return {
            "type": "firebolt",
            "url": f"http://127.0.0.1:{self.port}",
            "database": "shop",
            "schema": "main",
            **more,
        }

    def taken(self) -> list[str]:
        """What was sent since this was last asked."""
        found, self.requests[:] = [sql for sql, _ in self.requests], []
        return found


@contextmanager
def running() -> Iterator[FireboltServer]:
    """Start a server in threads of this process."""
    server = FireboltServer()
    handler = type("BoundHandler", (Handler,), {"fake": server})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    server.port = http.server_address[1]
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


@contextmanager
def firebolt_place() -> Iterator[Place]:
    """The place of the conformance kit."""
    with running() as server:
        yield Place("firebolt", Tag.FAKE, server.output(), lambda sql: server.sql.run(sql) and None, server.taken)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FireboltServer
    _headers: Mapping[str, str] = MappingProxyType({})

    def log_message(self, *words: Any) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        sql = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parameters = dict(parse_qsl(urlsplit(self.path).query))
        self.fake.requests.append((sql, parameters))
        self._headers = {}
        with suppress(OSError):
            try:
                self._answer(sql, parameters)
            except FakeSQLError as error:
                headers = self.fake.transactions.failed(parameters)
                self._whole(400, {"errors": [{"description": _words(error)}]}, headers)

    def _answer(self, sql: str, parameters: dict[str, str]) -> None:
        if sql.upper() in ("BEGIN", "COMMIT", "ROLLBACK"):
            transactions = self.fake.transactions
            headers = transactions.begin() if sql.upper() == "BEGIN" else transactions.end(sql.lower(), parameters)
            self._whole(200, {"meta": [], "data": [], "rows": 0, "statistics": {"elapsed": 0.1}}, headers)
        elif cancel := _CANCEL.match(sql):
            self.fake.cancelled.add(cancel[1])
            if cursor := self.fake.cursors.get(cancel[1]):
                cursor.interrupt()
            self._rows([("x", "int")], iter([]), parameters)
        elif look_up := _LOOK_UP.search(sql):
            ids = [[query_id] for query_id, label in self.fake.running.items() if label == look_up[1]]
            self._rows([("query_id", "text")], iter([ids]), parameters)
        elif "select version()" in sql:
            self._rows([("v", "text")], iter([[["4.99.0 (fake)"]]]), parameters)
        else:
            query_id = f"q{len(self.fake.requests)}"
            self.fake.running[query_id] = parameters.get("query_label", "")
            try:
                self._query(sql, parameters, query_id)
            finally:
                self.fake.running.pop(query_id, None)
                self.fake.cursors.pop(query_id, None)

    def _query(self, sql: str, parameters: dict[str, str], query_id: str) -> None:
        for part, canned in self.fake.canned.items():
            if part in sql:
                # As it was written: the digits of a fraction are not to change.
                raw = ", ".join([f"[{row}]" for row in canned.rows])
                portions = iter([] if "LIMIT 0" in sql else [f'{{"message_type": "DATA", "data": [{raw}]}}'])
                self._rows(canned.columns, portions, parameters, query_id, is_cut=canned.is_cut)
                return
        if re.match(r"(?is)^with .*\(\s*(delete|insert|update|merge)\b", sql):
            raise FakeSQLError("syntax", "syntax error, unexpected DELETE")
        cursor, self._headers = self.fake.transactions.cursor(parameters)
        self.fake.cursors[query_id] = cursor
        if copy(self.fake.sql, cursor, sql) or insert(self.fake.sql, cursor, sql):
            self._rows([], iter([]), parameters, query_id)
            return
        drop_views(self.fake.sql, cursor, sql)
        result = self.fake.sql.run(sql, cursor=cursor)
        columns = [(column.name, _name(column.stored)) for column in result.columns]
        portions = iter(lambda: [[_encoded(v) for v in row] for row in result.fetchmany(1000)], [])
        self._rows(columns, portions, parameters, query_id)

    def _rows(
        self, columns: Any, portions: Any, parameters: dict[str, str], query_id: str = "", *, is_cut: bool = False
    ) -> None:
        named = [{"name": name, "type": type_} for name, type_ in columns]
        if not parameters.get("output_format", "").startswith("JSONLines"):
            data = [row for rows in portions for row in rows]
            answer = {"meta": named, "data": data, "rows": len(data), "statistics": {"elapsed": 0.1}}
            self._whole(200, answer, self._headers)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        about = {"query_id": query_id, "query_label": parameters.get("query_label", ""), "request_id": "r"}
        self._line({"message_type": "START", "result_columns": named, **about})
        try:
            for rows in portions:
                self._line(rows if isinstance(rows, str) else {"message_type": "DATA", "data": rows})
            last: dict[str, Any] = {"message_type": "FINISH_SUCCESSFULLY", "statistics": {"elapsed": 0.1}}
        except OSError:
            self.close_connection = True
            return
        except Exception as error:
            told = [{"description": _words(error)}]
            last = {"message_type": "FINISH_WITH_ERRORS", "errors": told, "statistics": {"elapsed": 0.1}, **about}
        if is_cut:
            self.close_connection = True
            return
        self._line(last)
        self.wfile.write(b"0\r\n\r\n")

    def _line(self, message: str | dict[str, Any]) -> None:
        # As it is: JSON lets U+2028 and its like stand in a text.
        text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        body = text.encode() + b"\n"
        self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")

    def _whole(self, status: int, answer: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _name(stored: str) -> str:
    if stored.startswith("DECIMAL"):
        return stored.replace("DECIMAL", "numeric").replace(",", ", ")
    return _NAMES.get(stored, "text") + " null"


def _encoded(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


def _words(error: Exception) -> str:
    if isinstance(error, FakeSQLError) and error.kind == "cancelled":
        return "query was cancelled"
    if isinstance(error, FakeSQLError) and error.kind in ("table", "schema", "column"):
        return f'{error.kind} "{error.name}" does not exist'
    return str(error)
