"""The BigQuery types under which Arrow types land, and their values as they stand in the Parquet files of a load job.

BigQuery has no NULL arrays and no NULLs within arrays: both are refused. NUMERIC has 29 digits before the point and 9
behind it, what does not fit there is BIGNUMERIC.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dvt.identifiers import quote
from dvt.types.document_numbers import is_double, require_kept
from dvt.types.landing_texts import plain_texts
from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_NUMERIC = (29, 9)  # digits before the point, and behind it
_BIGNUMERIC = (38, 38)
_MOST_DIGITS = 38
_PLAIN = {
    pa.bool_(): "bool",
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), "int64"),
    **dict.fromkeys((pa.uint8(), pa.uint16(), pa.uint32()), "int64"),
    pa.uint64(): "numeric(20, 0)",
    pa.float32(): "float64",
    pa.float64(): "float64",
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.date32(): "date",
    TIME: "time",
    MICROS: "datetime",
    pa.timestamp("ns"): "datetime",
    MICROS_UTC: "timestamp",
}
_ALIASES = {
    **dict.fromkeys(("INT", "SMALLINT", "INTEGER", "BIGINT", "TINYINT", "BYTEINT"), "INT64"),
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
    "BOOLEAN": "BOOL",
}
_SIMPLE = {"BOOL": pa.bool_(), "DATE": pa.date32(), "TIME": TIME, "DATETIME": MICROS, "TIMESTAMP": MICROS_UTC}
_KINDS = {*_SIMPLE, "INT64", "NUMERIC", "BIGNUMERIC", "FLOAT64", "STRING", "BYTES", "JSON"}
_NATIVE = re.compile(r"(?i)\s*([a-z0-9]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*\Z")
_INT64 = range(-(2**63), 2**64)  # a document's whole numbers may be unsigned


def bigquery_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> bigquery_type(pa.decimal128(38, 9)), bigquery_type(pa.decimal128(38, 2)), bigquery_type(pa.list_(pa.string()))
    ('numeric(38, 9)', 'bignumeric(38, 2)', 'array<string>')
    """
    if is_uuid(type_):
        return "string"
    if is_json(type_):
        return "json"
    if pa.types.is_decimal(type_):
        return _decimal(type_)
    if pa.types.is_list(type_):
        inner = None if pa.types.is_list(type_.value_type) else bigquery_type(type_.value_type)
        return inner and f"array<{inner}>"
    if pa.types.is_struct(type_):
        fields = [(field.name, bigquery_type(field.type)) for field in type_]
        if not fields or None in (native for _, native in fields):
            return None
        return "struct<" + ", ".join(f"{quote(name, 'bigquery')} {native}" for name, native in fields) + ">"
    return _PLAIN.get(type_)


def _decimal(type_: pa.DataType) -> str | None:
    before, scale = type_.precision - type_.scale, type_.scale
    if not 0 <= scale <= type_.precision:
        return None
    for name, (most_before, most_behind) in (("numeric", _NUMERIC), ("bignumeric", _BIGNUMERIC)):
        if before <= most_before and scale <= most_behind:
            return f"{name}({type_.precision}, {scale})"
    return None


def parsed(native: str) -> tuple[str, tuple[int, ...]] | None:
    """The kind of a type that a contract declares, and its sizes; None where values are not put into such a one."""
    found = _NATIVE.match(native)
    if found is None:
        return None
    name = found.group(1).upper()
    kind = _ALIASES.get(name, name)
    return (kind, tuple(int(size) for size in found.groups()[1:] if size)) if kind in _KINDS else None


