"""What the Trino tests share: a connection to the fake server, and reading through it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.trino import TrinoServer

from dvt.connections.connection import Connection
from dvt.connections.trino import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.trino import TrinoExtractor
from dvt.identifiers import Relation


def connect(server: TrinoServer, change: dict[str, Any] | None = None, **options: Any) -> Connection:
    return Connection.from_output("lake", {**server.output(dvt=options), **(change or {})}, SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with TrinoExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()
