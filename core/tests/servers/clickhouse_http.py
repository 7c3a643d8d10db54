"""ClickHouse's HTTP interface around chdb: the engine is the real one, embedded; the transport is our own.

What goes over the wire (values, types, errors of queries, settings, formats) is ClickHouse's. What this file makes up
is how it travels: logging in, sending a result in chunks, ending one that fails on the way, and the name of a query,
which stands in a comment because chdb gives queries names of its own. It proves nothing of TLS, users' rights, clusters
and quotas. Run as `python clickhouse_http.py PORT FOLDER`, with the user's name and password in the environment.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import pyarrow as pa

_TRANSPORT = frozenset(
    {
        *("query", "database", "user", "password", "query_id", "default_format", "session_id", "session_timeout"),
        *("session_check", "compress", "decompress", "enable_http_compression", "client_protocol_version", "role"),
        *("wait_end_of_query", "buffer_size", "quota_key", "http_headers_progress_interval_ms"),
        "send_progress_in_http_headers",
    }
)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_INSERT = re.compile(r"^(\s*INSERT INTO .*?)\s+FORMAT\s+(\w+)\s*$", re.IGNORECASE | re.DOTALL)
_KILL = re.compile(r"^\s*KILL QUERY WHERE query_id = (.*?)(\s+(?:A?SYNC))?\s*$", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")
_AT_ONCE_BYTES = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """One request, with a session of its own."""

    protocol_version = "HTTP/1.1"
    # As a server does: or the body waits for the head's acknowledgement, which the client puts off for 40 ms.
    disable_nagle_algorithm = True
    folder: str
    credentials: tuple[str, str]

    def log_message(self, *details: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        """`/ping`, or a query in the address."""
        self._answer(b"")

    def do_POST(self) -> None:
        """A query in the body, or in the address with more of it in the body."""
        self._answer(self._body())

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length")
        if length is not None:
            return self.rfile.read(int(length))
        parts = []
        while size := int(self._line(), 16):
            parts.append(self.rfile.read(size))
            self._line()
        self._line()
        return b"".join(parts)

    def _line(self) -> bytes:
        """A body that ends before its last chunk is none: a server inserts nothing of what follows."""
        line = self.rfile.readline()
        if not line:
            raise ConnectionAbortedError("the client has gone")
        return line.strip()

    def _answer(self, body: bytes) -> None:
        address = urlsplit(self.path)
        if address.path == "/ping":
            self._send(b"Ok.\n")
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        given = dict(parse_qsl(address.query, keep_blank_values=True))
        if self._login(given) != self.credentials:
            name = self._login(given)[0]
            self._fail(f"Code: 516. DB::Exception: {name}: Authentication failed: password is incorrect, or there is no"
                       " user with such name. (AUTHENTICATION_FAILED)", 403)  # fmt: skip
            return
        insert = _INSERT.match(given.get("query", ""))
        sql = given["query"] if insert else "\n".join(part for part in (given.get("query", ""), body.decode()) if part)
        session = chdb.connect(self.folder)
        try:
            with tempfile.NamedTemporaryFile() as rows:
                if insert:  # the rows stand in the body, in the format that the statement ends with
                    rows.write(body)
                    rows.flush()
                    sql = f"{insert.group(1)} FROM INFILE {_text(rows.name)} FORMAT {insert.group(2)}"
                self._run(session, sql, given, is_insert=bool(insert))
        except Exception as error:
            self._fail(str(error))
        finally:
            session.close()

    def _login(self, given: dict[str, str]) -> tuple[str, str]:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            user, _, password = base64.b64decode(encoded).decode().partition(":")
            return user, password
        header = self.headers.get("X-ClickHouse-User", "default"), self.headers.get("X-ClickHouse-Key", "")
        return given.get("user", header[0]), given.get("password", header[1])

    def _run(self, session: Any, sql: str, given: dict[str, str], *, is_insert: bool) -> None:
        database = given.get("database") or self.headers.get("X-ClickHouse-Database")
        if database:
            session.query("USE " + _name(database))
        settings = {k: v for k, v in given.items() if k not in _TRANSPORT and not k.startswith("param_")}
        # `readonly` comes last: it forbids what a read-only session may not set.
        names = sorted(settings, key=lambda name: name == "readonly")
        if names:
            session.query("SET " + ", ".join(f"{name} = {_text(settings[name])}" for name in names))
        parameters = {k[6:]: v for k, v in given.items() if k.startswith("param_")}
        found = None if is_insert else _FORMAT.search(sql)
        format_ = found.group(1) if found else given.get("default_format", "")
        format_ = format_ or self.headers.get("X-ClickHouse-Format") or "TabSeparated"
        sql = sql[: found.start()] if found else sql
        kill = _KILL.match(sql)
        if kill:
            name = parameters["id"] if "{" in kill.group(1) else kill.group(1).strip("' ")
            sql, parameters = f"KILL QUERY WHERE query LIKE {_text(f'/* {name} */%')}{kill.group(2) or ''}", {}
        if "query_id" in given:
            sql = f"/* {given['query_id']} */ {sql}"
        if format_ == "ArrowStream":
            self._stream(session, sql)
            return
        result = session.query(sql, format_, params=parameters) if parameters else session.query(sql, format_)
        self._send(result.bytes() if result is not None else b"", format_)

    def _stream(self, session: Any, sql: str) -> None:
        """Send blocks as they come. chdb makes each a stream of its own; they go out as the one that a server sends."""
        result = session.send_query(sql, "ArrowStream")
        is_begun = False
        try:
            blocks = _blocks(result)
            first = next(blocks, None)
            if first is None:  # a server sends the schema all the same
                first = pa.ipc.open_stream(session.query(sql, "ArrowStream").bytes()).read_all()
            is_begun = True
            self._head(200, {"X-ClickHouse-Format": "ArrowStream", "Transfer-Encoding": "chunked"})
            writer = pa.ipc.new_stream(_Chunks(self), first.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
            for table in itertools.chain([first], blocks):
                for batch in table.to_batches():
                    writer.write_batch(batch)
            writer.close()
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:
            if not is_begun:
                raise
            # What a server does: the exception's text follows the rows, and the body never ends.
            text = b"\r\n__exception__\r\n" + _words(error).encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.close_connection = True
        finally:
            result.cancel()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("X-ClickHouse-Summary", '{"read_rows":"0","read_bytes":"0","written_rows":"0"}')
        self.send_header("X-ClickHouse-Timezone", "UTC")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, format_: str = "", status: int = 200, code: str = "") -> None:
        headers = {"X-ClickHouse-Format": format_} if format_ else {}
        if code:
            headers["X-ClickHouse-Exception-Code"] = code
        if "gzip" in self.headers.get("Accept-Encoding", "") and "enable_http_compression=1" in self.path:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        self._head(status, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _fail(self, message: str, status: int = 500) -> None:
        code = _CODE.search(message)
        number = code.group(1) if code else "1002"
        self._send(message.encode(), status=404 if number in ("60", "81") else status, code=number)


class _Chunks:
    """A file whose writes are chunks of the body, a few at once."""

    closed = False

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if len(view):
            self._handler.wfile.write(b"%x\r\n" % len(view))
            self._handler.wfile.write(view)
            self._handler.wfile.write(b"\r\n")
        return len(view)

    def flush(self) -> None:
        """Nothing is kept."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The body has its own end."""


def _blocks(result: Any) -> Iterator[pa.Table]:
    for chunk in result:
        if data := chunk.bytes():
            yield pa.ipc.open_stream(data).read_all()


def _words(error: Exception) -> str:
    """ClickHouse's own words, without chdb's."""
    text = str(error)
    return text[max(text.find("Code: "), 0) :]


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _name(value: str) -> str:
    return "`" + value.replace("\\", "\\\\").replace("`", "\\`") + "`"


def main() -> None:
    """Serve until the process is ended."""
    port, Handler.folder = int(sys.argv[1]), sys.argv[2]
    Handler.credentials = os.environ["DVT_TEST_USER"], os.environ["DVT_TEST_PASSWORD"]
    engine = chdb.connect(Handler.folder)  # the sessions of requests share it
    engine.query("select 1")
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