def sent(array: pa.Array, native: str) -> pa.Array:
    """The values as they stand in a file.

    Raises:
        ValueError: The column's type has no place for one of them.

    >>> sent(pa.array([1], pa.uint8()), "int64").type, sent(pa.array([2**64 - 1], pa.uint64()), "numeric(20, 0)").type
    (DataType(int64), Decimal128Type(decimal128(20, 0)))
    """
    if pa.types.is_nested(array.type) and native == bigquery_type(array.type):
        return _nested(array)
    found = parsed(native)
    if found is None:
        raise ValueError(f"dvt puts nothing into a column of type {native}")
    kind, sizes = found
    type_ = array.type
    if kind == "INT64" and pa.types.is_integer(type_):
        return array.cast(pa.int64())
    if kind in ("NUMERIC", "BIGNUMERIC") and (pa.types.is_integer(type_) or pa.types.is_decimal(type_)):
        return _number(array, kind, sizes)
    if kind == "FLOAT64" and (pa.types.is_floating(type_) or pa.types.is_integer(type_)):
        return array.cast(pa.float64())  # whole numbers that a double has not are refused by it
    if kind in _SIMPLE and _is_same(type_, _SIMPLE[kind]):
        array = array.cast(_SIMPLE[kind])  # nanoseconds that would be cut are refused by it
        if pa.types.is_temporal(array.type):
            check_range(array)
        return array
    if kind == "STRING" and not pa.types.is_binary(type_):
        return _no_longer(plain_texts(array), pc.utf8_length, sizes)
    if kind == "BYTES" and pa.types.is_binary(type_):
        return _no_longer(array, pc.binary_length, sizes)
    if kind == "JSON" and (is_json(type_) or pa.types.is_nested(type_)):
        texts = plain_texts(array)
        for text in texts.drop_null().to_pylist():
            require_kept(text, _is_kept)
        return texts
    raise ValueError(f"{type_} is not put into a column of type {native}")


def _is_same(type_: pa.DataType, other: pa.DataType) -> bool:
    if pa.types.is_timestamp(type_) and pa.types.is_timestamp(other):
        return (type_.tz is None) == (other.tz is None)
    return bool(type_ == other)


def _number(array: pa.Array, kind: str, sizes: tuple[int, ...]) -> pa.Array:
    before, scale = _NUMERIC if kind == "NUMERIC" else _BIGNUMERIC
    if pa.types.is_integer(array.type):
        array = array.cast(pa.decimal128(20, 0))
    if sizes:
        precision, scale = (*sizes, 0)[:2]
        if precision > _MOST_DIGITS:
            raise ValueError(f"no more than {_MOST_DIGITS} digits are carried")
        return array.cast(pa.decimal128(precision, scale))
    type_ = array.type
    if type_.scale > scale or type_.precision - type_.scale > before:
        return array.cast(pa.decimal128(_MOST_DIGITS, min(scale, _MOST_DIGITS - before) or type_.scale))
    return array


def _no_longer(array: pa.Array, length: object, sizes: tuple[int, ...]) -> pa.Array:
    longest = pc.max(length(array)).as_py() or 0  # type: ignore[operator]
    if sizes and longest > sizes[0]:
        raise ValueError(f"a value of length {longest} is longer than {sizes[0]}")
    return array


def _is_kept(digits: str) -> bool:
    is_whole = digits.lstrip("-").isdigit()
    return (is_whole and int(digits) in _INT64) or is_double(digits)


def _nested(array: pa.Array) -> pa.Array:
    """Lists and structs with the same values for all that is in them; a list and its elements are never NULL."""
    type_ = array.type
    if pa.types.is_list(type_):
        if array.null_count:
            raise ValueError("a list is NULL, and BigQuery would make an empty one of it")
        inner = array.flatten()
        if inner.null_count:
            raise ValueError("an element of a list is NULL, and BigQuery has no such lists")
        values = sent(inner, bigquery_type(type_.value_type) or "")
        offsets = pc.subtract(array.offsets, array.offsets[0])
        return pa.ListArray.from_arrays(offsets.cast(pa.int32()), values)
    children = [sent(_masked(array, number), bigquery_type(field.type) or "") for number, field in enumerate(type_)]
    fields = [pa.field(field.name, child.type) for field, child in zip(type_, children, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())


def _masked(array: pa.StructArray, number: int) -> pa.Array:
    child = array.flatten()[number]
    if pa.types.is_list(child.type) and array.null_count:
        raise ValueError("a struct with a list in it is NULL, and BigQuery would make an empty list of that")
    return child
