"""What the tests of the engines without a server share: connections in a folder, and streams made by DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.duckdb import SPEC as DUCKDB
from dvt.connections.files import SPEC as FILES
from dvt.connections.sqlite import SPEC as SQLITE
from dvt.federation.duckdb_result import open_result
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.duckdb import SESSION_SETTINGS

# A row of every type that DuckDB and Parquet both keep, and a row of NULLs.
ALL_TYPES = """select * from (values
    (true, 1::tinyint, 2::smallint, 3::int, -9223372036854775807::bigint, 1::utinyint, 2::usmallint, 3::uinteger,
     18446744073709551615::ubigint, 1.1::float, 'nan'::double, -0.01::decimal(38,20), '', 'a'||chr(0)||'b é'||chr(10),
     '\\x00\\xFF'::blob, date '-infinity', time '24:00:00', timestamp '290000-01-01 (BC) 00:00:00',
     'infinity'::timestamp, timestamptz '2024-03-31 02:30:00+02', '2020-01-01 00:00:00.000000001'::timestamp_ns,
     interval '14 months -3 days 1.5 seconds', uuid '6f2c1f9e-1111-4222-8333-444455556666', '{"a": 1.0}'::json,
     [[true], null], {'a': 'x"y', 'b c': [date '2024-01-01']}, map {'k': 1.50}),
    (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null, null, null, null))
  t(b, i1, i2, i4, i8, u1, u2, u4, u8, f4, f8, n, e, s, bin, d, ti, bc, inf, tz, ns, iv, u, j, l, st, m)"""

_SPECS = {spec.type: spec for spec in (DUCKDB, FILES, SQLITE)}


def connection(type_: str, folder: Path, name: str = "con", **output: Any) -> Connection:
    """A checked connection whose relative paths start at the folder."""
    return Connection.from_output(name, {"type": type_, **output}, _SPECS[type_], folder)


def stream(sql: str, batch_rows: int = 1000) -> RowStream:
    """The result of a query in an empty DuckDB database, inside the vocabulary."""
    session = duckdb.connect()
    for statement in SESSION_SETTINGS:
        session.execute(statement)
    result = open_result(session, sql, batch_rows)
    return RowStream(result.columns, iter(result.next_batch, None), close=result.close)


def from_table(table: pa.Table, batch_rows: int = 1000) -> RowStream:
    """An Arrow table as a stream."""
    columns = [ColumnSchema(field.name, field.type) for field in table.schema]
    return RowStream(columns, iter(table.to_batches(max_chunksize=batch_rows)))


def read(extractor: BaseExtractor, name: str, schema: str | None = None, **request: Any) -> pa.Table:
    """All rows of a relation."""
    with extractor.scan(ExtractionConfig(relation=Relation(name, schema), **request)) as found:
        return found.to_table()
