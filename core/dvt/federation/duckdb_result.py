"""Results of a DuckDB session as Arrow inside the carrying vocabulary; for extractor, loader and engine alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.federation.stream import ColumnSchema
from dvt.types.duckdb import projected_query
from dvt.types.duckdb_arrow import plain_array, plain_type


@dataclass(frozen=True)
class DuckDBResult:
    """A running query; it has to be closed before the session runs anything else.

    Args:
        columns: The columns, as the batches have them.
        reader: DuckDB's own reader, which holds a few batches at a time.
    """

    columns: list[ColumnSchema]
    reader: pa.RecordBatchReader

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the batches."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])

    def next_batch(self) -> pa.RecordBatch | None:
        """The next batch, None at the end."""
        try:
            batch = self.reader.read_next_batch()
        except StopIteration:
            return None
        arrays = [plain_array(array, column.type) for array, column in zip(batch.columns, self.columns, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def close(self) -> None:
        """End the query."""
        self.reader.close()


def native_columns(session: Any, sql: str) -> list[tuple[str, str]]:
    """Names and DuckDB types of a query's result; the query is bound, not run."""
    return _native(session.sql(sql))


def open_result(session: Any, sql: str, batch_rows: int, bound: Any = None) -> DuckDBResult:
    """Run a query.

    Args:
        session: A DuckDB connection with `dvt.types.duckdb.SESSION_SETTINGS`.
        sql: One SELECT.
        batch_rows: Rows in one batch.
        bound: What `session.sql` gives of it, where it was bound already: binding takes longer than a small result.
    """
    bound = session.sql(sql) if bound is None else bound
    native = _native(bound)
    query = projected_query(sql, native)
    reader = _reader(bound if query == sql else session.sql(query), batch_rows)
    return DuckDBResult(_columns(native, reader.schema), reader)


def _native(relation: Any) -> list[tuple[str, str]]:
    return [(name, str(type_)) for name, type_ in zip(relation.columns, relation.types, strict=True)]


def describe_result(session: Any, sql: str) -> list[ColumnSchema]:
    """The columns that `open_result` would give; no row is read."""
    native = native_columns(session, sql)
    query = " ".join(["select * from (", projected_query(sql, native), "\n) as dvt_shape limit 0"])
    reader = _reader(session.sql(query), 1)
    schema = reader.schema
    reader.close()
    return _columns(native, schema)


def _reader(relation: Any, batch_rows: int) -> pa.RecordBatchReader:
    """The streaming result; DuckDB before 1.5 has it under another name."""
    start = relation.to_arrow_reader if hasattr(type(relation), "to_arrow_reader") else relation.fetch_arrow_reader
    return start(batch_rows)


def _columns(native: list[tuple[str, str]], schema: pa.Schema) -> list[ColumnSchema]:
    pairs = zip(native, schema, strict=True)
    return [ColumnSchema(name, plain_type(field.type), True, native_type) for (name, native_type), field in pairs]
