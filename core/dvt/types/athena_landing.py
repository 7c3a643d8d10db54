"""The Hive types under which Arrow types land on Athena, and a column's values as the table's Parquet files hold them.

A moment has thousandths of a second there, and no zone: instants land as UTC's wall time, and finer ones are refused.
Times, UUIDs, JSON and what is nested are their texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_cast import exactly
from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    MICROS,
    MICROS_UTC,
    TIME,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    is_json,
    is_uuid,
)

_MILLIS = pa.timestamp("ms")
_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "tinyint",
    **dict.fromkeys((pa.int16(), pa.uint8()), "smallint"),
    **dict.fromkeys((pa.int32(), pa.uint16()), "int"),
    **dict.fromkeys((pa.int64(), pa.uint32()), "bigint"),
    pa.uint64(): "decimal(20,0)",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    TIME: "string",
    pa.binary(): "binary",
    pa.date32(): "date",
    MICROS: "timestamp",
    MICROS_UTC: "timestamp",
}
_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": _MILLIS,
}
# A contract may say them in the words of queries; DDL has its own.
_QUERIED = {"integer": "int", "real": "float", "varchar": "string", "varbinary": "binary", "timestamp(3)": "timestamp"}
_SIZED = re.compile(r"(?i)\s*(?:varchar\s*\(\s*(?P<size>\d+)\s*\)|decimal\s*\(\s*(?P<p>\d+)\s*,\s*(?P<s>\d+)\s*\))\s*")


def athena_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> athena_type(pa.uint8()), athena_type(pa.decimal128(10, 2)), athena_type(pa.timestamp("ns"))
    ('smallint', 'decimal(10,2)', None)
    """
    if is_json(type_) or is_uuid(type_) or pa.types.is_nested(type_):
        return "string"
    if pa.types.is_decimal(type_):
        fits = 0 <= type_.scale <= type_.precision <= 38
        return f"decimal({type_.precision},{type_.scale})" if fits else None
    return _PLAIN.get(type_)


def queried_as(native: str) -> str:
    """The words of a query for a type of DDL.

    >>> queried_as("string"), queried_as("decimal(10,2)"), queried_as("timestamp")
    ('varchar', 'decimal(10,2)', 'timestamp(3)')
    """
    return {theirs: ours for ours, theirs in _QUERIED.items()}.get(native.lower(), native)


@dataclass(frozen=True)
class Stored:
    """How a column is stored.

    Args:
        native: Its type in DDL.
        type: The Arrow type that Parquet has.
        most_characters: Of a text; 0 for no bound. Longer ones would be read cut.
    """

    native: str
    type: pa.DataType
    most_characters: int = 0

    def values(self, array: pa.Array) -> pa.Array:
        """The column as the files have it.

        Raises:
            ValueError: Athena has no place for a value, or would change it.
        """
        _require_finite(array)
        values = array.storage if is_json(array.type) else array
        if is_uuid(values.type) or pa.types.is_nested(values.type):
            values = plain_texts(values)
        if values.type == MICROS_UTC:
            values = values.cast(MICROS)  # UTC's wall time
        if values.type != self.type:
            values = exactly(values, self.type)
        if self.most_characters and (pc.max(pc.utf8_length(values)).as_py() or 0) > self.most_characters:
            raise ValueError(f"a text is longer than {self.native}")
        return values


def stored(native: str) -> Stored | None:
    """How a column of a type is stored; None for a type that nothing is stored in.

    >>> stored("INTEGER"), stored("char(3)")
    (Stored(native='int', type=DataType(int32), most_characters=0), None)
    """
    name = " ".join(native.lower().split())
    name = _QUERIED.get(name, name)
    if name in _ARROW:
        return Stored(name, _ARROW[name])
    found = _SIZED.fullmatch(native)
    if found is None:
        return None
    if found["size"]:
        size = int(found["size"])
        return Stored(f"varchar({size})", pa.string(), size) if 0 < size <= 65_535 else None
    precision, scale = int(found["p"]), int(found["s"])
    fits = scale <= precision and 0 < precision <= 38
    return Stored(f"decimal({precision},{scale})", pa.decimal128(precision, scale)) if fits else None


def _require_finite(array: pa.Array) -> None:
    if pa.types.is_date32(array.type):
        number, ends = pa.int32(), (DATE_INFINITY, DATE_MINUS_INFINITY)
    elif pa.types.is_timestamp(array.type):
        number, ends = pa.int64(), (TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY)
    else:
        return
    if pc.any(pc.is_in(array.view(number), pa.array(ends, number))).as_py():
        raise ValueError("it is infinite")
