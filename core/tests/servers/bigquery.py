"""An emulated BigQuery for the tests: local-bigquery behind `bigquery_emulator`, in an environment of its own.

It shows what dvt asks of Google's clients, and what they make of answers in BigQuery's form. It shows nothing of
BigQuery's SQL, rights, quotas, slots, costs or TLS: SQL is run by DuckDB. The emulator needs Python 3.13.
"""

from __future__ import annotations

import base64
import http.client
import importlib.util
import io
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from servers.own_environment import NotToBeHad, interpreter
from servers.process import free_port

PACKAGES = (
    "local-bigquery==0.3.2",
    "duckdb==1.5.5",
    "duckdb-extensions",
    "duckdb-extension-ducklake==1.5.5",
    "duckdb-extension-spatial==1.5.5",
)
PYTHON = "3.13"
PROJECT, DATASET, TOKEN = "dvt", "shop", "ya29-token-geheim"
STREAM_ROWS = 500
_START_S = 90


@dataclass(frozen=True)
class BigQueryServer:
    """A running server.

    Args:
        port: Loopback port of the REST interface.
        grpc_port: Loopback port of the Storage Read and Write APIs.
        pid: Process id.
    """

    port: int
    grpc_port: int
    pid: int

    def output(self, dvt: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """A profile output for the server."""
        return {
            "type": "bigquery",
            "method": "oauth-secrets",
            "token": TOKEN,
            "project": PROJECT,
            "dataset": DATASET,
            "api_endpoint": f"http://127.0.0.1:{self.port}",
            "dvt": {"storage_endpoint": f"http://127.0.0.1:{self.grpc_port}", **(dvt or {})},
            **more,
        }

    def execute(self, *statements: str) -> None:
        """Run statements, past dvt."""
        for statement in statements:
            self.query(statement)

    def query(self, sql: str) -> list[list[Any]]:
        """Rows as the REST interface writes them: texts."""
        asked = {"query": sql, "useLegacySql": False, "defaultDataset": {"projectId": PROJECT, "datasetId": DATASET}}
        answer = self._post(f"/bigquery/v2/projects/{PROJECT}/queries", asked)
        if "error" in answer:
            raise AssertionError(f"{sql}\n{answer['error']['message']}")
        return [[cell["v"] for cell in row["f"]] for row in answer.get("rows", ())]

    def statements(self) -> list[str]:
        """What it was sent since it was last asked.

        Queries, read sessions as `read table (columns) where ...`, `load` for a load job, and for the Storage Write API
        `create PENDING stream`, `append ROWS at OFFSET`, `finalize`, `commit`.
        """
        found: list[str] = self._post("/dvt/statements", {})
        return found

    def open_streams(self) -> list[str]:
        """Canned streams that are being read."""
        found: list[str] = self._post("/dvt/open", {})
        return found

    def write_fault(self, fault: str = "", at: int = 1, message: str = "") -> None:
        """What happens to the append of that number from now on, by `bigquery_writing`; nothing where none is named."""
        self._post("/dvt/writing", {"fault": fault, "at": at, "message": message})

    def reads(self, endpoint: str) -> None:
        """Where the objects are from now on that load jobs name: an address of Google's storage, emulated."""
        self._post("/dvt/store", {"endpoint": endpoint})

    def open_appends(self) -> int:
        """Calls of AppendRows that are open."""
        return int(self._post("/dvt/writing", {})["open"])

    def can(
        self, name: str, fields: Sequence[dict[str, Any]], streams: Sequence[Sequence[pa.Table]], **more: Any
    ) -> None:
        """Put a table whose name begins with CANNED.

        Args:
            name: The table.
            fields: Its schema in the words of the REST interface.
            streams: The batches of each stream, in BigQuery's Arrow form.
            more: `fault`: "breaks once", "fails" or "endless"; `refused`: a gRPC status.
        """
        schema = next((batch.schema for batches in streams for batch in batches), pa.schema([]))
        packed = [[base64.b64encode(_ipc(batch)).decode() for batch in batches] for batches in streams]
        written = base64.b64encode(schema.serialize().to_pybytes()).decode()
        self._post("/dvt/canned", {"name": name, "fields": list(fields), "schema": written, "streams": packed, **more})

    def _post(self, path: str, body: Any) -> Any:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            client.request("POST", path, json.dumps(body), headers)
            return json.loads(client.getresponse().read())
        finally:
            client.close()


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[BigQueryServer]:
    """A server of its own for this test process."""
    try:
        found = importlib.util.find_spec("google.cloud.bigquery_storage")
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip("Google's clients are not installed (pip install 'dvt[bigquery]')")
    try:
        python = interpreter("local-bigquery", PACKAGES, PYTHON)
    except NotToBeHad as error:
        pytest.skip(str(error))
    with running(python) as server:
        yield server


@contextmanager
def running(python: str) -> Iterator[BigQueryServer]:
    """Start a server with an interpreter that has local-bigquery, and end it."""
    server = BigQueryServer(free_port(), free_port(), 0)
    home = Path(python).parents[1] / "home"  # DuckDB's extensions are kept there
    home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dvt-bigquery-") as folder:
        log = Path(folder) / "log"
        more = {"HOME": str(home), "DVT_TEST_TOKEN": TOKEN, "DVT_TEST_STREAM_ROWS": str(STREAM_ROWS)}
        program = Path(__file__).with_name("bigquery_emulator.py")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [python, "-I", str(program), str(server.port), str(server.grpc_port), str(Path(folder) / "data")],
                env={**os.environ, **more},
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            _wait_until_up(server, process, log)
            server.execute(f"create schema if not exists {DATASET}")
            yield BigQueryServer(server.port, server.grpc_port, process.pid)
        finally:
            process.kill()  # its data is thrown away
            process.wait()


def _wait_until_up(server: BigQueryServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            server.statements()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the BigQuery server did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        else:
            return


def _ipc(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
