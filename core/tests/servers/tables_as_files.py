"""What stands behind the kit's statements where there is no SQL: tables of a DuckDB, written as Parquet files."""

from __future__ import annotations

import io
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 4000


class TablesAsFiles:
    """A DuckDB whose tables lie in a store, as `<table>.parquet`, after each statement.

    Args:
        put: Writes a file: name and content.
        remove: Deletes one.
    """

    def __init__(self, put: Callable[[str, bytes], object], remove: Callable[[str], object]) -> None:
        self._put, self._remove = put, remove
        self._there: set[str] = set()
        self._db = duckdb.connect()
        self._db.execute("set timezone = 'UTC'; set arrow_lossless_conversion = true")

    def execute(self, sql: str) -> None:
        """Run a statement, and bring the files to what the tables then are."""
        self._db.execute(sql)
        names = {name for (name,) in self._db.execute("select table_name from duckdb_tables()").fetchall()}
        for gone in self._there - names:
            self._remove(f"{gone}.parquet")
        self._there = names
        for name in names:
            quoted = name.replace('"', '""')
            found = self._db.sql(f'select * from "{quoted}"').to_arrow_table()
            self._put(f"{name}.parquet", parquet(_with_plain_truth(found)))


def _with_plain_truth(table: pa.Table) -> pa.Table:
    """DuckDB's exact form of truth values is a byte each, which Parquet readers take for a number."""
    for index, found in enumerate(table.schema):
        if getattr(found.type, "extension_name", "") == "arrow.bool8":
            values = [chunk.storage.cast(pa.bool_()) for chunk in table.column(index).chunks]
            table = table.set_column(index, found.name, pa.chunked_array(values, pa.bool_()))
    return table


def parquet(table: pa.Table, group_rows: int = _GROUP_ROWS) -> bytes:
    """A Parquet file of several row groups, by pyarrow."""
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=group_rows)
    return file.getvalue()
