"""local-bigquery without a network, and around it what it leaves out: tokens, a log, and values in BigQuery's own form.

Run as a program, with the interpreter of an environment in which local-bigquery is. SQL, the REST interface and the
Storage Read API are local-bigquery's (DuckDB's, by way of sqlglot). Ours are: who may call, the log of statements and
read sessions, tables named `CANNED...`, whose schema and Arrow streams a test has put there, because DuckDB holds no
such values, and to let streams fail; and what `bigquery_writing` says of the Storage Write API.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import functools
import importlib
import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import grpc
import pyarrow as pa
import uvicorn
from duckdb_extensions import extension_importer

_EXTENSIONS = ("ducklake", "spatial")
_REFUSED = {"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "x"}}
_COPY = re.compile(r"(?is)^((?:/\*.*?\*/\s*)?create or replace table (\S+) copy \S+) (options \(.*\))$")
_log: list[str] = []
_canned: dict[str, dict[str, Any]] = {}
_open_streams: set[str] = set()
_broken: set[str] = set()
_writing: list[Any] = []
_store: dict[str, str] = {}


def _prepare(home: Path) -> None:
    """DuckDB's extensions come from packages: none is downloaded."""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            for name in _EXTENSIONS:
                extension_importer.import_extension(name)
            (home / "ready").touch()
    connect = duckdb.connect

    def connect_offline(*args: Any, **settings: Any) -> Any:
        config = dict(settings.pop("config", None) or {})
        config.setdefault("threads", 1)  # its tables are tiny, and it runs many small statements
        zone = config.pop("TimeZone", None)  # DuckDB would look for an extension that is built in
        session = connect(*args, config=config, **settings)
        if zone:
            session.execute("SET GLOBAL TimeZone = '" + zone + "'")
        session.execute("LOAD ducklake")
        return session

    duckdb.connect = connect_offline


class Front:
    """An ASGI application in front of local-bigquery's."""

    def __init__(self, inner: Any, token: str) -> None:
        self._inner = inner
        self._authorization = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        body = await _body(receive)
        path, headers = scope["path"], dict(scope["headers"])
        if path.startswith("/dvt/"):
            await _reply(send, _asked(path, body))
        elif headers.get(b"authorization") != self._authorization:
            await _reply(send, _REFUSED, 401)
        elif (name := path.rsplit("/", 1)[-1]) in _canned and "/tables/" in path:
            await _reply(send, _table(name))
        else:
            if path.startswith("/upload/"):
                _log.append("load")
            elif path.endswith(("/jobs", "/queries")) and body:
                _note(json.loads(body))
                await asyncio.to_thread(_fetch, json.loads(body))
                body = _with_options(body)

            async def receive_again() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            await self._inner(scope, receive_again, send)


def _with_options(body: bytes) -> bytes:
    """`CREATE TABLE ... COPY ... OPTIONS (...)` in two statements: the emulator takes no options there."""
    job = json.loads(body)
    asked = (job.get("configuration") or {}).get("query")
    found = _COPY.match(asked["query"]) if asked else None
    if asked is None or found is None:
        return body
    asked["query"] = f"{found[1]};\nalter table {found[2]} set {found[3]}"
    return json.dumps(job).encode()


def _fetch(job: dict[str, Any]) -> None:
    """Objects that a load job names, from the store that a test has named, to where the emulator looks for them."""
    for uri in ((job.get("configuration") or {}).get("load") or {}).get("sourceUris") or []:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        place = Path(sys.argv[3]) / "gcs" / bucket / name
        place.parent.mkdir(parents=True, exist_ok=True)
        address = f"{_store['endpoint']}/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
        with urllib.request.urlopen(address) as answer:
            place.write_bytes(answer.read())


def _note(job: dict[str, Any]) -> None:
    configuration = job.get("configuration") or {}
    if uris := (configuration.get("load") or {}).get("sourceUris"):
        _log.append(f"load {len(uris)} files")
        return
    query = (configuration.get("query") or job).get("query", "")
    _log.append(("-- dry run\n" if configuration.get("dryRun") else "") + query)


def _asked(path: str, body: bytes) -> Any:
    """What the tests ask beside the protocol."""
    if path == "/dvt/canned":
        entry = json.loads(body)
        _canned[entry["name"]] = entry
        return {}
    if path == "/dvt/store":
        _store.update(json.loads(body))
        return {}
    if path == "/dvt/open":
        return sorted(_open_streams)
    if path == "/dvt/writing":
        return _writing[0].asked(json.loads(body))
    found, _log[:] = list(_log), []
    return found


def _table(name: str) -> dict[str, Any]:
    reference = {"projectId": "dvt", "datasetId": "shop", "tableId": name}
    return {"tableReference": reference, "schema": {"fields": _canned[name]["fields"]}, "type": "TABLE", "numRows": "0"}


def _exact_numbers(inner: Any) -> Any:
    """NUMERIC(p, s) and BIGNUMERIC(p, s) have their digits, of which the emulator's have others."""

    def duckdb_type(field: Any) -> str:
        if (field.type or "").upper() not in ("NUMERIC", "BIGNUMERIC") or not field.precision:
            return str(inner(field))
        name = f"DECIMAL({field.precision},{field.scale or 0})"
        return f"{name}[]" if field.mode == "REPEATED" else name

    return duckdb_type


