"""Hive types as data: what carries each of them, and how HiveServer2's columns become it.

Facts are those of HiveServer2's protocol: whole numbers and doubles come as they are, everything else as text in UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.text_values import parser
from dvt.types.vocabulary import MICROS, carried_decimal

_Read = Callable[[pa.Array, pa.DataType], pa.Array]

# By the protocol's name: what carries it, and the Arrow type of the values as they come.
_TYPES: dict[str, tuple[pa.DataType, pa.DataType]] = {
    "BOOLEAN": (pa.bool_(), pa.bool_()),
    "TINYINT": (pa.int8(), pa.int64()),
    "SMALLINT": (pa.int16(), pa.int64()),
    "INT": (pa.int32(), pa.int64()),
    "BIGINT": (pa.int64(), pa.int64()),
    "FLOAT": (pa.float32(), pa.float64()),  # the double whose shortest text is the float's
    "DOUBLE": (pa.float64(), pa.float64()),
    "STRING": (pa.string(), pa.binary()),
    "VARCHAR": (pa.string(), pa.binary()),
    "CHAR": (pa.string(), pa.binary()),  # padded, as the server gives it
    "BINARY": (pa.binary(), pa.binary()),
    "DATE": (pa.date32(), pa.binary()),
    "TIMESTAMP": (MICROS, pa.binary()),  # nanoseconds stop the run
    # Texts as the server writes them: JSON for what is nested, 1-2 and 1 02:03:04.000000000 for intervals.
    **dict.fromkeys(("ARRAY", "MAP", "STRUCT", "UNION", "INTERVAL", "USER"), (pa.string(), pa.binary())),
    "NULL": (pa.int32(), pa.binary()),
}


def carried(name: str, precision: int | None, scale: int | None) -> pa.DataType | None:
    """The type that carries a column; None when there is none.

    >>> carried("DECIMAL", 10, 2)
    Decimal128Type(decimal128(10, 2))
    """
    if name == "DECIMAL":
        return carried_decimal(precision or 38, scale or 0)
    return _TYPES[name][0] if name in _TYPES else None


def native_name(name: str, precision: int | None, scale: int | None) -> str:
    """The native type, for messages and plans.

    >>> native_name("DECIMAL", 10, 2)
    'decimal(10,2)'
    """
    return f"decimal({precision},{scale})" if name == "DECIMAL" else name.lower()


def column_array(values: Sequence[object], nulls: bytes, name: str, type_: pa.DataType) -> pa.Array:
    """A column as HiveServer2 sends it, as what carries it.

    Args:
        values: With something in the place of each NULL.
        nulls: One bit a value, from the lowest of each byte; set for NULL.
        name: The protocol's name of the type.
        type_: The carrying type.

    Raises:
        ValueError: A value is not carried exactly.
    """
    sent = pa.binary() if name == "DECIMAL" else _TYPES[name][1]
    count = len(values)
    array = pa.array(values, sent)
    if any(nulls):
        padded = nulls.ljust((count + 7) // 8, b"\0")
        is_null = pa.Array.from_buffers(pa.bool_(), count, [None, pa.py_buffer(padded)])
        array = pc.if_else(is_null, pa.scalar(None, sent), array)
    if name == "NULL":
        return pa.nulls(count, type_)
    if sent != pa.binary() or type_ == pa.binary():
        return array.cast(type_, safe=not pa.types.is_floating(type_))
    texts = array.cast(pa.string())
    if type_ == MICROS:
        texts = _without_zeros(texts)
    return parser(type_)(texts)


def _without_zeros(texts: pa.Array) -> pa.Array:
    """Moments whose nanoseconds are no more than zeros, without these."""
    return pc.replace_substring_regex(texts, r"(\.\d{6})0+$", r"\1")
