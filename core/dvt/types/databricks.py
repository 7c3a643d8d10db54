"""Databricks types as data: what carries each of them, when results come as Arrow.

Facts are those of Databricks' type reference and of its Thrift server: `Spark:DataType:SqlName` names a column's type
in the metadata of its Arrow field, though not on every answer. What carries a column is therefore told from the Arrow
type alone, which is always there; the name is for people, for plans and for what may be compared.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

SQL_NAME = b"Spark:DataType:SqlName"

# Native types, and what carries them. TIMESTAMP is an instant and comes in the session's zone.
CARRIED = {
    "boolean": "bool",
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float32",
    "double": "float64",
    "decimal(p, s)": "decimal128(p, s)",
    "string, varchar(n), char(n)": "string; a char(n) padded, as the server gives it",
    "binary": "binary",
    "date": "date32",
    "timestamp": "timestamp[us, UTC]",
    "timestamp_ntz": "timestamp[us]",
    "interval year to month, interval day to second": "string, in Spark's words: 1-2, 1 02:03:04.000005000",
    "variant": "string: its JSON, as the server writes it",
    "geometry, geography": "string: EWKT, as the server writes it",
    "void": "int32, all NULL",
    "array<T>": "list<T>",
    "struct<...>": "struct<...>",
    "map<K, V>": "map<string, V>: keys as texts",
}
_BY_ARROW = {
    pa.int8(): "tinyint",
    pa.int16(): "smallint",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.null(): "void",
}


def native_name(field: pa.Field, announced: str) -> str:
    """The native type of a column.

    Args:
        field: Its Arrow field.
        announced: Its type in the cursor's description, where several types share a name.

    >>> native_name(pa.field("a", pa.timestamp("us")), "timestamp")
    'timestamp_ntz'
    """
    named = (field.metadata or {}).get(SQL_NAME)
    if named:
        return str(named.decode()).lower()
    if pa.types.is_timestamp(field.type):
        return "timestamp" if field.type.tz else "timestamp_ntz"
    if pa.types.is_decimal(field.type):
        return f"decimal({field.type.precision},{field.type.scale})"
    return _BY_ARROW.get(field.type, announced)


def is_native(field: pa.Field, announced: str) -> bool:
    """Whether the server sends a column in the Arrow type of its own; otherwise decimals and moments come as texts.

    >>> is_native(pa.field("a", pa.string()), "decimal")
    False
    """
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    return not (is_text and announced in ("decimal", "timestamp", "date"))


def result_schema(serialized: Any) -> pa.Schema:
    """The Arrow schema of a result."""
    return pa.ipc.read_schema(pa.py_buffer(serialized))
