"""Results of a DuckDB session as Arrow inside the carrying vocabulary; for extractor, loader and engine alike."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dvt.federation.stream import ColumnSchema
from dvt.types.duckdb import projected_query
from dvt.types.plain import plain_reader


def native_columns(session: Any, sql: str) -> list[tuple[str, str]]:
    """Names and DuckDB types of a query's result; the query is bound, not run."""
    relation = session.sql(sql)
    return [(name, str(type_)) for name, type_ in zip(relation.columns, relation.types, strict=True)]


def open_result(session: Any, sql: str, batch_rows: int) -> tuple[list[ColumnSchema], pa.RecordBatchReader]:
    """Run a query; its columns, and a reader that holds a few batches at a time.

    The reader has to be closed before the session runs anything else.

    Args:
        session: A DuckDB connection with `dvt.types.duckdb.SESSION_SETTINGS`.
        sql: One SELECT.
        batch_rows: Rows in one batch.
    """
    native = native_columns(session, sql)
    reader = plain_reader(session.sql(projected_query(sql, native)).to_arrow_reader(batch_rows))
    return _columns(native, reader.schema), reader


def describe_result(session: Any, sql: str) -> list[ColumnSchema]:
    """The columns that `open_result` would give; no row is read."""
    native = native_columns(session, sql)
    query = " ".join(["select * from (", projected_query(sql, native), "\n) as dvt_shape limit 0"])
    reader = plain_reader(session.sql(query).to_arrow_reader(1))
    schema = reader.schema
    reader.close()
    return _columns(native, schema)


def _columns(native: list[tuple[str, str]], schema: pa.Schema) -> list[ColumnSchema]:
    pairs = zip(native, schema, strict=True)
    return [ColumnSchema(name, field.type, True, native_type) for (name, native_type), field in pairs]
