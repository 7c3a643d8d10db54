"""Texts as typed Arrow arrays and back: ISO dates and times, plain digits, canonical UUIDs.

For engines whose values are texts (CSV) or mostly so (SQLite). Parsing raises ValueError for the first text that is
not exactly of the type; nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.decimal_text import decimals_from_text
from dvt.types.vocabulary import JSON, TIME, UUID, is_json, is_uuid

Parser = Callable[[pa.Array], pa.Array]

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INTEGER = r"^-?[0-9]+$"
# 0001-01-01 to 9999-12-31: the years of four-digit ISO texts.
_DAYS = (-719_162, 2_932_896)
_MICROS_A_DAY = 86_400_000_000
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def parser(type_: pa.DataType) -> Parser:
    """The function that reads a string array as the type; it raises ValueError."""
    if is_json(type_):
        return _json
    if is_uuid(type_):
        return _uuid
    if pa.types.is_decimal(type_):
        return lambda texts: _decimal(texts, type_)
    if pa.types.is_time(type_):
        return _time
    if pa.types.is_temporal(type_):
        return lambda texts: _temporal(texts, type_)
    if pa.types.is_boolean(type_):
        return _boolean
    if pa.types.is_integer(type_):
        return lambda texts: _matching(texts, _INTEGER).cast(type_)
    return lambda texts: texts if texts.type == type_ else texts.cast(type_)


def iso_texts(array: pa.Array) -> pa.Array:
    """Dates, times and timestamps as ISO texts, without zeros at the end of a fraction; an instant ends in +00:00.

    Raises:
        ValueError: Infinity, a year outside of 1 to 9999, 24:00:00, or nanoseconds.
    """
    type_ = array.type
    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        try:
            array = array.cast(pa.timestamp("us", tz=type_.tz))
        except pa.ArrowInvalid as error:
            raise ValueError("a timestamp has nanoseconds, the text carries microseconds") from error
    if pa.types.is_timestamp(type_) and type_.tz:
        array = array.cast(pa.timestamp("us"))  # the same microseconds, as UTC's wall time
    check_range(array)
    texts = array.cast(pa.string())
    if not pa.types.is_date(type_):
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
        texts = pc.replace_substring_regex(texts, r"(\.\d*[1-9])0+$", r"\1")
    if pa.types.is_timestamp(type_) and type_.tz:
        texts = pc.binary_join_element_wise(texts, "+00:00", "")
    return texts


def decimal_texts(array: pa.Array) -> list[str | None]:
    """Decimals as plain digits; Arrow's own cast writes small ones with an exponent."""
    texts = array.cast(pa.string()).to_pylist()
    return [text if text is None or "E" not in text else format(Decimal(text), "f") for text in texts]


def uuid_texts(array: pa.Array) -> list[str | None]:
    """UUIDs in their canonical form."""
    return [None if value is None else _uuid_text(value.hex()) for value in array.storage.to_pylist()]


def _uuid_text(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def check_range(array: pa.Array) -> None:
    """Raise ValueError for dates, times and timestamps that ISO texts of four-digit years do not have."""
    if pa.types.is_date(array.type):
        low, high, storage = *_DAYS, array.cast(pa.int32())
    elif pa.types.is_time(array.type):
        low, high, storage = 0, _MICROS_A_DAY - 1, array.cast(pa.int64())
    else:
        low, high = _DAYS[0] * _MICROS_A_DAY, (_DAYS[1] + 1) * _MICROS_A_DAY - 1
        storage = array.cast(pa.int64())
    bounds = pc.min_max(storage).as_py()
    if bounds["min"] is not None and (bounds["min"] < low or bounds["max"] > high):
        what = "24:00:00" if pa.types.is_time(array.type) else "infinity, and no year outside of 1 to 9999"
        raise ValueError(f"the text of dates and times has no {what}")


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
        raise ValueError(f"a text does not match {pattern}")
    return texts


def _boolean(texts: pa.Array) -> pa.Array:
    lowered = pc.utf8_lower(texts)
    if not set(pc.unique(lowered).to_pylist()) <= {*_BOOLEANS, None}:
        raise ValueError("a text is not a boolean")
    true = [text for text, value in _BOOLEANS.items() if value]
    return pc.if_else(pc.is_null(lowered), pa.scalar(None, pa.bool_()), pc.is_in(lowered, pa.array(true)))


def _decimal(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    return decimals_from_text(_matching(texts, _NUMBER), type_)


def _temporal(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    array = texts.cast(type_)
    check_range(array)
    return array


def _time(texts: pa.Array) -> pa.Array:
    _matching(texts, r"^\d\d:\d\d")
    # Arrow parses no times, only timestamps.
    stamps = pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("us"))
    return stamps.cast(pa.int64()).cast(TIME)


def _json(texts: pa.Array) -> pa.Array:
    for text in texts.to_pylist():
        if text is not None:
            _DECODER.decode(text)
    return pa.ExtensionArray.from_storage(JSON, texts.cast(JSON.storage_type))


def _uuid(texts: pa.Array) -> pa.Array:
    values = _matching(texts, _UUID).to_pylist()
    digits = "".join(["0" * 32 if value is None else value.replace("-", "") for value in values])
    buffers = [None, pa.py_buffer(bytes.fromhex(digits))]
    storage = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(values), buffers)
    present = pc.if_else(pc.is_null(texts), pa.scalar(None, pa.binary(16)), storage)
    return pa.ExtensionArray.from_storage(UUID, present)


def _refuse(constant: str) -> Any:
    raise ValueError(f"JSON has no {constant}")


# One decoder for all values: json.loads makes one for each.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
