"""Arrow arrays in the forms that PostgreSQL's COPY reads back exactly.

`as_csv` gives what `pyarrow.csv.write_csv` writes exactly by itself where it can, else text. `as_text` gives
PostgreSQL's input text, for the elements of arrays. `as_json` gives JSON text, for structs and maps.
"""

from __future__ import annotations

import json
import re

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.hexadecimal import hex_from_binary, offsets_of, uuid_digits
from dvt.types.postgres_dates import date_text, time_text, timestamp_text
from dvt.types.vocabulary import (
    INTERVAL,
    TIMESTAMP_INFINITY,
    TIMESTAMP_MINUS_INFINITY,
    is_json,
    is_uuid,
)

# 0001-01-01 to 9999-12-31: the years that Arrow's formatter and PostgreSQL write alike.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_MICROS_PER_DAY = 86_400_000_000
_NEEDS_ESCAPE = r'[\x00-\x1f"\\]'


class ValueUnfitError(Exception):
    """A value that PostgreSQL cannot hold; whoever knows the column turns it into a `DataError`."""


def as_csv(array: pa.Array) -> pa.Array:
    """A column as an array that `write_csv` writes in a form that PostgreSQL reads exactly.

    Raises:
        ValueUnfitError: A value that PostgreSQL cannot hold.
    """
    array = _plain(array)
    return array if _is_written_exactly(array) else as_text(array)


def as_text(array: pa.Array) -> pa.Array:
    """PostgreSQL's input text of each value, null where it is null."""
    array = _plain(array)
    type_ = array.type
    if is_uuid(type_):
        return uuid_digits(array.storage)
    if pa.types.is_struct(type_) or pa.types.is_map(type_):
        return pc.if_else(pc.is_null(array), pa.scalar(None, pa.string()), as_json(array))
    if pa.types.is_list(type_):
        return _array_text(array)
    if pa.types.is_string(type_):
        return array
    if pa.types.is_binary(type_):
        return pc.binary_join_element_wise("\\x", hex_from_binary(array), "")
    if type_ == INTERVAL:
        return pa.array([None if value is None else _interval(value) for value in array.to_pylist()], pa.string())
    if _is_written_exactly(array):
        return pc.cast(array, pa.string())
    if pa.types.is_timestamp(type_):
        zone = "+00" if type_.tz else ""
        return _by_value(array.view(pa.int64()), lambda micros: timestamp_text(micros, zone))
    if pa.types.is_date32(type_):
        return _by_value(array.view(pa.int32()), date_text)
    return _by_value(array.view(pa.int64()), time_text)


def as_json(array: pa.Array) -> pa.Array:
    """JSON text of each value, `null` where it is null.

    Raises:
        ValueUnfitError: NaN or an infinity, which JSON does not have.
    """
    array = _plain(array)
    type_ = array.type
    if pa.types.is_struct(type_):
        text = _json_object(array)
    elif pa.types.is_map(type_):
        pairs = pc.binary_join_element_wise(as_json(_entries(array, 0)), as_json(_entries(array, 1)), ":")
        text = _joined(array, pairs, "{", "}")
    elif pa.types.is_list(type_):
        text = _joined(array, as_json(array.flatten()), "[", "]")
    elif pa.types.is_string(type_):
        text = _json_strings(array)
    elif pa.types.is_floating(type_):
        if pc.any(pc.invert(pc.is_finite(array))).as_py():
            raise ValueUnfitError("NaN or an infinity inside a struct or map, which JSON does not have")
        text = pc.cast(array, pa.string())
    elif pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        text = pc.cast(array, pa.string())
    elif pa.types.is_binary(type_) and array.null_count < len(array):
        raise ValueUnfitError("bytes inside a struct or map, which JSON does not have")
    else:
        text = _json_strings(as_text(array))
    return pc.if_else(pc.is_null(array), "null", pc.fill_null(text, "null"))


def _plain(array: pa.Array) -> pa.Array:
    """The array in the types that the rest of this module knows; values are checked, not changed."""
    if is_json(array.type):
        array = array.storage
    elif pa.types.is_timestamp(array.type):
        return micros(array)
    if pa.types.is_string(array.type) and pc.any(pc.match_substring(array, "\0")).as_py():
        raise ValueUnfitError("a text holds a NUL character, which PostgreSQL does not store")
    return array


def micros(array: pa.Array) -> pa.Array:
    """Timestamps in microseconds, in UTC where there is a zone; infinities stay what they are in every unit.

    Raises:
        ValueUnfitError: Digits below the microsecond.
    """
    wanted = pa.timestamp("us", "UTC" if array.type.tz else None)
    if array.type == wanted:
        return array
    raw = array.view(pa.int64())
    is_infinite = pc.is_in(raw, pa.array([TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY]))
    finite = pc.if_else(is_infinite, pa.scalar(None, array.type), array)
    try:
        whole = pc.cast(finite, wanted)
    except pa.ArrowInvalid:
        raise ValueUnfitError("a timestamp has digits below the microsecond, which PostgreSQL does not store") from None
    return pc.if_else(is_infinite, raw, whole.view(pa.int64())).view(wanted)


