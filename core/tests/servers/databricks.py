"""A stand-in for a Databricks SQL warehouse: the connector's own Thrift service and cloud downloads.

The protocol is spoken by the code that databricks-sql-connector ships for its server's side, and read by the unmodified
connector; the statements are run by `fake_sql`, that is by DuckDB. It shows what our own code asks for and makes of the
answers: options, batches, types by the statement or as the test gives them, links that fail, cancelling, errors by
their class. It proves nothing of Databricks' SQL, of Unity Catalog, of photon's values, of TLS, of OAuth beyond one
token, or of speed.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt

from servers.databricks_service import Warehouse
from servers.place import Place, Tag

TOKEN = "dapi-5ecret/&t0ken"
CLIENT = ("a-service-principal", "dose-5ecret")
VOLUME = "/Volumes/lake/sales/landing"
PATH = "/sql/1.0/warehouses/0123456789abcdef"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece
    warehouse: Warehouse

    def log_message(self, *details: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        """One file of a result."""
        status, body = self.warehouse.download(self.path.rpartition("/")[2], self.headers)
        if status == 0:  # what a connection that breaks looks like
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self._send(status, body)

    def do_POST(self) -> None:
        """A Thrift message, or a request for a token."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/oidc/v1/token":
            self._token(body)
            return
        self.warehouse.agents.append(self.headers["User-Agent"])
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or given not in self.warehouse.tokens:
            status, words = (403, "Invalid access token.") if scheme == "Bearer" else (401, "Credential was not sent.")
            self._send(status, b"", {"x-databricks-reason-phrase": words})
            return
        if self.path != PATH:
            self._send(404, b"", {"x-databricks-error-or-redirect-message": "the endpoint does not exist"})
            return
        if self.warehouse.refusals:
            self._send(self.warehouse.refusals.pop(0), b"", {"x-databricks-reason-phrase": "TEMPORARILY_UNAVAILABLE"})
            return
        self._send(200, self.warehouse.answer(body))

    def do_PUT(self) -> None:
        """A file for a volume."""
        self._signed("PUT")

    def do_DELETE(self) -> None:
        """A file of a volume goes."""
        self._signed("DELETE")

    def _signed(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.warehouse.volumes.request(method, self.path.rpartition("/")[2], self.headers, body)
        self._send(status, b"" if status < 300 else b"<Error><Code>AccessDenied</Code></Error>")

    def _token(self, body: bytes) -> None:
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        form = parse_qs(body.decode())
        if given != ":".join(CLIENT) or form.get("grant_type") != ["client_credentials"]:
            self._send(401, json.dumps({"error": "invalid_client", "error_description": "Client secret"}).encode())
            return
        ends = int(time.time()) + self.warehouse.token_s
        claims = {"iss": f"https://127.0.0.1:{self.warehouse.port}", "exp": ends, "jti": uuid.uuid4().hex}
        token = jwt.encode(claims, "a key that only this stand-in knows")
        self.warehouse.tokens.add(token)
        reply = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.warehouse.token_s,
            "scope": "all-apis",
        }
        self._send(200, json.dumps(reply).encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *place: Any) -> None:
        super().__init__(*place)
        self._clients: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection, which is kept to be ended with the server."""
        client, address = super().get_request()
        self._clients.append(client)
        return client, address

    def server_close(self) -> None:
        """The port is closed, and so are the connections."""
        super().server_close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""


@contextmanager
def running() -> Iterator[Warehouse]:
    """A warehouse of its own, on a free loopback port."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {}))
    warehouse = Warehouse(server.server_address[1], TOKEN)
    server.RequestHandlerClass.warehouse = warehouse  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield warehouse
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def output(warehouse: Warehouse, **more: Any) -> dict[str, Any]:
    """The profile output that reaches it: over plain HTTP, which only the connector's own parameter allows."""
    parameters = {"_connection_uri": f"http://127.0.0.1:{warehouse.port}{PATH}", "_retry_delay_min": 0.1}
    parameters |= {"_retry_delay_max": 0.1, "_retry_stop_after_attempts_count": 3, "_socket_timeout": 30}
    given = {"host": f"127.0.0.1:{warehouse.port}", "http_path": PATH, "token": TOKEN, "catalog": "lake"}
    given |= {"type": "databricks", "schema": "sales", **more}
    given["connection_parameters"] = {**parameters, **more.get("connection_parameters", {})}
    return given


@contextmanager
def databricks_place(folder: Path) -> Iterator[Place]:
    """The warehouse as the tests that all engines share know it."""
    with running() as warehouse:
        warehouse.execute("create schema lake.sales")
        yield Place("databricks", Tag.FAKE, output(warehouse), warehouse.execute, warehouse.taken)
