"""The DuckDB types under which Arrow types land."""

from __future__ import annotations

import pyarrow as pa

from dvt.errors import DataError
from dvt.identifiers import quote
from dvt.types.vocabulary import is_json, is_uuid

_NAMES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.timestamp("ns"): "TIMESTAMP_NS",
    pa.month_day_nano_interval(): "INTERVAL",
}


def duckdb_type(type_: pa.DataType, column: str) -> str:
    """The DuckDB type for an Arrow type of the vocabulary, as DuckDB itself writes it.

    Raises:
        DataError: The type is outside of the vocabulary.

    >>> duckdb_type(pa.list_(pa.struct([("a b", pa.int8())])), "x")
    'STRUCT("a b" TINYINT)[]'
    """
    if is_uuid(type_):
        return "UUID"
    if is_json(type_):
        return "JSON"
    if pa.types.is_decimal128(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_list(type_):
        return duckdb_type(type_.value_type, column) + "[]"
    if pa.types.is_struct(type_):
        fields = (" ".join([quote(f.name, "duckdb"), duckdb_type(f.type, column)]) for f in type_)
        return f"STRUCT({', '.join(fields)})"
    if pa.types.is_map(type_):
        return f"MAP({duckdb_type(type_.key_type, column)}, {duckdb_type(type_.item_type, column)})"
    if type_ in _NAMES:
        return _NAMES[type_]
    raise DataError(f"DuckDB has no type for {type_}", column=column, phase="load", remedy="Cast it in the model")


def check_intervals(batch: pa.RecordBatch) -> None:
    """Refuse intervals with nanoseconds: DuckDB keeps microseconds and would cut them.

    Raises:
        DataError: The column is named.
    """
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.type != pa.month_day_nano_interval():
            continue
        if any(value is not None and value.nanoseconds % 1000 for value in column.to_pylist()):
            raise DataError("an interval has nanoseconds; DuckDB keeps microseconds", column=field.name, phase="load")
