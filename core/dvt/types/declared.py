"""Data types that a project declares for columns of text files, in DuckDB's names for them."""

from __future__ import annotations

import pyarrow as pa
import sqlglot
from sqlglot import exp

from dvt.errors import ConfigurationError
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, is_json

_T = exp.DataType.Type
_TYPES = {
    _T.BOOLEAN: pa.bool_(),
    _T.TINYINT: pa.int8(),
    _T.SMALLINT: pa.int16(),
    _T.INT: pa.int32(),
    _T.BIGINT: pa.int64(),
    _T.INT128: pa.decimal128(38, 0),
    _T.UTINYINT: pa.uint8(),
    _T.USMALLINT: pa.uint16(),
    _T.UINT: pa.uint32(),
    _T.UBIGINT: pa.uint64(),
    _T.FLOAT: pa.float32(),
    _T.DOUBLE: pa.float64(),
    _T.DATE: pa.date32(),
    _T.TIME: TIME,
    _T.TIMESTAMP: MICROS,
    _T.DATETIME: MICROS,
    _T.TIMESTAMPNTZ: MICROS,
    _T.TIMESTAMPTZ: MICROS_UTC,
    _T.UUID: UUID,
    _T.JSON: JSON,
}
_TEXTS = {_T.TEXT, _T.VARCHAR, _T.CHAR, _T.NVARCHAR, _T.NCHAR, _T.BPCHAR}


def declared_arrow_type(declared: str, column: str) -> pa.DataType:
    """The Arrow type for a declared SQL type.

    Raises:
        ConfigurationError: The type is unknown, or text files do not carry it.

    >>> declared_arrow_type("numeric(10, 2)", "amount")
    Decimal128Type(decimal128(10, 2))
    """
    try:
        parsed = exp.DataType.build(declared, dialect="duckdb")
    except (sqlglot.errors.ParseError, ValueError) as error:
        raise _refusal(declared, column) from error
    if parsed.this in _TEXTS:
        return pa.string()
    if parsed.this == _T.DECIMAL:
        numbers = [int(parameter.name) for parameter in parsed.expressions] or [38, 9]
        precision, scale = numbers[0], numbers[1] if len(numbers) > 1 else 0
        if not (1 <= precision <= 38 and 0 <= scale <= precision):
            raise _refusal(declared, column)
        return pa.decimal128(precision, scale)
    if parsed.this not in _TYPES or parsed.expressions:
        raise _refusal(declared, column)
    return _TYPES[parsed.this]


def declared_name(type_: pa.DataType) -> str:
    """The name that `declared_arrow_type` reads as the type under which text files carry a value of an Arrow type.

    >>> declared_name(pa.decimal128(10, 2)), declared_name(pa.list_(pa.int8())), declared_name(pa.timestamp("ns"))
    ('decimal(10, 2)', 'json', 'timestamp')
    """
    if pa.types.is_decimal(type_):
        return f"decimal({type_.precision}, {type_.scale})"
    if is_json(type_) or pa.types.is_nested(type_):
        return "json"
    if pa.types.is_timestamp(type_):
        return "timestamptz" if type_.tz else "timestamp"
    for kind, found in _TYPES.items():
        if found == type_:
            return kind.value.lower()
    return "text"


def _refusal(declared: str, column: str) -> ConfigurationError:
    return ConfigurationError(
        f"data_type '{declared}' is not one that text files carry",
        column=column,
        remedy="Use boolean, integer, bigint, numeric(p,s), double, date, time, timestamp, timestamptz, uuid or text",
    )
