"""Which columns of a Parquet file are written with a dictionary: only how large and how quick, never what is in it."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

# A dictionary of more values than this costs more to make than it saves.
_ROWS_A_VALUE = 8


def dictionary_columns(first: pa.RecordBatch | None) -> list[str] | bool:
    """What `ParquetWriter` is told as `use_dictionary`, by the first batch: the columns whose values come back.

    PyArrow alone makes a dictionary of every column until it is too large, which for keys and comments is a third of
    the time that writing takes. Nested columns have names of their own for their parts: with one all have dictionaries.

    >>> dictionary_columns(pa.record_batch({"id": list(range(16)), "kind": ["a", "b"] * 8}))
    ['kind']
    """
    if first is None or any(pa.types.is_nested(field.type) for field in first.schema):
        return True
    most = max(1, first.num_rows // _ROWS_A_VALUE)
    return [field.name for field, column in zip(first.schema, first.columns, strict=True) if _distinct(column) <= most]


def _distinct(column: pa.Array) -> int:
    plain = column.storage if isinstance(column, pa.ExtensionArray) else column
    try:
        return int(pc.count_distinct(plain).as_py())
    except pa.ArrowNotImplementedError:  # of nulls, views and dictionaries
        return 0
