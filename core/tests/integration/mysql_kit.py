"""What the MySQL tests share: connections to the test server, and streams of Arrow tables."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pytest
from servers.mariadb import MariaDBServer

from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.mysql import MySQLExtractor
from dvt.federation.loaders.base import LoadConfig, LoadResult
from dvt.federation.loaders.mysql import MySQLLoader
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

DRIVERS = (
    "pymysql",
    pytest.param(
        "mysql-connector",
        marks=pytest.mark.skipif(find_spec("mysql") is None, reason="mysql-connector-python is not installed"),
    ),
)


def connect(server: MariaDBServer, database: str, *, driver: str = "auto", **options: Any) -> Connection:
    output = server.output(database, dvt={"driver": driver, **options})
    return Connection.from_output("shop", output, SPEC)


def stream(table: pa.Table) -> RowStream:
    return RowStream([ColumnSchema(f.name, f.type, f.nullable) for f in table.schema], iter(table.to_batches()))


def load(connection: Connection, table: pa.Table, name: str, **config: Any) -> LoadResult:
    with MySQLLoader(connection) as loader:
        return loader.load(stream(table), LoadConfig(Relation(name), **config))


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with MySQLExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def copy(connection: Connection, source: str, target: str, **config: Any) -> LoadResult:
    with MySQLExtractor(connection) as extractor, MySQLLoader(connection) as loader:
        with extractor.scan(ExtractionConfig(relation=Relation(source))) as rows:
            return loader.load(rows, LoadConfig(Relation(target), **config))
