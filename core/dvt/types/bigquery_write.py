"""The Arrow types in which BigQuery's Storage Write API takes columns, by Google's table of them.

What is not in that table is not sent that way: TIME, and names that are more than letters, digits and underscores, of
which it says nothing.
"""

from __future__ import annotations

import re

import pyarrow as pa

from dvt.types.bigquery_landing import bigquery_type, parsed
from dvt.types.vocabulary import MICROS, MICROS_UTC

_SAME = {
    "BOOL": pa.bool_(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "STRING": pa.string(),
    "JSON": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": MICROS,
    "TIMESTAMP": MICROS_UTC,
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def written_type(type_: pa.DataType, native: str) -> pa.DataType | None:
    """The Arrow type of a column in a request, None where the API takes none with the same values.

    Args:
        type_: The type of the values as `bigquery_landing.sent` gives them.
        native: The column's own.

    >>> written_type(pa.decimal128(30, 0), "bignumeric(30, 0)"), written_type(pa.time64("us"), "time")
    (Decimal256Type(decimal256(30, 0)), None)
    """
    if pa.types.is_list(type_):
        inner = _nested(type_.value_type)
        return inner and pa.list_(inner)
    if pa.types.is_struct(type_):
        fields = [(field.name, _nested(field.type)) for field in type_]
        is_taken = all(inner is not None and _NAME.match(name) for name, inner in fields)
        return pa.struct(fields) if is_taken else None
    kind, _ = parsed(native) or ("", ())
    if kind in ("NUMERIC", "BIGNUMERIC") and pa.types.is_decimal(type_):
        decimal = pa.decimal128 if kind == "NUMERIC" else pa.decimal256
        return decimal(type_.precision, type_.scale)
    return type_ if _SAME.get(kind) == type_ else None


def _nested(type_: pa.DataType) -> pa.DataType | None:
    return written_type(type_, bigquery_type(type_) or "")


def why_not_written(schema: pa.Schema, types: list[str]) -> str | None:
    """Why rows cannot be sent that way: the first column that stands against it; None where nothing does.

    Args:
        schema: The columns as `bigquery_landing.sent` gives them.
        types: Their own types, in the same order.
    """
    for field, native in zip(schema, types, strict=True):
        if not _NAME.match(field.name):
            return f"column {field.name}: it is not known how the API writes such names"
        if written_type(field.type, native) is None:
            return f"column {field.name}: the API has no Arrow type for {native}"
    return None
