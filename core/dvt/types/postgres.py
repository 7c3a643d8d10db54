"""PostgreSQL's types as data: which Arrow type carries each, and which PostgreSQL type an Arrow type lands in.

The object ids are the fixed ones of `pg_type.dat`; the typmod encodings are those of `numerictypmodin` and of
PostgreSQL 15, which allows negative scales. Every type that is not in the table is carried as its text output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal, is_json, is_uuid

BPCHAR: Final = 1042
NUMERIC: Final = 1700

BY_OID: Final[dict[int, pa.DataType]] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    26: pa.uint32(),  # oid
    114: JSON,
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: TIME,
    1114: MICROS,
    1184: MICROS_UTC,
    1186: INTERVAL,
    2950: UUID,
    3802: JSON,  # jsonb
}

# Arrays by their category that are not varlena arrays of the general kind: their text is `1 2 3`.
VECTORS: Final = frozenset({22, 30})

_BY_ARROW: Final[dict[pa.DataType, str]] = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.uint8(): "smallint",
    pa.uint16(): "integer",
    pa.uint32(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    TIME: "time",
    MICROS: "timestamp",
    pa.timestamp("ns"): "timestamp",
    MICROS_UTC: "timestamp with time zone",
    INTERVAL: "interval",
}


@dataclass(frozen=True)
class Carrier:
    """How the text of a value becomes Arrow.

    Args:
        type: The Arrow type.
        is_padded: Whether trailing spaces are padding (`char(n)`), which PostgreSQL's own cast to text drops.
        element: The carrier of an array's elements; None when it is not an array.
        delimiter: What stands between an array's elements.
        is_rescaled: Whether a decimal's text may have other digits after the point than the type.
        oid: Object id of the type, of the base type for a domain.
        is_enum: Whether it is an enum.
        element_oid: Object id of an array's elements as the array itself gives it, of a domain too; 0 for no array.
    """

    type: pa.DataType
    is_padded: bool = False
    element: Carrier | None = None
    delimiter: str = ","
    is_rescaled: bool = False
    oid: int = 0
    is_enum: bool = False
    element_oid: int = 0


def scalar(oid: int, typmod: int, numeric_scale: int, *, is_enum: bool = False) -> Carrier:
    """The carrier of a type that is not an array.

    Args:
        oid: Object id of the type, of the base type for a domain.
        typmod: Its modifier, -1 when there is none.
        numeric_scale: Digits after the point for `numeric` without precision.
        is_enum: Whether the catalogue has it as an enum.

    >>> scalar(1700, ((10 << 16) | 2) + 4, 9).type
    Decimal128Type(decimal128(10, 2))
    >>> scalar(1700, -1, 9).type
    Decimal128Type(decimal128(38, 9))
    >>> scalar(790, -1, 9).type
    DataType(string)
    """
    if oid == NUMERIC:
        precision, scale = _digits(typmod)
        if precision is None:
            return Carrier(carried_decimal(38, numeric_scale), is_rescaled=True, oid=oid)
        return Carrier(carried_decimal(precision, scale), is_rescaled=precision > 38 or scale > 38, oid=oid)
    return Carrier(BY_OID.get(oid, pa.string()), is_padded=oid == BPCHAR, oid=oid, is_enum=is_enum)


def array(element: Carrier, delimiter: str, oid: int = 0, element_oid: int = 0) -> Carrier:
    """The carrier of an array."""
    return Carrier(pa.list_(element.type), element=element, delimiter=delimiter, oid=oid, element_oid=element_oid)


def _digits(typmod: int) -> tuple[int | None, int]:
    """Precision (None when there is none) and scale."""
    if typmod < 4:
        return None, 0
    return ((typmod - 4) >> 16) & 0xFFFF, (((typmod - 4) & 0x7FF) ^ 1024) - 1024


def ddl(type_: pa.DataType) -> str | None:
    """The PostgreSQL type that an Arrow type lands in, None when there is none.

    >>> ddl(pa.list_(pa.int32()))
    'integer[]'
    >>> ddl(pa.decimal128(10, 2))
    'numeric(10,2)'
    >>> ddl(pa.struct({"a": pa.int32()}))
    'json'
    """
    if is_uuid(type_):
        return "uuid"
    if is_json(type_) or pa.types.is_struct(type_) or pa.types.is_map(type_):
        return "json"
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision},{type_.scale})"
    if pa.types.is_list(type_):
        # PostgreSQL has arrays of several dimensions but no arrays of arrays, and one length per dimension.
        element = None if pa.types.is_list(type_.value_type) else ddl(type_.value_type)
        return None if element is None else f"{element}[]"
    return _BY_ARROW.get(type_)
