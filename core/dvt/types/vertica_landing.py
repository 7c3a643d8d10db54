"""The Vertica types under which Arrow types land, and their values as the lines of COPY.

Vertica's whole numbers have 64 bits, of which the smallest is its NULL; texts of more than 65000 bytes need a declared
`long varchar`, by which nothing can be sorted or grouped. What is nested is JSON text.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.landing_texts import plain_texts
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

MOST_BYTES = 65_000
# Stands for NULL; never a value of its own: one is refused.
NULL = "\x01"
QUOTE = '"'
_SMALLEST = -(2**63)
_PLAIN = {
    pa.bool_(): "boolean",
    **dict.fromkeys((pa.int8(), pa.int16(), pa.int32(), pa.int64()), "bigint"),
    **dict.fromkeys((pa.uint8(), pa.uint16(), pa.uint32()), "bigint"),
    pa.uint64(): "numeric(20, 0)",
    pa.float32(): "double precision",
    pa.float64(): "double precision",
    pa.string(): f"varchar({MOST_BYTES})",
    pa.binary(): f"varbinary({MOST_BYTES})",
    pa.date32(): "date",
    TIME: "time",
    MICROS: "timestamp",
    MICROS_UTC: "timestamptz",
}


def vertica_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> vertica_type(pa.int8()), vertica_type(pa.decimal128(38, 2)), vertica_type(pa.timestamp("ns"))
    ('bigint', 'numeric(38, 2)', None)
    """
    if is_uuid(type_):
        return "uuid"
    if is_json(type_) or pa.types.is_nested(type_):
        return _PLAIN[pa.string()]
    if pa.types.is_decimal(type_):
        return f"numeric({type_.precision}, {type_.scale})" if 0 <= type_.scale <= type_.precision else None
    return _PLAIN.get(type_)


def vertica_texts(array: pa.Array, native: str) -> pa.Array:
    """The values as fields of COPY with `NULL`, tabs between them, and a backslash before what is meant as it is; bytes
    in hexadecimal digits. Texts are enclosed: of one that is not, COPY takes the blanks off both ends.

    Raises:
        ValueError: Vertica has no place for a value.

    >>> vertica_texts(pa.array([" a\\tb", "", None]), "varchar(9)").to_pylist()
    ['" a\\\\\\tb"', '""', None]
    """
    if pa.types.is_binary(array.type):
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())
    if array.type == pa.int64() and pc.any(pc.equal(array, _SMALLEST)).as_py():
        raise ValueError(f"{_SMALLEST} is Vertica's NULL")
    texts = plain_texts(array)
    if not (pa.types.is_string(array.type) or is_json(array.type) or pa.types.is_nested(array.type)):
        return texts
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > MOST_BYTES and not native.lower().startswith("long"):
        raise ValueError(f"a text of {longest} bytes is longer than {MOST_BYTES}: declare the column long varchar")
    if pc.any(pc.equal(texts, NULL)).as_py():
        raise ValueError(f"the text {NULL!r} stands for NULL on the way")
    for plain in ("\\", QUOTE, "\t", "\n", NULL):  # the backslash first
        if pc.any(pc.match_substring(texts, plain)).as_py():
            texts = pc.replace_substring(texts, plain, "\\" + plain)
    return pc.binary_join_element_wise(QUOTE, texts, QUOTE, "")
