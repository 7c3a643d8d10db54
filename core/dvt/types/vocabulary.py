"""The carrying vocabulary: the Arrow types in which values travel, and the sentinels for infinity.

Every extractor gives only these, every loader takes all of them (or refuses one by column name):

bool, int8..int64, uint8..uint64, float32, float64, decimal128(p <= 38, s), string, binary, date32, time64[us],
timestamp[us], timestamp[us, UTC], timestamp[ns] (from DuckDB and Parquet), month_day_nano_interval, arrow.uuid,
arrow.json, list<T>, struct<...>, map<string, T>.

Infinite dates and timestamps are carried as DuckDB carries them: the largest value of the storage integer and its
negative. A loader whose engine has no infinity refuses them by column name.
"""

from __future__ import annotations

import pyarrow as pa

MICROS = pa.timestamp("us")
MICROS_UTC = pa.timestamp("us", tz="UTC")
TIME = pa.time64("us")
INTERVAL = pa.month_day_nano_interval()
UUID = pa.uuid()
JSON = pa.json_()

TIMESTAMP_INFINITY = 2**63 - 1
TIMESTAMP_MINUS_INFINITY = -TIMESTAMP_INFINITY
DATE_INFINITY = 2**31 - 1
DATE_MINUS_INFINITY = -DATE_INFINITY


def carried_decimal(precision: int, scale: int) -> pa.DataType:
    """The decimal that carries a declared one; engines compute with at most 38 digits.

    A wider declaration keeps its scale (at most 38) and 38 digits in all; each value is checked, and one that does
    not fit stops the run with the column's name. A negative scale widens to whole numbers.

    >>> carried_decimal(10, 2)
    Decimal128Type(decimal128(10, 2))
    >>> carried_decimal(65, 30)
    Decimal128Type(decimal128(38, 30))
    >>> carried_decimal(5, -2)
    Decimal128Type(decimal128(7, 0))
    """
    if scale < 0:
        precision, scale = precision - scale, 0
    scale = min(scale, 38)
    return pa.decimal128(min(max(precision, scale, 1), 38), scale)


def is_json(type_: pa.DataType) -> bool:
    """Whether a type is the JSON extension type."""
    return isinstance(type_, pa.JsonType)


def is_uuid(type_: pa.DataType) -> bool:
    """Whether a type is the UUID extension type."""
    return isinstance(type_, pa.UuidType)
