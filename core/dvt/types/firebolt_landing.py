"""The Firebolt types under which Arrow types land, and their values as literals that say their type.

Texts are E'...' literals, which are read in one way whatever `standard_conforming_strings` says. There are no UUIDs, no
times and no documents: they are texts, and so is what is nested, as JSON.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.exact_values import exact, is_number
from dvt.types.firebolt import native_type
from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_PLAIN = {
    pa.bool_(): "boolean",
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16()), "integer"),
    **dict.fromkeys((pa.int64(), pa.uint32()), "bigint"),
    pa.uint64(): "numeric(20, 0)",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    MICROS: "timestamp",
    MICROS_UTC: "timestamptz",
    TIME: "text",
}
_NAMES = re.compile(
    r"(?i)int|integer|bigint|long|real|float|double|double precision|text|string|boolean|bytea|date|"
    r"timestamp|timestampntz|timestamptz|(numeric|decimal)\(\d+, *\d+\)"
)


def firebolt_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> firebolt_type(pa.uint8()), firebolt_type(pa.decimal128(38, 2)), firebolt_type(pa.timestamp("ns"))
    ('integer', 'numeric(38, 2)', None)
    """
    if is_uuid(type_) or is_json(type_) or pa.types.is_nested(type_):
        return "text"
    if pa.types.is_decimal128(type_):
        return f"numeric({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    return _PLAIN.get(type_)


def carrier(native: str) -> pa.DataType | None:
    """The Arrow type that has a column type's values; None for one that is not loaded.

    >>> carrier("numeric(9, 2)"), carrier("geography")
    (Decimal128Type(decimal128(9, 2)), None)
    """
    return native_type(native).type if _NAMES.fullmatch(native.strip()) else None


def is_loaded(type_: pa.DataType, native: str) -> bool:
    """Whether values of an Arrow type are loaded into a column."""
    to = carrier(native)
    if to is None:
        return False
    return pa.types.is_string(to) or (is_number(type_) and is_number(to)) or carrier(firebolt_type(type_) or "") == to


def cell_texts(array: pa.Array, native: str) -> pa.Array:
    """The values as texts, of which a cast to the column's type makes them; bytes as hexadecimal digits.

    Raises:
        ValueError: Firebolt has no place for one.

    >>> cell_texts(pa.array([b"a", None]), "bytea").to_pylist(), cell_texts(pa.array([1.5]), "text").to_pylist()
    (['\\\\x61', None], ['1.5'])
    """
    to = carrier(native)
    assert to is not None, "it was asked before"
    found = exact(array, to)
    if pa.types.is_binary(to):
        return pa.array([None if value is None else "\\x" + value.hex() for value in found.to_pylist()], pa.string())
    texts = plain_texts(found)
    if pa.types.is_string(to) and pc.any(pc.match_substring(texts, "\0")).as_py():
        raise ValueError("a text holds the character of code zero")
    return texts


def literals(array: pa.Array, native: str) -> list[str]:
    """The values as SQL.

    Raises:
        ValueError: Firebolt has no place for one.

    >>> literals(pa.array(["it's", None]), "text"), literals(pa.array([1.5]), "real")
    (["E'it''s'", 'null'], ["cast(E'1.5' as real)"])
    """
    to, texts = carrier(native), cell_texts(array, native)
    if pa.types.is_integer(to) and "-9223372036854775808" not in texts.to_pylist():
        return ["null" if text is None else text for text in texts.to_pylist()]
    escaped = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), "'", "''").to_pylist()
    if pa.types.is_string(to):
        return ["null" if text is None else f"E'{text}'" for text in escaped]
    return ["null" if text is None else f"cast(E'{text}' as {native})" for text in escaped]
