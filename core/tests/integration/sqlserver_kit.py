"""What the SQL Server tests share: connections to the fake, and reading through them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.sqlserver import SqlServerFake

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.sqlserver import SqlServerExtractor
from dvt.identifiers import Relation


def connect(fake: SqlServerFake, **options: Any) -> Connection:
    return Connection.from_output("shop", fake.output(dvt=options), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with SqlServerExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()
