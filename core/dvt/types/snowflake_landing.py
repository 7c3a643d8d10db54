"""The Snowflake types under which Arrow types land, what goes into the Parquet files, and how COPY reads it.

What COPY makes of Parquet's own dates, times, moments, decimals and bytes depends on options and on the path a value
takes (bytes that are no UTF-8 fail in a SELECT, moments without a zone come as numbers unless logical types are asked
for). So a file has only truth values, whole numbers of 64 bits, doubles and texts, and COPY says what each text is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.document_numbers import is_double, require_kept
from dvt.types.landing_texts import plain_texts
from dvt.types.text_values import check_range, decimal_texts
from dvt.types.vocabulary import MICROS, MICROS_UTC, TIME, is_json, is_uuid

# Snowflake's own defaults for VARCHAR and BINARY; a semi-structured value is no longer than the first.
_MOST_CHARACTERS, _MOST_BYTES = 16_777_216, 8_388_608
_MOST_DIGITS = 38
_DIGITS = {"int8": 3, "int16": 5, "int32": 10, "int64": 19, "uint8": 3, "uint16": 5, "uint32": 10, "uint64": 20}
_PLAIN = {
    pa.bool_(): "boolean",
    pa.float32(): "float",
    pa.float64(): "float",
    pa.string(): "varchar",
    pa.binary(): "binary",
    pa.date32(): "date",
    TIME: "time(6)",
    MICROS: "timestamp_ntz(6)",
    # With the offset +0000: it says the same in every session.
    MICROS_UTC: "timestamp_tz(6)",
    pa.timestamp("ns"): "timestamp_ntz(9)",
}
# What a contract may call a type.
_ALIASES = {
    **dict.fromkeys(("INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT"), "NUMBER"),
    **dict.fromkeys(("DECIMAL", "NUMERIC", "DEC"), "NUMBER"),
    **dict.fromkeys(("FLOAT4", "FLOAT8", "DOUBLE", "DOUBLE PRECISION", "REAL"), "FLOAT"),
    **dict.fromkeys(("TEXT", "STRING", "CHARACTER VARYING", "NVARCHAR"), "VARCHAR"),
    **dict.fromkeys(("CHARACTER", "NCHAR"), "CHAR"),
    **dict.fromkeys(("DATETIME", "TIMESTAMP", "TIMESTAMPNTZ", "TIMESTAMP WITHOUT TIME ZONE"), "TIMESTAMP_NTZ"),
    **dict.fromkeys(("TIMESTAMPLTZ", "TIMESTAMP WITH LOCAL TIME ZONE"), "TIMESTAMP_LTZ"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), "TIMESTAMP_TZ"),
    "VARBINARY": "BINARY",
}
_SEMI = {"VARIANT": "", "ARRAY": "::ARRAY", "OBJECT": "::OBJECT"}
_KINDS = {"NUMBER", "FLOAT", "VARCHAR", "CHAR", "BOOLEAN", "BINARY", "DATE", "TIME", *_SEMI}
_ZONED = {"TIMESTAMP_LTZ": "::TIMESTAMP_LTZ", "TIMESTAMP_TZ": ""}
_MOMENTS = {"TIMESTAMP_NTZ": "", **_ZONED}
_NATIVE = re.compile(r"(?i)\s*([a-z_0-9]+(?: [a-z]+)*)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*\Z")
# Numbers in a document that PARSE_JSON may make a double of: those with an exponent, or with more than 38 digits.
_UNSURE = r"[0-9][eE]|[0-9.]{39}"


@dataclass(frozen=True)
class Landing:
    """A column's type in Snowflake.

    Args:
        kind: Its name without synonyms.
        sizes: What stands in brackets.
    """

    kind: str
    sizes: tuple[int, ...] = ()


def snowflake_type(type_: pa.DataType) -> str | None:
    """The type of a column, None where there is none.

    >>> snowflake_type(pa.int64()), snowflake_type(pa.decimal128(12, 2)), snowflake_type(pa.list_(pa.int8()))
    ('number(19, 0)', 'number(12, 2)', 'array')
    """
    if is_uuid(type_):
        return "varchar(36)"
    if is_json(type_):
        return "variant"
    if pa.types.is_nested(type_):
        return "array" if pa.types.is_list(type_) else "object"
    if pa.types.is_decimal(type_):
        is_held = 0 <= type_.scale <= type_.precision <= _MOST_DIGITS
        return f"number({type_.precision}, {type_.scale})" if is_held else None
    if digits := _DIGITS.get(str(type_)):
        return f"number({digits}, 0)"
    return _PLAIN.get(type_)


def landing_of(native: str) -> Landing | None:
    """A type as SQL writes it, None where values are not put into such a one.

    >>> landing_of("Decimal(12,2)"), landing_of("geography")
    (Landing(kind='NUMBER', sizes=(12, 2)), None)
    """
    found = _NATIVE.match(native)
    if found is None:
        return None
    name = " ".join(found.group(1).upper().split())
    kind = _ALIASES.get(name, name)
    sizes = tuple(int(size) for size in found.groups()[1:] if size is not None)
    return Landing(kind, sizes) if kind in _KINDS or kind in _MOMENTS else None


def sent(array: pa.Array, native: str) -> pa.Array:
    """The values as they stand in a file.

    Raises:
        ValueError: The column's type has no place for one of them.

    >>> sent(pa.array([b"\\x00", None]), "binary").to_pylist(), sent(pa.array([1], pa.int8()), "number(3, 0)").type
    (['00', None], DataType(int64))
    """
    landing = landing_of(native)
    if landing is None:
        raise ValueError(f"dvt puts nothing into a column of type {native}")
    kind, type_ = landing.kind, array.type
    if kind == "NUMBER" and (pa.types.is_integer(type_) or pa.types.is_decimal(type_)):
        return _numbers(array, *_number(landing))
    if kind == "FLOAT" and (pa.types.is_floating(type_) or pa.types.is_integer(type_)):
        return array.cast(pa.float64())  # whole numbers that a double has not are refused by it
    if kind == "BOOLEAN" and pa.types.is_boolean(type_):
        return array
    if kind in ("VARCHAR", "CHAR") and not pa.types.is_binary(type_):
        return _texts(plain_texts(array), landing)
    if kind == "BINARY" and pa.types.is_binary(type_):
        return _hex(array, (landing.sizes or (_MOST_BYTES,))[0])
    if (kind == "DATE" and pa.types.is_date(type_)) or (kind == "TIME" and pa.types.is_time(type_)):
        return _moments(array, landing)
    if kind in _MOMENTS and pa.types.is_timestamp(type_) and (kind in _ZONED) == bool(type_.tz):
        return _moments(array, landing)
    if kind in _SEMI and (is_json(type_) or pa.types.is_nested(type_)):
        return _documents(plain_texts(array), kind)
    raise ValueError(f"{type_} is not put into a column of type {native}")


def expression(slot: str, native: str, type_: pa.DataType) -> str:
    """What COPY selects for a column of a file.

    Args:
        slot: The column's name there, a plain word.
        native: Its type in the table.
        type_: Its Arrow type in the file, as `sent` made it.

    >>> expression("c0", "binary", pa.string()), expression("c1", "boolean", pa.bool_())
    ("to_binary($1:c0::VARCHAR, 'HEX')", '$1:c1::BOOLEAN')
    """
    landing = landing_of(native)
    assert landing is not None
    kind, text = landing.kind, f"$1:{slot}::VARCHAR"
    if pa.types.is_int64(type_):
        return f"$1:{slot}::NUMBER({_number(landing)[0]}, 0)"
    if kind in ("BOOLEAN", "FLOAT"):
        return f"$1:{slot}::{kind}"
    if kind == "NUMBER":
        return "to_number({}, {}, {})".format(text, *_number(landing))
    if kind == "BINARY":
        return f"to_binary({text}, 'HEX')"
    if kind == "DATE":
        return f"to_date({text}, 'YYYY-MM-DD')"
    if kind == "TIME":
        return f"to_time({text}, 'HH24:MI:SS.FF6')"
    if kind in _ZONED:
        return f"to_timestamp_tz({text}, 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM'){_ZONED[kind]}"
    if kind == "TIMESTAMP_NTZ":
        digits = 9 if _fraction(landing) > 6 else 6
        return f"to_timestamp_ntz({text}, 'YYYY-MM-DD HH24:MI:SS.FF{digits}')"
    return f"parse_json({text}){_SEMI[kind]}" if kind in _SEMI else text


def _number(landing: Landing) -> tuple[int, int]:
    precision, scale = (*landing.sizes, *(_MOST_DIGITS, 0)[len(landing.sizes) :])
    return precision, scale


def _fraction(landing: Landing) -> int:
    return landing.sizes[0] if landing.sizes else 9


def _numbers(array: pa.Array, precision: int, scale: int) -> pa.Array:
    """Whole numbers as they are where 64 bits hold them, others as plain digits."""
    digits = _DIGITS.get(str(array.type))
    if digits:
        array = array.cast(pa.decimal128(max(digits, 19), 0))
    exact = array.cast(pa.decimal128(precision, scale))  # ArrowInvalid for a digit that is cut
    if digits and digits < 20 and scale == 0:
        return exact.cast(pa.decimal128(38, 0)).cast(pa.int64())
    return pa.array(decimal_texts(exact), pa.string())


def _texts(texts: pa.Array, landing: Landing) -> pa.Array:
    most = (landing.sizes or (1 if landing.kind == "CHAR" else _MOST_CHARACTERS,))[0]
    if (pc.max(pc.utf8_length(texts)).as_py() or 0) > most:
        raise ValueError(f"a text has more than {most} characters")
    return _no_longer(texts)


def _no_longer(texts: pa.Array) -> pa.Array:
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > _MOST_CHARACTERS:
        raise ValueError(f"a text of {longest} bytes is longer than {_MOST_CHARACTERS}")
    return texts


def _hex(array: pa.Array, most: int) -> pa.Array:
    longest = pc.max(pc.binary_length(array)).as_py() or 0
    if longest > most:
        raise ValueError(f"{longest} bytes are more than {most}")
    return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())


def _moments(array: pa.Array, landing: Landing) -> pa.Array:
    """In ISO form, with all digits of a fraction, which the formats in COPY ask for."""
    type_ = array.type
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        digits = 9  # its years are 1677 to 2262
        array = array.cast(pa.timestamp("ns")) if type_.tz is None else array.cast(pa.timestamp("us", tz=type_.tz))
    else:
        digits = 6
        check_range(array)
    kept = _fraction(landing)
    if not pa.types.is_date(type_) and kept < digits:
        one = 10 ** (digits - kept)
        storage = array.cast(pa.int64())
        if pc.any(pc.not_equal(storage, pc.multiply(pc.divide(storage, one), one))).as_py():
            raise ValueError(f"a value has more than {kept} digits of a second")
    if pa.types.is_timestamp(type_):
        plain = array.cast(pa.timestamp("ns" if digits == 9 and kept > 6 and type_.tz is None else "us"))
        texts = plain.cast(pa.string())
        if landing.kind == "TIMESTAMP_NTZ" and kept > 6 and digits == 6:
            texts = pc.binary_join_element_wise(texts, "000", "")
        return pc.binary_join_element_wise(texts, "+00:00", "") if type_.tz else texts
    return array.cast(pa.string())


def _documents(texts: pa.Array, kind: str) -> pa.Array:
    """JSON texts; a number that would become another one is refused."""
    _no_longer(texts)
    unsure = pc.fill_null(pc.match_substring_regex(texts, _UNSURE), False)
    for text in texts.filter(unsure).to_pylist():
        require_kept(text, _is_kept)
    begins = {"ARRAY": "[", "OBJECT": "{"}.get(kind)
    if begins and pc.all(pc.starts_with(pc.ascii_trim_whitespace(texts), begins)).as_py() is False:
        raise ValueError(f"a document is no {kind.lower()}")
    return texts


def _is_kept(digits: str) -> bool:
    """PARSE_JSON makes a double of a number with an exponent, or with more than 38 digits."""
    is_plain = "e" not in digits.lower() and len(Decimal(digits).as_tuple().digits) <= _MOST_DIGITS
    return is_plain or is_double(digits)
