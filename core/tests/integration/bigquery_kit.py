"""What the BigQuery tests share: connections to the test server, and reading through them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.bigquery import BigQueryServer

from dvt.connections.bigquery import SPEC
from dvt.connections.connection import Connection
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.bigquery import BigQueryExtractor
from dvt.identifiers import Relation


def connect(server: BigQueryServer, **options: Any) -> Connection:
    return Connection.from_output("shop", server.output(options), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with BigQueryExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()
