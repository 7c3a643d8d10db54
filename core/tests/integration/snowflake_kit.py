"""What the Snowflake tests share: connections to the test server, reading through them, and Snowflake's wire form."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.snowflake import SnowflakeServer

from dvt.connections.connection import Connection
from dvt.connections.snowflake import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.snowflake import SnowflakeExtractor
from dvt.identifiers import Relation


def connect(server: SnowflakeServer, **options: Any) -> Connection:
    return Connection.from_output("shop", server.output(dvt=options), SPEC)


def read(connection: Connection, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with SnowflakeExtractor(connection) as extractor, extractor.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def described(
    name: str, kind: str, precision: int | None = None, scale: int | None = None, **more: Any
) -> dict[str, Any]:
    """A column in the words of the protocol."""
    return {"name": name, "type": kind, "precision": precision, "scale": scale, **more}


def wire(*columns: tuple[dict[str, Any], pa.Array]) -> pa.Table:
    """A chunk in Snowflake's form: values as integers, structs and texts, what they mean in the fields' metadata."""
    fields, arrays = [], []
    for column, array in columns:
        facts = {"logicalType": column["type"].upper()}
        facts |= {key: str(column[key]) for key in ("precision", "scale", "byteLength") if column.get(key) is not None}
        fields.append(pa.field(column["name"], array.type, metadata=facts))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
