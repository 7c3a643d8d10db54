"""What the ClickHouse tests share: connections to the test server, and reading through them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.clickhouse import ClickHouseServer

from dvt.connections.clickhouse import SPEC
from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.clickhouse import ClickHouseExtractor
from dvt.identifiers import Relation


def connect(server: ClickHouseServer, database: str, **options: Any) -> Connection:
    return Connection.from_output("shop", server.output(database, dvt=options), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with ClickHouseExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()
