"""How the columns of a Parquet file are encoded: only how large and how quick, never what is in it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# A dictionary of more values than this costs more to make than it saves.
_ROWS_A_VALUE = 8
# A decimal of more digits has no integer of Parquet's.
_INTEGER_DIGITS = 18


def encodings(first: pa.RecordBatch | None) -> dict[str, Any]:
    """Keyword arguments for `ParquetWriter`, by the first batch.

    Columns whose values come back have a dictionary. PyArrow alone makes one of every column until it is too large,
    which for keys and comments is a third of the time that writing takes. Whole numbers, decimals and moments without
    one are written as differences, which leaves less to compress than their bytes. Nested columns have names of their
    own for their parts: with one all columns are written as PyArrow does.

    >>> encodings(pa.record_batch({"id": list(range(16)), "kind": ["a", "b"] * 8}))
    {'use_dictionary': ['kind'], 'store_decimal_as_integer': True, 'column_encoding': {'id': 'DELTA_BINARY_PACKED'}}
    """
    if first is None or any(pa.types.is_nested(field.type) for field in first.schema):
        return {"use_dictionary": True}
    most = max(1, first.num_rows // _ROWS_A_VALUE)
    distinct = {field.name: _distinct(column) for field, column in zip(first.schema, first.columns, strict=True)}
    others = [field for field in first.schema if distinct[field.name] > most]
    return {
        "use_dictionary": [name for name, count in distinct.items() if count <= most],
        "store_decimal_as_integer": True,
        "column_encoding": {field.name: "DELTA_BINARY_PACKED" for field in others if _is_integer(field.type)},
    }


def _is_integer(type_: pa.DataType) -> bool:
    """Whether Parquet has integers for the type."""
    if pa.types.is_decimal(type_):
        return bool(type_.precision <= _INTEGER_DIGITS)
    tests = (pa.types.is_integer, pa.types.is_date, pa.types.is_time, pa.types.is_timestamp)
    return any(test(type_) for test in tests)


def _distinct(column: pa.Array) -> int:
    plain = column.storage if isinstance(column, pa.ExtensionArray) else column
    try:
        return int(pc.count_distinct(plain).as_py())
    except pa.ArrowNotImplementedError:  # of nulls, views and dictionaries
        return 0
