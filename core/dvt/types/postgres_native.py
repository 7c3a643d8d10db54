"""Which Arrow type goes into which PostgreSQL type by its binary form, and as what: the native encoder's table.

The forms are those of the `recv` functions (as in `postgres_binary.py`), which check what they are given as the types'
text input does. What is not here goes as text: a type whose input does more than its `recv` (`name` is cut, `xml` reads
an encoding), types of extensions, and Arrow types that PostgreSQL takes in another form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from dvt.native import library as native
from dvt.types import postgres_binary as pg
from dvt.types.vocabulary import INTERVAL, MICROS, MICROS_UTC, TIME, is_json, is_uuid

_TEXTS: Final = frozenset({pg.TEXT, pg.VARCHAR, pg.BPCHAR, pg.JSON})
_WHOLE: Final = {
    pg.INT2: (pa.int16(), native.INT16),
    pg.INT4: (pa.int32(), native.INT32),
    pg.INT8: (pa.int64(), native.INT64),
    pg.OID: (pa.uint32(), native.INT32),
}
_EXACT: Final = {
    (pa.bool_(), pg.BOOL): native.BOOL,
    (pa.binary(), pg.BYTEA): native.BYTES,
    (pa.float32(), pg.FLOAT4): native.FLOAT32,
    (pa.float64(), pg.FLOAT8): native.FLOAT64,
    (pa.date32(), pg.DATE): native.DATE,
    (TIME, pg.TIME): native.TIME,
    (INTERVAL, pg.INTERVAL): native.INTERVAL,
}
# Digits that hold every number of an integer type.
_DIGITS: Final = {1: 3, 2: 5, 4: 10, 8: 20}


@dataclass(frozen=True)
class TargetType:
    """A column's type, as the catalogue has it.

    Args:
        oid: Object id; of the base type for a domain.
        is_enum: Whether it is an enum.
        element: The type of an array's elements, None when it is no array.
    """

    oid: int
    is_enum: bool = False
    element: TargetType | None = None


@dataclass(frozen=True)
class Encoding:
    """How the encoder writes a column.

    Args:
        type: The Arrow type to which the column is brought before; its storage for extension types.
        kind: The codec's number for its values, or for a list's elements.
        scale: Digits of a decimal, bytes of a fixed size.
        element_oid: The type of an array's elements; 0 when it is no array.
    """

    type: pa.DataType
    kind: int
    scale: int = 0
    element_oid: int = 0


def encoding(type_: pa.DataType, target: TargetType) -> Encoding | None:
    """How values of an Arrow type are written into a type; None where it has to be text.

    >>> encoding(pa.int64(), TargetType(23)).type, encoding(pa.string(), TargetType(2950))
    (DataType(int32), None)
    """
    if target.element is not None:
        return _list(type_, target.element)
    if pa.types.is_list(type_):
        return None
    if is_uuid(type_) and target.oid == pg.UUID:
        return Encoding(pa.binary(16), native.FIXED, 16)
    if is_json(type_) or pa.types.is_string(type_) or pa.types.is_struct(type_) or pa.types.is_map(type_):
        return _text(target)
    if pa.types.is_integer(type_):
        return _integer(type_, target)
    if pa.types.is_decimal(type_) and target.oid == pg.NUMERIC:
        return Encoding(type_, native.DECIMAL128 if type_.bit_width == 128 else native.DECIMAL256, type_.scale)
    if pa.types.is_timestamp(type_):
        # A moment in a type without a zone, and the other way round, is a matter of the session's zone.
        wanted = (MICROS_UTC, pg.TIMESTAMPTZ) if type_.tz else (MICROS, pg.TIMESTAMP)
        return Encoding(wanted[0], native.TIMESTAMP) if target.oid == wanted[1] else None
    kind = _EXACT.get((type_, target.oid))
    return None if kind is None else Encoding(type_, kind)


def _text(target: TargetType) -> Encoding | None:
    if target.oid == pg.JSONB:
        return Encoding(pa.string(), native.JSONB)
    return Encoding(pa.string(), native.TEXT) if target.is_enum or target.oid in _TEXTS else None


def _integer(type_: pa.DataType, target: TargetType) -> Encoding | None:
    if target.oid == pg.NUMERIC:
        return Encoding(pa.decimal128(_DIGITS[type_.bit_width // 8], 0), native.DECIMAL128, 0)
    found = _WHOLE.get(target.oid)
    return None if found is None else Encoding(*found)


def _list(type_: pa.DataType, element: TargetType) -> Encoding | None:
    """Lists whose elements need no other form than a cast of whole numbers."""
    if not pa.types.is_list(type_):
        return None
    item = type_.value_type
    found = encoding(item, element)
    if found is None or found.element_oid:
        return None
    is_plain = found.type == item or is_uuid(item) or is_json(item)
    if not (is_plain or (pa.types.is_integer(item) and pa.types.is_integer(found.type))):
        return None
    return Encoding(pa.list_(found.type), found.kind, found.scale, element.oid)