def _is_written_exactly(array: pa.Array) -> bool:
    """Whether Arrow's own formatter gives a form that PostgreSQL reads exactly."""
    type_ = array.type
    if pa.types.is_timestamp(type_):
        return _is_within(array.view(pa.int64()), _FIRST_DAY * _MICROS_PER_DAY, (_LAST_DAY + 1) * _MICROS_PER_DAY - 1)
    if pa.types.is_date32(type_):
        return _is_within(array.view(pa.int32()), _FIRST_DAY, _LAST_DAY)
    if pa.types.is_time64(type_):
        return _is_within(array.view(pa.int64()), 0, _MICROS_PER_DAY - 1)
    return bool(
        pa.types.is_boolean(type_)
        or pa.types.is_integer(type_)
        or pa.types.is_floating(type_)
        or pa.types.is_decimal(type_)
        or pa.types.is_string(type_)
    )


def _is_within(numbers: pa.Array, low: int, high: int) -> bool:
    bounds = pc.min_max(numbers).as_py()
    return bounds["min"] is None or (bounds["min"] >= low and bounds["max"] <= high)


def _by_value(numbers: pa.Array, text_of: object) -> pa.Array:
    assert callable(text_of)
    return pa.array([None if n is None else text_of(n) for n in numbers.to_pylist()], pa.string())


def _interval(value: pa.MonthDayNano) -> str:
    months, days, nanos = value
    if nanos % 1000:
        raise ValueUnfitError("an interval has digits below the microsecond, which PostgreSQL does not store")
    seconds, micros = divmod(abs(nanos) // 1000, 1_000_000)
    sign = "-" if nanos < 0 else ""
    return f"{months} mons {days} days {sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}"


def _array_text(array: pa.Array) -> pa.Array:
    flat = array.flatten()
    text = as_text(flat)
    if not (pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type) or pa.types.is_decimal(flat.type)):
        escaped = pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), '"', '\\"')
        text = pc.binary_join_element_wise('"', escaped, '"', "")
    joined = _joined(array, pc.fill_null(text, "NULL"), "{", "}")
    return pc.if_else(pc.is_null(array), pa.scalar(None, pa.string()), joined)


def _joined(array: pa.Array, texts: pa.Array, opening: str, closing: str) -> pa.Array:
    """The texts of each list's elements, joined by commas; what stands for a null list does not matter."""
    lengths = pc.fill_null(pc.list_value_length(_as_list(array)), 0)
    lists = pa.ListArray.from_arrays(offsets_of(pc.cast(lengths, pa.int32())), texts)
    return pc.binary_join_element_wise(opening, pc.binary_join(lists, ","), closing, "")


def _as_list(array: pa.Array) -> pa.Array:
    if not pa.types.is_map(array.type):
        return array
    entries = pa.struct([array.type.key_field, array.type.item_field])
    return array.cast(pa.list_(pa.field("entries", entries, nullable=False)))


def _entries(array: pa.Array, number: int) -> pa.Array:
    return _as_list(array).flatten().flatten()[number]


def _json_object(array: pa.Array) -> pa.Array:
    children = array.flatten()
    if not children:
        return pa.array(["{}"] * len(array), pa.string())
    parts: list[pa.Array | str] = []
    for number in range(array.type.num_fields):
        name = json.dumps(array.type.field(number).name, ensure_ascii=False)
        parts += [("{" if number == 0 else ",") + name + ":", as_json(children[number])]
    return pc.binary_join_element_wise(*parts, "}", "")


def _json_strings(texts: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(texts, _NEEDS_ESCAPE)).as_py():
        quoted = [None if text is None else json.dumps(text, ensure_ascii=False) for text in texts.to_pylist()]
        return pa.array(quoted, pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")


def is_encodable(array: pa.Array, codec: str) -> bool:
    """Whether every text of a column fits the encoding of a database that is not in UTF-8."""
    try:
        "".join(text for text in as_text(array).to_pylist() if text).encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def python_codec(server_encoding: str) -> str | None:
    """Python's name for an encoding of a server, None for UTF-8, for no encoding and for unknown ones.

    >>> python_codec("LATIN1"), python_codec("WIN1252"), python_codec("UTF8")
    ('iso8859-1', 'cp1252', None)
    """
    import codecs

    if server_encoding in ("UTF8", "SQL_ASCII"):
        return None
    try:
        return codecs.lookup(re.sub("^WIN", "cp", server_encoding)).name
    except LookupError:
        return None
