"""An emulated Snowflake for the tests: fakesnow behind `snowflake_http`, in a process and an environment of its own.

It shows what dvt asks of Snowflake's client, and what the client makes of answers in Snowflake's form. It shows nothing
of Snowflake's SQL, rights, warehouses, TLS, throttling or speed: SQL is run by DuckDB.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from servers.own_environment import NotToBeHad, interpreter
from servers.place import Place, Tag
from servers.process import free_port

PACKAGES = ("fakesnow[server]==0.12.1", "snowflake-connector-python>=4.8,<5")
# fakesnow needs Python 3.11; the tests' own one is taken where it is no older.
PYTHON = "" if sys.version_info >= (3, 11) else "3.11"
DATABASE, SCHEMA, USER, PASSWORD = "SHOP", "PUBLIC", "dvt", "pa55 w'or\"d`%\\"
TOKEN = "ver1-hint-token-geheim"
CHUNK_ROWS = 500
_START_S = 60


@dataclass(frozen=True)
class SnowflakeServer:
    """A running server.

    Args:
        port: Its loopback port.
        key: A private key that it knows, PEM.
        pid: Process id.
    """

    port: int
    key: bytes
    pid: int

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output for the server."""
        return {
            "type": "snowflake",
            "account": "test",
            "user": USER,
            "password": PASSWORD,
            "warehouse": "WH",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "connect_retries": 0,
            "database": DATABASE,
            "schema": SCHEMA,
            **more,
        }

    def execute(self, *statements: str) -> None:
        """Run statements, past dvt, through the protocol as little as it takes."""
        for statement in statements:
            self.query(statement)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows as the server sends them, after logging in anew."""
        login = {"data": {"SESSION_PARAMETERS": {}, "PASSWORD": PASSWORD}}
        where = f"?databaseName={DATABASE}&schemaName={SCHEMA}"
        token = self._post(f"/session/v1/login-request{where}", login)["data"]["token"]
        answer = self._post(
            "/queries/v1/query-request", {"sqlText": sql}, {"Authorization": f'Snowflake Token="{token}"'}
        )
        if not answer["success"]:
            raise AssertionError(f"{sql}\n{answer['message']}")
        data = answer["data"]
        if data["queryResultFormat"] != "arrow" or not data["rowsetBase64"]:
            return []
        rows: list[dict[str, Any]] = pa.ipc.open_stream(base64.b64decode(data["rowsetBase64"])).read_all().to_pylist()
        return rows

    def statements(self) -> list[str]:
        """What it was sent since it was last asked; descriptions begin with a comment."""
        found: list[str] = self._post("/dvt/statements", {})
        return found

    def logins(self) -> list[dict[str, Any]]:
        """Who tried to log in, and with which parameters, since it was last asked."""
        found: list[dict[str, Any]] = self._post("/dvt/logins", {})
        return found

    def reads(self, **store: str) -> None:
        """Where external stages are from now on: the arguments of pyarrow's file system for S3."""
        self._post("/dvt/store", store)

    def stages(self) -> list[str]:
        """The stages that there are."""
        found: list[str] = self._post("/dvt/stages", {})["stages"]
        return found

    def grants(self) -> dict[str, list[str]]:
        """What was granted on tables, as far as it was not lost."""
        found: dict[str, list[str]] = self._post("/dvt/stages", {})["grants"]
        return found

    def can(self, name: str, described: Sequence[dict[str, Any]], chunks: Sequence[pa.Table] = (), **more: Any) -> None:
        """Put a result in place of a relation whose name begins with CANNED.

        Args:
            name: The relation.
            described: Its columns in the words of the protocol.
            chunks: Rows in Snowflake's wire form: fields have `logicalType`, `scale` and so on as metadata.
            more: `sent`: the columns of the result when they are others; `total`, `error`, `fault`.
        """
        packed = [(base64.b64encode(_ipc(chunk)).decode(), chunk.num_rows) for chunk in chunks]
        self._post("/dvt/canned", {"name": name, "described": list(described), "chunks": packed, **more})

    def _post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            client.request("POST", path, json.dumps(body), headers or {})
            return json.loads(client.getresponse().read())
        finally:
            client.close()


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[SnowflakeServer]:
    """A server of its own for this test process."""
    if importlib.util.find_spec("snowflake") is None:
        pytest.skip("the connector is not installed (pip install 'dvt[snowflake]')")
    try:
        python = interpreter("fakesnow", PACKAGES, PYTHON)
    except NotToBeHad as error:
        pytest.skip(str(error))
    with running(python) as server:
        yield server


@contextmanager
def snowflake_place(folder: Path) -> Iterator[Place]:
    """The server as the conformance kit takes it."""
    with running(interpreter("fakesnow", PACKAGES, PYTHON)) as server:
        execute: Callable[[str], None] = server.execute
        yield Place("snowflake", Tag.EMULATED, server.output(), execute, server.statements)


@contextmanager
def running(python: str) -> Iterator[SnowflakeServer]:
    """Start a server with an interpreter that has fakesnow, and end it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    fingerprint = base64.b64encode(hashlib.sha256(public).digest()).decode()
    port = free_port()
    users = {"password": PASSWORD, "token": TOKEN, "key": fingerprint}
    with tempfile.TemporaryDirectory(prefix="dvt-snowflake-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                # Isolated: this file has the name of the connector's package.
                [python, "-I", str(Path(__file__).with_name("snowflake_http.py")), str(port)],
                env={**os.environ, "DVT_TEST_USERS": json.dumps(users), "DVT_TEST_CHUNK_ROWS": str(CHUNK_ROWS)},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            server = SnowflakeServer(port, key.private_bytes(*form), process.pid)
            _wait_until_up(server, process, log)
            server.execute(
                f"create database if not exists {DATABASE}", f"create schema if not exists {DATABASE}.{SCHEMA}"
            )
            yield server
        finally:
            process.kill()  # its data is in memory
            process.wait()


def _wait_until_up(server: SnowflakeServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            server.statements()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the Snowflake server did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        else:
            return


def _ipc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
