"""BigQuery types as data: what carries each of them. Facts are those of its data type and Storage Read API pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, carried_decimal

# Digits in all, and after the point, of what is declared without them.
_NUMERIC = (38, 9)
_MOST_DIGITS = 38


@dataclass(frozen=True)
class Reading:
    """How the values of a column are read.

    Args:
        type: The Arrow type that carries them.
        native: The type as SQL writes it.
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    native: str
    refused: str = ""


# Names of the API, and those of SQL.
_NAMES = {
    "INTEGER": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "RECORD": "STRUCT",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
# GEOGRAPHY comes as well-known text, intervals as the server's own text.
_PLAIN: dict[str, pa.DataType] = {
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": MICROS,
    "TIME": TIME,
    "TIMESTAMP": MICROS_UTC,
    "JSON": JSON,
    "GEOGRAPHY": pa.string(),
    "INTERVAL": pa.string(),
}


def reading(field: Any, bignumeric_scale: int = 9) -> Reading:
    """How a column is read.

    Args:
        field: The client's `SchemaField`.
        bignumeric_scale: Digits after the point for BIGNUMERIC without precision, which has 38 there and 38 before it.

    >>> from google.cloud.bigquery import SchemaField
    >>> reading(SchemaField("n", "NUMERIC", precision=10, scale=2))
    Reading(type=Decimal128Type(decimal128(10, 2)), native='NUMERIC(10, 2)', refused='')
    >>> reading(SchemaField("a", "INTEGER", mode="REPEATED")).type
    ListType(list<item: int64>)
    """
    inner = _single(field, bignumeric_scale)
    if field.mode != "REPEATED":
        return inner
    return Reading(pa.list_(_stored(inner.type)), f"ARRAY<{inner.native}>", inner.refused)


def _single(field: Any, bignumeric_scale: int) -> Reading:
    api_name, _, argument = field.field_type.upper().partition("<")
    name = _NAMES.get(api_name, api_name)
    if name in ("NUMERIC", "BIGNUMERIC"):
        return _number(name, field, bignumeric_scale)
    if name == "STRUCT":
        inner = [(child.name, reading(child, bignumeric_scale)) for child in field.fields]
        native = ", ".join(f"{child_name} {how.native}" for child_name, how in inner)
        refused = next((how.refused for _, how in inner if how.refused), "")
        return Reading(pa.struct([(n, _stored(how.type)) for n, how in inner]), f"STRUCT<{native}>", refused)
    if name == "RANGE":
        element = argument.rstrip(">") or _element_type(field)
        bound = _PLAIN.get(element, pa.binary())
        refused = "" if element in _PLAIN else f"no type carries RANGE<{element}>"
        return Reading(pa.struct([("start", bound), ("end", bound)]), f"RANGE<{element}>", refused)
    if name == "TIMESTAMP" and _digits_of_second(field) > 6:
        return Reading(MICROS_UTC, "TIMESTAMP(12)", "TIMESTAMP(12) has picoseconds, and microseconds are carried")
    if name not in _PLAIN:
        return Reading(pa.binary(), name, f"no type carries {name}")
    collation = (field.to_api_repr().get("collation") or "") if name == "STRING" else ""
    return Reading(_PLAIN[name], f"STRING COLLATE '{collation}'" if collation else name)


def _number(name: str, field: Any, bignumeric_scale: int) -> Reading:
    if field.precision is not None:
        precision, scale = int(field.precision), int(field.scale or 0)
        return Reading(carried_decimal(precision, scale), f"{name}({precision}, {scale})")
    if name == "NUMERIC":
        return Reading(carried_decimal(*_NUMERIC), name)
    return Reading(carried_decimal(_MOST_DIGITS, bignumeric_scale), name)


def _stored(type_: pa.DataType) -> pa.DataType:
    """Within others, JSON is text."""
    return pa.string() if type_ == JSON else type_


def _element_type(field: Any) -> str:
    element = getattr(field, "range_element_type", None)
    return str(getattr(element, "element_type", element) or "").upper()


def _digits_of_second(field: Any) -> int:
    precision = getattr(field, "timestamp_precision", None)
    return int(getattr(precision, "value", precision) or 6)
