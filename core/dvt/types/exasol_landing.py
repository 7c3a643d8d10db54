"""The Exasol types under which Arrow types land, and their values as the texts of IMPORT.

Exasol has no empty texts (they are NULL), no bytes, no times of a day, no NaN, and 36 digits: the first and the last
are refused, times and UUIDs are texts, and what is nested is JSON text.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.landing_texts import plain_texts, require_finite
from dvt.types.text_values import check_range
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

_MOST_DIGITS = 36
_MOST_CHARACTERS = 2_000_000
_LONGEST = f"varchar({_MOST_CHARACTERS})"
# The fewest digits that hold all values.
_DIGITS = {"int8": 3, "int16": 5, "int32": 10, "int64": 19, "uint8": 3, "uint16": 5, "uint32": 10, "uint64": 20}
_PLAIN = {
    pa.bool_(): "boolean",
    pa.float32(): "double",
    pa.float64(): "double",
    pa.string(): _LONGEST,
    pa.date32(): "date",
    TIME: "varchar(15)",
    MICROS: "timestamp(6)",
    MICROS_UTC: "timestamp(6) with local time zone",
    pa.timestamp("ns"): "timestamp(9)",
}


def exasol_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> exasol_type(pa.int64()), exasol_type(pa.decimal128(12, 2)), exasol_type(pa.decimal128(38, 2))
    ('decimal(19, 0)', 'decimal(12, 2)', None)
    """
    if is_uuid(type_):
        return "varchar(36)"
    if is_json(type_) or pa.types.is_nested(type_):
        return _LONGEST
    if pa.types.is_decimal(type_):
        is_held = 0 <= type_.scale <= type_.precision <= _MOST_DIGITS
        return f"decimal({type_.precision}, {type_.scale})" if is_held else None
    if digits := _DIGITS.get(str(type_)):
        return f"decimal({digits}, 0)"
    return _PLAIN.get(type_)


def exasol_texts(array: pa.Array) -> pa.Array:
    """The values as a session of dvt's reads them (`connections/exasol.py`): moments with nine digits of a second.

    Raises:
        ValueError: Exasol has no place for a value.

    >>> exasol_texts(pa.array([0, None], pa.timestamp("us", "UTC"))).to_pylist()
    ['1970-01-01 00:00:00.000000000', None]
    """
    type_ = array.type
    if pa.types.is_timestamp(type_):
        return _moments(array)
    if pa.types.is_floating(type_):
        require_finite(array)
    texts = plain_texts(array)
    if pa.types.is_string(type_):
        span = pc.min_max(pc.utf8_length(texts)).as_py()
        if span["min"] == 0:
            raise ValueError("Exasol has no empty texts, they would become NULL: write nullif(..., '') in the model")
        if (span["max"] or 0) > _MOST_CHARACTERS:
            raise ValueError(f"it has more than {_MOST_CHARACTERS} characters")
    return texts


def _moments(array: pa.Array) -> pa.Array:
    if array.type.unit == "ns":
        return array.cast(pa.string())  # its years are 1677 to 2262
    check_range(array)
    return pc.binary_join_element_wise(array.view(MICROS).cast(pa.string()), "000", "")
