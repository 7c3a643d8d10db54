"""Firebolt's types as data: what carries each, and how the values of its JSON become Arrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.types.row_values import column_array
from dvt.types.vocabulary import MICROS, MICROS_UTC, carried_decimal

_PLAIN: dict[str, pa.DataType] = {
    **dict.fromkeys(("int", "integer"), pa.int32()),
    **dict.fromkeys(("long", "bigint"), pa.int64()),
    "real": pa.float32(),
    **dict.fromkeys(("float", "double", "double precision"), pa.float64()),
    **dict.fromkeys(("text", "string", "nothing", "geography"), pa.string()),
    **dict.fromkeys(("date", "pgdate", "date_ext"), pa.date32()),
    **dict.fromkeys(("timestamp", "timestampntz", "timestamp_ext"), MICROS),
    "timestamptz": MICROS_UTC,
    "boolean": pa.bool_(),
    "bytea": pa.binary(),
}
_DECIMAL = re.compile(r"(?i)^(?:decimal|numeric)\((\d+), *(\d+)\)$")
_INFINITE = frozenset({"inf", "-inf", "+inf", "infinity", "-infinity", "nan", "-nan"})


@dataclass(frozen=True)
class FireboltType:
    """One native type.

    Args:
        name: In the server's words, without its note of NULLs.
        type: What carries it.
        nullable: Whether NULLs are announced.
    """

    name: str
    type: pa.DataType
    nullable: bool


def native_type(text: str) -> FireboltType:
    """What a type in the server's words is; one that is not known is carried as its text.

    >>> native_type("array(int null) null")
    FireboltType(name='array(int null)', type=ListType(list<item: int32>), nullable=True)
    >>> native_type("struct(`a b` text, n numeric(5, 2))").type
    StructType(struct<a b: string, n: decimal128(5, 2)>)
    """
    name = text.strip()
    nullable = name.lower().endswith(" null")
    if nullable:
        name = name[:-5].rstrip()
    return FireboltType(name, _carrier(name), nullable or name == "Nothing")


def _carrier(name: str) -> pa.DataType:
    lowered = name.lower()
    if lowered in _PLAIN:
        return _PLAIN[lowered]
    if number := _DECIMAL.match(name):
        return carried_decimal(int(number[1]), int(number[2]))
    if lowered.startswith("array(") and name.endswith(")"):
        return pa.list_(native_type(name[6:-1]).type)
    if lowered.startswith("struct(") and name.endswith(")"):
        return pa.struct([_struct_field(part) for part in _parts(name[7:-1])])
    return pa.string()


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets and no quotes."""
    found, depth, is_quoted, start = [], 0, False, 0
    for at, letter in enumerate(text):
        if letter == "`":
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 0:
                found.append(text[start:at].strip())
                start = at + 1
    return [*found, text[start:].strip()]


def _struct_field(text: str) -> pa.Field:
    if text.startswith("`"):
        name, _, type_ = text[1:].partition("`")
    else:
        name, _, type_ = text.partition(" ")
    return pa.field(name, native_type(type_).type)


def read_values(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """The values of a column, as JSON has them with the digits of its fractions kept, as an array.

    Raises:
        ValueError: One is not of the type, or would not be carried exactly.
    """
    convert = _converter(type_)
    return column_array(values if convert is None else [None if v is None else convert(v) for v in values], type_)


def _converter(type_: pa.DataType) -> Callable[[Any], Any] | None:
    if pa.types.is_integer(type_):
        return lambda value: int(value) if isinstance(value, str) else value  # large ones are quoted
    if pa.types.is_floating(type_):
        return _float
    if pa.types.is_binary(type_):
        return _bytes
    if pa.types.is_list(type_):
        item = _converter(type_.value_type)
        return None if item is None else lambda value: [None if v is None else item(v) for v in value]
    if pa.types.is_struct(type_):
        return lambda value: _converted_struct(value, type_)
    return None


def _converted_struct(value: dict[str, Any], type_: pa.DataType) -> dict[str, Any]:
    converters = {type_.field(at).name: _converter(type_.field(at).type) for at in range(type_.num_fields)}
    found = {}
    for name, inner in value.items():
        convert = converters.get(name)
        found[name] = inner if inner is None or convert is None else convert(inner)
    return found


def _float(value: Any) -> Any:
    if isinstance(value, str):
        if value[-1:].isalpha() and value.lower() not in _INFINITE:
            raise ValueError(f"{value!r} is no number")
        return float(value)
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("\\x"):
        raise ValueError("bytes are not written as \\x and digits")
    return bytes.fromhex(value[2:])