def _copied(inner: Any) -> Any:
    """A table's copy has its metadata; the emulator copies the rows."""

    def definition(tree: Any, project: str, dataset: str) -> Any:
        from local_bigquery.catalog import metadata, names
        from local_bigquery.models import Table

        clone = tree.args.get("clone")
        stored = metadata.load(Table, *names.reference(clone.this, project, dataset)) if clone else None
        parts = ("schema", "timePartitioning", "rangePartitioning", "clustering", "description", "labels")
        kept = {key: value for key, value in (stored.dump() if stored else {}).items() if key in parts}
        return {**kept, **inner(tree, project, dataset)}

    return definition


def _of_bytes(inner: Any) -> Any:
    """Bytes in Parquet are bytes; the emulator takes them for text in base 64, as in JSON."""

    def projection(config: Any, fields: Any, columns: Any) -> Any:
        casts, bad = inner(config, fields, columns)
        plain = re.sub(r"from_base64\(([^()]*)\)", r"\1", casts) if config.sourceFormat == "PARQUET" else casts
        return plain, bad

    return projection


def _create_session(inner: Any) -> Any:
    def create_session(request: Any) -> Any:
        from google.cloud.bigquery_storage_v1 import types

        asked, name = request.read_session, request.read_session.table.rsplit("/", 1)[-1]
        options = asked.read_options
        _log.append(f"read {name} ({', '.join(options.selected_fields)}) where {options.row_restriction or 'true'}")
        if name not in _canned:
            return inner(request)
        if code := _canned[name].get("refused"):
            raise _status(code)
        streams = [types.ReadStream(name=f"{name}/{i}") for i in range(len(_canned[name]["streams"]))]
        schema = types.ArrowSchema(serialized_schema=base64.b64decode(_canned[name]["schema"]))
        return types.ReadSession(name=name, table=asked.table, arrow_schema=schema, streams=streams)

    return create_session


def _read_rows(inner: Any) -> Any:
    def read_rows(request: Any) -> Iterator[Any]:
        name, _, number = request.read_stream.rpartition("/")
        if name not in _canned:
            yield from inner(request)
            return
        _open_streams.add(request.read_stream)
        try:
            yield from _canned_rows(_canned[name], int(number), request)
        finally:
            _open_streams.discard(request.read_stream)

    return read_rows


def _canned_rows(canned: dict[str, Any], number: int, request: Any) -> Iterator[Any]:
    from google.cloud.bigquery_storage_v1 import types

    fault, position = canned.get("fault", ""), 0
    batches = [pa.ipc.open_stream(base64.b64decode(data)).read_all() for data in canned["streams"][number]]
    while True:
        for table in batches:
            for batch in table.combine_chunks().to_batches():
                position += batch.num_rows
                if position <= request.offset:
                    continue
                rows = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
                yield types.ReadRowsResponse(arrow_record_batch=rows, row_count=batch.num_rows)
                if fault == "breaks once" and request.read_stream not in _broken:
                    _broken.add(request.read_stream)
                    raise _status("UNAVAILABLE")
                if fault == "fails":
                    raise _status("INTERNAL_ERROR")
        if fault != "endless":
            return
        time.sleep(0.01)


def _status(code: str) -> Exception:
    from local_bigquery.grpc import read

    return read.StorageError(getattr(grpc.StatusCode, code, grpc.StatusCode.ABORTED), f"made by the test: {code}")


async def _body(receive: Any) -> bytes:
    parts, is_more = [], True
    while is_more:
        message = await receive()
        parts.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    return b"".join(parts)


async def _reply(send: Any, answer: Any, status: int = 200) -> None:
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until the process is ended."""
    port, grpc_port, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    _prepare(Path(os.environ["HOME"]))
    from local_bigquery.settings import settings

    settings.bigquery_host, settings.bigquery_port, settings.grpc_port = "127.0.0.1", port, grpc_port
    settings.data_dir, settings.default_project_id, settings.default_dataset_id = folder, "dvt", "shop"
    from local_bigquery.engine import types
    from local_bigquery.grpc import read

    types.duckdb_type = _exact_numbers(types.duckdb_type)
    from local_bigquery.catalog import ddl
    from local_bigquery.jobs import load

    ddl._definition = _copied(ddl._definition)
    load._projection = _of_bytes(load._projection)
    read.STREAM_ROWS = int(os.environ["DVT_TEST_STREAM_ROWS"])
    read.create_session, read.read_rows = _create_session(read.create_session), _read_rows(read.read_rows)
    sys.path.append(str(Path(__file__).parent))  # the interpreter is isolated, and does not look here
    _writing.append(importlib.import_module("bigquery_writing").Writing(_log))
    _writing[0].install()
    # Requests of Storage Write are larger than gRPC's default lets through.
    grpc.server = functools.partial(grpc.server, options=[("grpc.max_receive_message_length", -1)])
    from local_bigquery.grpc import server  # it takes the functions as they are now

    storage, _ = server.start("127.0.0.1", grpc_port)
    from local_bigquery import app

    uvicorn.run(Front(app, os.environ["DVT_TEST_TOKEN"]), host="127.0.0.1", port=port, log_level="warning")
    storage.stop(None)


if __name__ == "__main__":
    main()
