"""Athena's types as data: what carries each, and the expression in which it is asked for.

Results and Parquet files carry moments in thousandths of a second only, and nested values without their types: those
are asked for as text, which the server makes exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.hexadecimal import binary_from_hex
from dvt.types.text_values import parser
from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal

_ZONE = " UTC"


@dataclass(frozen=True)
class AthenaType:
    """One native type.

    Args:
        name: In the server's words.
        type: What carries it.
        unloaded: The expression for UNLOAD, `{}` stands for the column.
        paged: The expression for results in pages, all of which are texts.
        written: The Arrow type of what UNLOAD writes.
    """

    name: str
    type: pa.DataType
    unloaded: str
    paged: str
    written: pa.DataType


def _plain(name: str, type_: pa.DataType) -> AthenaType:
    return AthenaType(name, type_, "{}", "{}", type_)


def _as_text(name: str, type_: pa.DataType, expression: str = "cast({} as varchar)") -> AthenaType:
    return AthenaType(name, type_, expression, expression, pa.string())


_BY_NAME: dict[str, AthenaType] = {
    kind.name: kind
    for kind in (
        _plain("boolean", pa.bool_()),
        _plain("tinyint", pa.int8()),
        _plain("smallint", pa.int16()),
        _plain("integer", pa.int32()),
        _plain("bigint", pa.int64()),
        _plain("real", pa.float32()),
        _plain("float", pa.float32()),
        _plain("double", pa.float64()),
        _plain("varchar", pa.string()),
        _plain("string", pa.string()),
        _plain("date", pa.date32()),
        _as_text("char", pa.string(), "rtrim(cast({} as varchar))"),
        AthenaType("varbinary", pa.binary(), "{}", "to_hex({})", pa.binary()),
        _as_text("timestamp", MICROS),
        _as_text("timestamp with time zone", MICROS_UTC, "cast({} at time zone 'UTC' as varchar)"),
        _as_text("time", TIME),
        _as_text("uuid", UUID),
        _as_text("json", JSON, "json_format({})"),
        _as_text("array", JSON, "json_format(cast({} as json))"),
        _as_text("map", JSON, "json_format(cast({} as json))"),
        _as_text("row", JSON, "json_format(cast({} as json))"),
    )
}


def native_type(name: str, precision: int, scale: int) -> AthenaType:
    """What a type is that the metadata of a result names; one that is not known is asked for as text.

    >>> native_type("decimal", 38, 9).type
    Decimal128Type(decimal128(38, 9))
    >>> native_type("interval day to second", 0, 0).unloaded
    'cast({} as varchar)'
    """
    lowered = name.lower()
    if lowered == "decimal":
        return _plain(f"decimal({precision},{scale})", carried_decimal(precision, scale))
    return _BY_NAME.get(lowered) or _as_text(lowered, pa.string())


def from_file(array: pa.Array, kind: AthenaType) -> pa.Array:
    """A column of an unloaded file.

    Raises:
        ValueError: A value is not of the type.
    """
    return array if kind.written == kind.type else _parsed(array, kind.type)


def from_page(values: Sequence[str | None], kind: AthenaType) -> pa.Array:
    """A column of a page; all values are texts, None is NULL.

    Raises:
        ValueError: A value is not of the type.
    """
    if pa.types.is_floating(kind.type):
        return pa.array([None if value is None else float(value) for value in values], kind.type)
    texts = pa.array(values, pa.string())
    if pa.types.is_binary(kind.type):
        return binary_from_hex(pc.utf8_lower(texts))
    return _parsed(texts, kind.type)


def _parsed(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    if type_ == pa.string():
        return texts
    if type_ == MICROS_UTC:
        if pc.all(pc.ends_with(texts, _ZONE)).as_py() is False:
            raise ValueError("a moment is not in UTC")
        texts = pc.binary_join_element_wise(pc.replace_substring(texts, _ZONE, ""), "+00:00", "")
    return parser(type_)(texts)
