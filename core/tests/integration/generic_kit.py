"""What the generic extractor's tests share: connections to places, and reading through them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from servers.place import Place

from dvt.connections.connection import Connection
from dvt.connections.generic import SPEC
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.generic import GenericExtractor
from dvt.identifiers import Relation


def connect(place: Place, **options: Any) -> Connection:
    return Connection.from_output("shop", {**place.output, "dvt": options}, SPEC)


def extractor(place: Place, **options: Any) -> GenericExtractor:
    return GenericExtractor(connect(place, **options))


def read(place: Place, name: str | None = None, **request: Any) -> pa.Table:
    if name is not None:
        request["relation"] = Relation(name)
    with extractor(place) as reader, reader.scan(ExtractionConfig(**request)) as rows:
        return rows.to_table()


def value(place: Place, expression: str, **request: Any) -> Any:
    """The one value that a place gives for an expression, with its type: integers for moments, which may be infinite."""
    table = read(place, query=f"select {expression} as v", **request)
    return table.schema.types[0], plain(table["v"].combine_chunks())[0]


def plain(array: pa.Array) -> list[Any]:
    if pa.types.is_timestamp(array.type):
        return array.view(pa.int64()).to_pylist()
    if pa.types.is_date(array.type):
        return array.view(pa.int32()).to_pylist()
    if array.type == pa.uuid():
        return [None if v is None else v.hex() for v in array.storage.to_pylist()]
    if array.type == pa.json_():
        return array.storage.to_pylist()
    return array.to_pylist()
