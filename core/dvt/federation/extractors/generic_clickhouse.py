"""ClickHouse through its ADBC driver: the server casts what Arrow would get otherwise, as an enum's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dvt.federation.extractors.clickhouse_columns import ColumnReader, select_sql
from dvt.federation.stream import ColumnSchema
from dvt.types.clickhouse import parse_type, reading
from dvt.types.generic import Convert, Reading, declared_type, recast

VENDOR = "ClickHouse"


def clickhouse_query(cursor: Any, sql: str, declared: Mapping[str, str]) -> tuple[str, list[Reading]]:
    """The query with the casts that its columns need, and how each is read.

    Args:
        cursor: Of the session; it is asked for the query's types.
        sql: The query.
        declared: Types that the project declares.
    """
    cursor.execute(" ".join(["DESCRIBE TABLE (\n", sql, "\n)"]))
    readers = [_reader(str(name), str(native)) for name, native, *_ in cursor.fetchall()]
    return select_sql(sql, readers), _readings(readers, declared)


def _reader(name: str, native: str) -> ColumnReader:
    how = reading(parse_type(native))
    return ColumnReader(ColumnSchema(name, how.type, how.nullable, native), how, parse_type(native).text)


def _readings(readers: Sequence[ColumnReader], declared: Mapping[str, str]) -> list[Reading]:
    found = []
    for reader in readers:
        name, type_, refused = reader.schema.name, reader.schema.type, reader.reading.refused
        wanted = declared_type(declared, name, is_needed=False)
        way = None if wanted is None else recast(type_, wanted)
        if wanted is None or way is None or refused:
            found.append(Reading(name, type_, reader.native, _convert(reader, None), refused))
        else:
            found.append(Reading(name, wanted, reader.native, _convert(reader, way)))
    return found


def _convert(reader: ColumnReader, way: Convert | None) -> Convert:
    def convert(array: pa.Array) -> pa.Array:
        read = reader.read(array.cast(_unread(array.type)))
        return read if way is None else way(read)

    return convert


def _unread(type_: pa.DataType) -> pa.DataType:
    """The type with bytes for texts: what the driver calls a text may be none, and is read as one here."""
    if pa.types.is_string(type_):
        return pa.binary()
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, _unread(field.type)) for field in type_])
    if pa.types.is_map(type_):
        return pa.map_(type_.key_type, _unread(type_.item_type))
    return pa.list_(_unread(type_.value_type)) if pa.types.is_list(type_) else type_
