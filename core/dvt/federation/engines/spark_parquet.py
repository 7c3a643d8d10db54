"""What travels between dvt and Spark as Parquet: inputs in types that Spark reads, results in those of DuckDB."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.errors import DataError
from dvt.federation.stream import ColumnSchema
from dvt.types.text_values import parser, uuid_texts
from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    JSON,
    MICROS,
    MICROS_UTC,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    UUID,
    is_json,
    is_uuid,
)

_PLAIN: tuple[tuple[pa.DataType, pa.DataType, str], ...] = (
    (pa.bool_(), pa.bool_(), "BOOLEAN"),
    (pa.int8(), pa.int8(), "TINYINT"),
    (pa.int16(), pa.int16(), "SMALLINT"),
    (pa.int32(), pa.int32(), "INTEGER"),
    (pa.int64(), pa.int64(), "BIGINT"),
    # Spark has no unsigned ones.
    (pa.uint8(), pa.int16(), "UTINYINT"),
    (pa.uint16(), pa.int32(), "USMALLINT"),
    (pa.uint32(), pa.int64(), "UINTEGER"),
    (pa.uint64(), pa.decimal128(20, 0), "UBIGINT"),
    (pa.float32(), pa.float32(), "FLOAT"),
    (pa.float64(), pa.float64(), "DOUBLE"),
    (pa.string(), pa.string(), "VARCHAR"),
    (pa.binary(), pa.binary(), "BLOB"),
    (pa.date32(), pa.date32(), "DATE"),
    (MICROS, MICROS, "TIMESTAMP"),
    (MICROS_UTC, MICROS_UTC, "TIMESTAMPTZ"),
    (UUID, pa.string(), "UUID"),
    (JSON, pa.string(), "JSON"),
)
_STORED = {type_: stored for type_, stored, _ in _PLAIN}
_NAMES = {type_: name for type_, _, name in _PLAIN}


def duckdb_name(type_: pa.DataType) -> str:
    """DuckDB's name of a carried type; "UNKNOWN" for a nested one, empty for one that Spark does not read.

    >>> duckdb_name(pa.decimal128(10, 2)), duckdb_name(pa.list_(pa.int8())), duckdb_name(pa.time64("us"))
    ('DECIMAL(10, 2)', 'UNKNOWN', '')
    """
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if type_.num_fields:
        return "UNKNOWN" if _is_same_inside(type_) else ""
    return _NAMES.get(type_, "")


def _is_same_inside(type_: pa.DataType) -> bool:
    """Whether all that a nested type holds is stored as it is."""
    if type_.num_fields:
        return all(_is_same_inside(type_.field(number).type) for number in range(type_.num_fields))
    return bool(pa.types.is_decimal(type_) or _STORED.get(type_) == type_)


def stored_schema(columns: list[ColumnSchema]) -> pa.Schema:
    """The schema of the file in which a relation is staged for Spark: the columns that it reads."""
    read = [column for column in columns if duckdb_name(column.type)]
    return pa.schema([pa.field(column.name, _STORED.get(column.type, column.type)) for column in read])


def stored_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch as it is staged for Spark.

    Raises:
        DataError: A value that Spark has no place for.
    """
    arrays = []
    for field in schema:
        try:
            arrays.append(_stored(batch.column(field.name), field.type))
        except ValueError as error:  # pyarrow's are such too
            raise DataError(
                f"Spark has no place for a value: {error}",
                column=field.name,
                phase="stage",
                remedy="Compute the model with meta.dvt_engine: duckdb, or replace the value at the source",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _stored(array: pa.Array, type_: pa.DataType) -> pa.Array:
    if _is_infinite(array):
        raise ValueError("a date or moment is infinite")
    if array.type == type_:
        return array
    if is_uuid(array.type):
        return pa.array(uuid_texts(array), pa.string())
    if is_json(array.type):
        return array.storage
    return array.cast(type_)


def _is_infinite(array: pa.Array) -> bool:
    """Whether a column holds an infinite date or moment: to Spark these are numbers of days and microseconds."""
    if pa.types.is_date32(array.type):
        numbers, marks = array.view(pa.int32()), (DATE_INFINITY, DATE_MINUS_INFINITY)
    elif pa.types.is_timestamp(array.type):
        numbers, marks = array.view(pa.int64()), (TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY)
    else:
        return False
    return bool(pc.any(pc.is_in(numbers, pa.array(marks, numbers.type))).as_py())


def result_batch(batch: pa.RecordBatch, columns: list[ColumnSchema]) -> pa.RecordBatch:
    """A batch of Spark's result, in the types that DuckDB gives the query; no value changes on the way.

    Raises:
        DataError: A value, or a column, that is none of DuckDB's type.
    """
    arrays = []
    for array, column in zip(batch.columns, columns, strict=True):
        try:
            arrays.append(_result(array, column.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise DataError(
                f"Spark gives {array.type}, where DuckDB gives {column.native_type or column.type}: {error}",
                column=column.name,
                phase="compute",
                remedy="Cast the column in the model",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([pa.field(c.name, c.type) for c in columns]))


def _result(array: pa.Array, type_: pa.DataType) -> pa.Array:
    given = array.type
    if given == type_:
        return array
    if array.null_count == len(array):
        return pa.nulls(len(array), type_)
    if is_uuid(type_) and pa.types.is_string(given):
        return parser(type_)(array)
    if is_json(type_) and pa.types.is_string(given):
        return pa.ExtensionArray.from_storage(type_, array)
    if pa.types.is_integer(given) and pa.types.is_decimal(type_):
        return array.cast(pa.decimal128(38, 0)).cast(type_)
    if pa.types.is_date(type_) and pa.types.is_timestamp(given):
        days = array.cast(MICROS).cast(type_)
        if not days.cast(MICROS).equals(array.cast(MICROS)):  # Arrow drops the time of day
            raise ValueError("a moment is not at midnight")
        return days
    if _is_same_kind(given, type_) or type_.num_fields:
        return pc.cast(array, type_)
    raise ValueError("the kinds differ")


def _is_same_kind(given: pa.DataType, type_: pa.DataType) -> bool:
    if pa.types.is_floating(type_) or pa.types.is_integer(type_):
        return bool(pa.types.is_floating(given) or pa.types.is_decimal(given) or pa.types.is_integer(given))
    if pa.types.is_decimal(type_):
        return bool(pa.types.is_decimal(given))
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return bool(pa.types.is_timestamp(given) or pa.types.is_date(given))
    return bool(given == type_)
