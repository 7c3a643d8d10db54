"""ClickHouse through its ADBC driver: what Arrow would get otherwise (an enum's number, a moment's seconds), it casts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dvt.federation.extractors.clickhouse_columns import ColumnReader, select_sql
from dvt.federation.stream import ColumnSchema
from dvt.types.clickhouse import parse_type, reading
from dvt.types.generic import Reading, declared_type, recast

VENDOR = "ClickHouse"
# Whether a text is UTF-8 is checked here, by column.
SETTINGS = ("set output_format_arrow_string_as_string = 0",)


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
            found.append(Reading(name, type_, reader.native, reader.read, refused))
        else:
            found.append(Reading(name, wanted, reader.native, _both(reader, way)))
    return found


def _both(reader: ColumnReader, way: Any) -> Any:
    return lambda array: way(reader.read(array))
