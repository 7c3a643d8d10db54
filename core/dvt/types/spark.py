"""Spark types as data: what carries each of them, and what the server is asked to make of those that Arrow has not.

Facts are those of Spark's type reference and of Spark Connect's Arrow (4.2): months of an interval come in a form that
PyArrow cannot read, times are refused by the server, variants come in their own binary form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, carried_decimal


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        type: The Arrow type that carries them.
        asked_as: What the server makes of them first: "" for nothing, "text", or "json".
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    asked_as: str = ""
    refused: str = ""


# By the name of the client's class.
_PLAIN: dict[str, pa.DataType] = {
    "BooleanType": pa.bool_(),
    "ByteType": pa.int8(),
    "ShortType": pa.int16(),
    "IntegerType": pa.int32(),
    "LongType": pa.int64(),
    "FloatType": pa.float32(),
    "DoubleType": pa.float64(),
    "StringType": pa.string(),
    "CharType": pa.string(),
    "VarcharType": pa.string(),
    "BinaryType": pa.binary(),
    "DateType": pa.date32(),
    "TimestampType": MICROS_UTC,
    "TimestampNTZType": MICROS,
    "NullType": pa.int32(),
}
_ASKED: dict[str, Reading] = {
    "YearMonthIntervalType": Reading(pa.string(), "text"),
    "DayTimeIntervalType": Reading(pa.string(), "text"),
    "CalendarIntervalType": Reading(pa.string(), "text"),
    "TimeType": Reading(TIME, "text"),
    "VariantType": Reading(JSON, "json"),
}


def reading(type_: Any) -> Reading:
    """How a type of Spark's client is read: a `pyspark.sql.types.DataType`."""
    name = type(type_).__name__
    return _ASKED.get(name) or _inner(type_)


def _inner(type_: Any) -> Reading:
    """How a type is read where nothing can be asked: within another one."""
    name = type(type_).__name__
    if name in _PLAIN:
        return Reading(_PLAIN[name])
    if name == "DecimalType":
        return Reading(carried_decimal(type_.precision, type_.scale))
    if name == "ArrayType":
        inner = _inner(type_.elementType)
        return Reading(pa.list_(inner.type), refused=inner.refused)
    if name == "MapType":
        key, inner = _inner(type_.keyType), _inner(type_.valueType)
        refused = key.refused or inner.refused
        return Reading(pa.map_(pa.string(), inner.type), refused=refused or _key_refusal(key.type))
    if name == "StructType":
        fields = [(field.name, _inner(field.dataType)) for field in type_.fields]
        refused = next((inner.refused for _, inner in fields if inner.refused), "")
        return Reading(pa.struct([(name, inner.type) for name, inner in fields]), refused=refused)
    return Reading(pa.string(), refused=f"no type carries {type_.simpleString()}")


def _key_refusal(type_: pa.DataType) -> str:
    """Keys are carried as texts, so that of those with several texts none is."""
    is_text = pa.types.is_string(type_) or pa.types.is_integer(type_) or pa.types.is_boolean(type_)
    return "" if is_text or pa.types.is_date(type_) else f"no type carries a map whose keys are {type_}"
