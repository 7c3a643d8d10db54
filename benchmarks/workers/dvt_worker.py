"""dvt's own paths, called as its bridge calls them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from profiles import connection_of, log_in_once
from stopwatch import count, main

import dvt.federation.engines.duckdb
import dvt.federation.extractors.postgres
import dvt.federation.loaders.postgres  # noqa: F401 imports are not timed, for anyone
from dvt.connections.connection import Connection
from dvt.federation.copy_names import End
from dvt.federation.copying import Copying, CopyRequest
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.machine import memory_bytes
from dvt.federation.plan.model import Input
from dvt.federation.registry import extractor_class, loader_class, open_connection
from dvt.federation.session import RunSession
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


def extract_parquet(database: str, table: str, path: str, parallel: int):
    """A table into a Parquet file, by the extractor's own `extract`."""
    connection = _postgres(database, parallel=parallel)
    with extractor_class("postgres")(connection) as extractor:
        result = extractor.extract(ExtractionConfig(relation=Relation(table, "public")), Path(path))
    return {}, f"method {result.method}"


def extract_arrow(database: str, table: str, parallel: int):
    """A table as Arrow batches."""
    connection = _postgres(database, parallel=parallel)
    with extractor_class("postgres")(connection) as extractor:
        with extractor.scan(ExtractionConfig(relation=Relation(table, "public"))) as stream:
            return count(stream.batches()), f"l_extendedprice as {stream.schema.field('l_extendedprice').type}"


def load(parquet: str, database: str, table: str):
    """A Parquet file into a table."""
    file = pq.ParquetFile(parquet, pre_buffer=False)
    columns = [ColumnSchema(field.name, field.type, field.nullable) for field in file.schema_arrow]
    stream = RowStream(columns, file.iter_batches(50_000))
    connection = _postgres(database)
    with loader_class("postgres")(connection) as loader:
        loader.load(stream, _landing(connection, table))
    return {}, ""


def query(sql: str, inputs: list[list[str]], database: str, table: str, parallel: int = 1, direct: bool = True):
    """A query over (database, table) pairs, which lands in a table: what `dvt run` does for one model."""
    connections = {name: _postgres(name, parallel=parallel) for name in dict(inputs)}
    bound = [
        Input(Handle(name, "public", table), connections[name], Relation(table, "public")) for name, table in inputs
    ]
    target = _postgres(database)
    with tempfile.TemporaryDirectory() as folder:
        threads = os.cpu_count() or 1
        session = RunSession(
            Path(folder), memory_bytes=memory_bytes() // 2, threads=threads, parallel_queries=1, run_id="0be2c41a"
        )
        with session, session.query(sql, bound, direct=direct) as run, loader_class("postgres")(target) as loader:
            method = loader.load(run.stream, _landing(target, table)).method
            read = sum(scan.bytes for scan in run.scans)
            lane = run.lane.value
    return {}, f"{read / 1e6:.0f} MB read from the sources, lane {lane}, method {method}"


def copy(source: str, table: str, target: str, landed: str):
    """A table of a connection into another's: `dvt copy` without its command line. Profiles are paths of files."""
    ends = [(connection_of(source), table), (connection_of(target), landed)]
    source_end, target_end = (End(each, Relation(name, each.first("schema"))) for each, name in ends)
    result = Copying(CopyRequest(source_end, target_end, run_id="0be2c41a")).run()
    return {}, f"read by {result.scan.method}, loaded by {result.load.method}"


def scan(profile: str, key: str, table: str = "", schema: str | None = None, query: str = ""):
    """A table or a query of any connection, whose profile output lies in a file, as Arrow batches."""
    connection = connection_of(profile)
    request = ExtractionConfig(relation=Relation(table, schema)) if table else ExtractionConfig(query=query)
    with extractor_class(connection.type)(connection) as extractor, extractor.scan(request) as stream:
        return count(stream.batches(), key), f"method {stream.method}"


def _postgres(database: str, **options: int) -> Connection:
    place = {"host": os.environ["PGHOST"], "port": int(os.environ["PGPORT"]), "user": os.environ["PGUSER"]}
    login = {"password": os.environ["PGPASSWORD"], "dbname": database, "schema": "public"}
    return open_connection(database, {"type": "postgres", **place, **login, "dvt": options})


def _landing(connection: Connection, table: str) -> LoadConfig:
    rows = int(connection.options["batch_rows"])  # the bridge's own choice
    return LoadConfig(Relation(table, "public"), run_id="0be2c41a", streaming_batch_size=rows)


if __name__ == "__main__":
    main(
        {
            "extract_parquet": extract_parquet,
            "extract_arrow": extract_arrow,
            "load": load,
            "query": query,
            "copy": copy,
            "scan": scan,
        },
        log_in_once,
    )
