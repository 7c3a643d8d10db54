"""Columns as ADBC drivers give them: Arrow, corrected where a driver is known to say another thing than it has."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.duckdb_arrow import plain_array, plain_type
from dvt.types.generic import Convert, Reading, declared_type, recast, text_reader
from dvt.types.normal import normal_type, normalised
from dvt.types.vocabulary import (
    DATE_INFINITY,
    DATE_MINUS_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    carried_decimal,
)

# The driver for PostgreSQL carries these as they are. It gives money as an integer, large oids as negative numbers,
# arrays of several dimensions flat, and the types that it does not know as their bytes on the wire.
_POSTGRES_PLAIN = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "bytea"),
        *("time", "interval", "uuid", "json", "jsonb"),
    }
)
# It counts days and microseconds from 2000 on, and adds the years since 1970 to infinity too, which wraps around.
_DAYS_TO_2000 = 10_957
_MICROS_TO_2000 = _DAYS_TO_2000 * 86_400_000_000
_POSTGRES_INFINITIES: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "date": (
        (2**31 - 1 + _DAYS_TO_2000 - 2**32, DATE_INFINITY),
        (-(2**31) + _DAYS_TO_2000, DATE_MINUS_INFINITY),
    ),
    **dict.fromkeys(
        ("timestamp", "timestamptz"),
        (
            (2**63 - 1 + _MICROS_TO_2000 - 2**64, TIMESTAMP_INFINITY),
            (-(2**63) + _MICROS_TO_2000, TIMESTAMP_MINUS_INFINITY),
        ),
    ),
}
_NO_TYPES = (
    "the driver takes the column's type from its first values; use `type: sqlite`, which looks at all, or declare it"
)


def adbc_reading(field: pa.Field, vendor: str, declared: Mapping[str, str]) -> Reading:
    """How a column of an ADBC result is read.

    Args:
        field: As the driver announces it.
        vendor: The database, as the driver calls it.
        declared: Types that the project declares.
    """
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    native = metadata.get("POSTGRESQL:type", str(field.type))
    type_, convert, refused = _reading(field.type, native, metadata)
    if vendor.lower() == "sqlite":
        native, refused = "", _NO_TYPES
    wanted = declared_type(declared, field.name, is_needed=bool(refused), takes_bytes=True)
    if wanted is None:
        return Reading(field.name, type_, native, convert, refused)
    way = recast(type_, wanted)
    if refused == _NO_TYPES:  # a column without values is one of integers there
        return Reading(field.name, wanted, native, lambda array: _unless_empty(array, wanted, way))
    if way is None or refused:
        return Reading(field.name, type_, native, convert, refused)
    return Reading(field.name, wanted, native, lambda array: way(convert(array)))


def _reading(type_: pa.DataType, native: str, metadata: Mapping[str, str]) -> tuple[pa.DataType, Convert, str]:
    if native == "numeric" and "POSTGRESQL:typmod" in metadata:
        return _numeric(int(metadata["POSTGRESQL:typmod"]))
    if native in _POSTGRES_INFINITIES:
        infinities = _POSTGRES_INFINITIES[native]
        return type_, lambda array: _with_infinities(array, infinities), ""
    is_unknown = "POSTGRESQL:type" in metadata and native not in _POSTGRES_PLAIN
    if is_unknown or isinstance(type_, pa.OpaqueType):
        return pa.string(), _same, f"the driver does not carry {native} exactly: cast it to text"
    if plain_type(type_) != type_:
        plain = plain_type(type_)
        return plain, lambda array: plain_array(array, plain), ""
    normal = normal_type(type_)
    if normal is None or _has_opaque(type_):
        return pa.string(), _same, f"no type carries {native}"
    return normal, lambda array: normalised(array, normal), ""


def _numeric(typmod: int) -> tuple[pa.DataType, Convert, str]:
    """PostgreSQL's numeric comes as its digits; without a precision they stay text."""
    if typmod < 4:
        return pa.string(), _digits, ""
    precision, scale = (typmod - 4) >> 16, (typmod - 4) & 0x7FF
    scale -= 2048 if scale >= 1024 else 0  # eleven bits, signed
    type_ = carried_decimal(precision, scale)
    read = text_reader(type_)
    return type_, lambda array: read(array.storage), ""


def _digits(array: pa.Array) -> pa.Array:
    texts = array.storage
    if pc.all(pc.match_substring_regex(texts, "^[0-9.-]+$")).as_py() is False:
        raise ValueError("NaN and infinity have no digits")
    return texts


def _with_infinities(array: pa.Array, infinities: tuple[tuple[int, int], tuple[int, int]]) -> pa.Array:
    storage = array.view(pa.int32() if pa.types.is_date(array.type) else pa.int64())
    for wrapped, carried in infinities:
        if pc.any(found := pc.equal(storage, wrapped)).as_py():
            storage = pc.if_else(found, pa.scalar(carried, storage.type), storage)
    return storage.view(array.type)


def _has_opaque(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.OpaqueType):
        return True
    return any(_has_opaque(type_.field(index).type) for index in range(type_.num_fields))


def _unless_empty(array: pa.Array, wanted: pa.DataType, way: Convert | None) -> pa.Array:
    if array.null_count == len(array):
        return pa.nulls(len(array), wanted)
    if way is None:
        raise ValueError(f"the driver takes it for {array.type}")
    return way(array)


def _same(array: pa.Array) -> pa.Array:
    return array
