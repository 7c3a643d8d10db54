"""What the Databricks tests share: connections to the stand-in, and reading through them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.databricks import output
from servers.databricks_service import Warehouse
from servers.databricks_words import SQL_NAME

from dvt.connections.connection import Connection
from dvt.connections.databricks import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.databricks import DatabricksExtractor
from dvt.identifiers import Relation


def connect(warehouse: Warehouse, dvt: dict[str, Any] | None = None, **more: Any) -> Connection:
    return Connection.from_output("lakehouse", {**output(warehouse, **more), "dvt": dvt or {}}, SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with DatabricksExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def sent(name: str, sql_name: str, values: list[Any], type_: pa.DataType) -> tuple[pa.Field, pa.Array]:
    """A column as Databricks sends it: Arrow, with the type's name in the field."""
    return pa.field(name, type_, metadata={SQL_NAME: sql_name.encode()}), pa.array(values, type_)
