"""A service that speaks Athena's JSON API to boto3: ours, over DuckDB, with moto for S3.

Queries are queued and run, UNLOAD writes Parquet and a manifest, results come in pages, and a query can be stopped. It
proves what dvt asks of the API and what it makes of the answers. It proves nothing of Athena's SQL, Glue, Lake
Formation, workgroups, permissions, signatures (none is checked but the key's name) and limits: queries are Trino's as
sqlglot reads them, run by DuckDB. Tables of files are Glue's (moto's), and read as athena_tables.py says.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from servers.athena_tables import HiveTables
from servers.fake_sql import FakeCursor, FakeSQL, FakeSQLError
from servers.hash_words import of_trino, rewriting
from servers.place import Place, Tag

_UNLOAD = re.compile(r"(?is)^UNLOAD \((?P<query>.*)\) TO 's3://(?P<bucket>[^/]+)/(?P<prefix>[^']+)' WITH \(.*\)$")
_NAMES = {"BIGINT": "bigint", "INTEGER": "integer", "SMALLINT": "smallint", "TINYINT": "tinyint", "HUGEINT": "bigint"}
_NAMES |= {"VARCHAR": "varchar", "DOUBLE": "double", "FLOAT": "float", "BOOLEAN": "boolean", "DATE": "date"}
_NAMES |= {"TIMESTAMP": "timestamp", "BLOB": "varbinary"}
_REASONS = {
    "table": "TABLE_NOT_FOUND",
    "schema": "SCHEMA_NOT_FOUND",
    "column": "COLUMN_NOT_FOUND",
    "syntax": "SYNTAX_ERROR",
    "hive": "HIVE_BAD_DATA",
}
_PAGE = 1000


@dataclass(frozen=True)
class Canned:
    """The answer to a statement.

    Args:
        columns: Name, type, precision and scale.
        table: What UNLOAD writes; None for nothing.
        rows: What pages hold.
    """

    columns: Sequence[tuple[str, str, int, int]]
    table: pa.Table | None = None
    rows: Sequence[Sequence[str | None]] = ()


@dataclass
class Execution:
    """A query and what became of it."""

    sql: str
    state: str = "QUEUED"
    reason: str = ""
    columns: Sequence[tuple[str, str, int, int]] = ()
    rows: list[list[str | None]] = field(default_factory=list)
    manifest: str = ""
    asked: int = 0
    cursor: FakeCursor | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ended(self, state: str, reason: str = "") -> None:
        """It has come to an end; the first that it comes to is the one."""
        with self.lock:
            if self.state == "QUEUED":
                self.state, self.reason = state, reason


@dataclass
class AthenaServer:
    """A running service."""

    port: int = 0
    bucket: str = "dvt-test"
    key: str = "testing"
    s3: Any = None
    sql: FakeSQL = field(
        default_factory=lambda: FakeSQL("trino", database="awsdatacatalog", rewrite=rewriting(of_trino))
    )
    canned: dict[str, Canned] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    loses_a_file: bool = False
    hive: HiveTables = field(init=False)

    def __post_init__(self) -> None:
        self.hive = HiveTables(self.sql)

    def output(self, **more: Any) -> dict[str, Any]:
        """A profile output."""
        return {
            "type": "athena",
            "s3_staging_dir": f"s3://{self.bucket}/staging",
            "region_name": "us-east-1",
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "schema": "main",
            "database": "awsdatacatalog",
            "poll_interval": 0.05,
            "aws_access_key_id": self.key,
            "aws_secret_access_key": "s3cret-of-moto",
            **more,
        }

    def taken(self) -> list[str]:
        """The statements that were sent since this was last asked."""
        found, self.requests[:] = [request["QueryString"] for request in self.requests], []
        return found

    def start(self, request: dict[str, Any]) -> str:
        """Begin a query, in a thread of its own; its answer waits until it is asked for."""
        name = f"00000000-0000-0000-0000-{len(self.executions):012}"
        execution = self.executions[name] = Execution(request["QueryString"], cursor=self.sql.cursor())
        self.requests.append(request)
        output = request["ResultConfiguration"]["OutputLocation"]
        threading.Thread(target=self._work, args=(execution, output, name), daemon=True).start()
        return name

    def _work(self, execution: Execution, output: str, name: str) -> None:
        try:
            self._run(execution, output, name)
            execution.ended("SUCCEEDED")
        except FakeSQLError as error:
            execution.ended("FAILED", f"{_REASONS.get(error.kind, 'DIVISION_BY_ZERO')}: {error}")
        except Exception as error:  # else it would be waited for without an end
            execution.ended("FAILED", f"GENERIC_INTERNAL_ERROR: {error}")

    def _run(self, execution: Execution, output: str, name: str) -> None:
        unload = _UNLOAD.match(execution.sql)
        query = unload["query"] if unload else execution.sql
        canned = next((found for part, found in self.canned.items() if part in query), None)
        if canned is not None:
            execution.columns = canned.columns
            execution.rows = [] if "LIMIT 0" in query else [list(row) for row in canned.rows]
            table = canned.table
        else:
            table = self._queried(query, execution)
        if unload is not None:
            self._write(table, unload["bucket"], unload["prefix"], execution, output, name)

    def _queried(self, query: str, execution: Execution) -> pa.Table:
        if self.hive.is_on and self.hive.ddl(query):
            return pa.table({})
        if re.match(r"(?is)^\s*(delete|insert|update)\b|^with .*\(\s*(delete|insert|update|merge)\b", query):
            raise FakeSQLError("syntax", "mismatched input 'delete'")
        with self.hive.read(query) as read:
            result = self.sql.run(read, said=query, cursor=execution.cursor, batch_rows=100_000)
            table = result.reader.read_all() if result.reader else pa.table({})
        execution.columns = [_column(column.name, column.stored) for column in result.columns]
        if not _UNLOAD.match(execution.sql):
            columns = [column.to_pylist() for column in table.columns]
            execution.rows = [[_text(value) for value in row] for row in zip(*columns, strict=True)]
        return table

    def _write(
        self, table: pa.Table | None, bucket: str, prefix: str, execution: Execution, output: str, name: str
    ) -> None:
        written = []
        batches = table.to_batches(max_chunksize=_PAGE) if table is not None else []
        for number, batch in enumerate(batches):
            if not batch.num_rows:
                continue
            sink = pa.BufferOutputStream()
            pq.write_table(pa.Table.from_batches([batch]), sink, compression="snappy")
            key = f"{prefix}20261121_{number:04}_{name[-4:]}"
            if not (self.loses_a_file and number == 0):
                self.s3.put_object(Bucket=bucket, Key=key, Body=sink.getvalue().to_pybytes())
            written.append(f"s3://{bucket}/{key}")
        place, _, folder = output.removeprefix("s3://").partition("/")
        self.s3.put_object(Bucket=place, Key=f"{folder}{name}-manifest.csv", Body="\n".join(written).encode())
        execution.manifest = f"{output}{name}-manifest.csv"


@contextmanager
def running(bucket: str) -> Iterator[AthenaServer]:
    """Start a service in threads of this process; an S3 has to run (servers/s3.py)."""
    import boto3

    server = AthenaServer(bucket=bucket, s3=boto3.client("s3"))
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"fake": server}))
    http.daemon_threads = True
    server.port = http.server_address[1]
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


@contextmanager
def with_glue() -> Iterator[AthenaServer]:
    """A service with an S3 and a Glue of its own; the environment points to them while it runs."""
    from servers import s3

    with s3.running() as address:
        os.environ["AWS_ENDPOINT_URL_GLUE"] = address
        try:
            with running(s3.BUCKET) as server:
                server.hive.start(address)
                yield server
        finally:
            del os.environ["AWS_ENDPOINT_URL_GLUE"]


@contextmanager
def athena_place() -> Iterator[Place]:
    """The place of the conformance kit, with an S3 of its own."""
    from servers import s3

    with s3.running(), running(s3.BUCKET) as server:
        yield Place("athena", Tag.FAKE, server.output(), lambda sql: server.sql.run(sql) and None, server.taken)


class Handler(BaseHTTPRequestHandler):
    """One call of the API."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: AthenaServer

    def log_message(self, *words: Any) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if f"Credential={self.fake.key}/" not in self.headers.get("Authorization", ""):
            words = "The security token included in the request is invalid."
            self._send(400, {"__type": "UnrecognizedClientException", "message": words})
            return
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self._send(200, getattr(self, f"_{operation}")(body))

    def _StartQueryExecution(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecutionId": self.fake.start(body)}

    def _GetQueryExecution(self, body: dict[str, Any]) -> dict[str, Any]:
        execution = self.fake.executions[body["QueryExecutionId"]]
        execution.asked += 1
        state = execution.state if execution.asked > 1 else "QUEUED"
        status = {"State": state, **({"StateChangeReason": execution.reason} if execution.reason else {})}
        statistics = {"DataManifestLocation": execution.manifest} if execution.manifest else {}
        version = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3 (fake)"}
        found = {"QueryExecutionId": body["QueryExecutionId"], "Query": execution.sql, "Status": status}
        return {"QueryExecution": {**found, "Statistics": statistics, "EngineVersion": version}}

    def _GetQueryResults(self, body: dict[str, Any]) -> dict[str, Any]:
        execution = self.fake.executions[body["QueryExecutionId"]]
        start = int(body.get("NextToken") or 0)
        is_query = re.match(r"(?i)\s*(select|with)", execution.sql)
        header: list[list[str | None]] = [[name for name, *_ in execution.columns]] if is_query and not start else []
        rows = header + execution.rows[start : start + _PAGE - len(header)]
        following = start + len(rows) - len(header)
        about = [
            {"Name": name, "Type": type_, "Precision": precision, "Scale": scale}
            for name, type_, precision, scale in execution.columns
        ]
        cells = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows]
        more = {"NextToken": str(following)} if following < len(execution.rows) else {}
        return {"ResultSet": {"Rows": cells, "ResultSetMetadata": {"ColumnInfo": about}}, **more}

    def _StopQueryExecution(self, body: dict[str, Any]) -> dict[str, Any]:
        execution = self.fake.executions[body["QueryExecutionId"]]
        execution.ended("CANCELLED", "Query cancelled by user")
        if execution.cursor is not None:
            execution.cursor.interrupt()
        return {}

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _column(name: str, stored: str) -> tuple[str, str, int, int]:
    if stored.startswith("DECIMAL"):
        precision, scale = (int(part) for part in stored[8:-1].split(","))
        return (name, "decimal", precision, scale)
    return (name, _NAMES.get(stored, "varchar"), 0, 0)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
