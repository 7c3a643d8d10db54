"""From the JSON values of Trino's protocol to Arrow, a column at a time; nothing is rounded, cut or guessed."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.types.decimal_text import decimals_from_text
from dvt.types.text_values import parser
from dvt.types.trino import Reading
from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID

Values = Sequence[Any]

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
# Zones in which a local time is one instant.
_IN_UTC = r" (UTC|Z|GMT|\+00:00)$"
_WITH_OFFSET = re.compile(r"^(.*) ([+-]\d\d:\d\d)$")
_MONTHS = re.compile(r"^(-?)(\d+)-(\d+)$")
_DAYS = re.compile(r"^(-?)(\d+) (\d+):(\d\d):(\d\d)\.(\d{3})$")
_LONGEST_DAYS = 2**31 - 1


def column(values: Values, how: Reading) -> pa.Array:
    """A column's values as what carries them.

    Args:
        values: As JSON gave them, None for NULL.
        how: How the column's type is read.

    Raises:
        ValueError: A value is not exactly of the type.

    >>> from dvt.types.trino import reading
    >>> column(["1.50", None], reading({"rawType": "decimal", "arguments": [{"value": 5}, {"value": 2}]})).to_pylist()
    [Decimal('1.50'), None]
    """
    try:
        return _column(values, how)
    except (TypeError, AttributeError, KeyError, OverflowError) as error:
        raise ValueError(f"it is no {how.raw}: {error}") from error


def _column(values: Values, how: Reading) -> pa.Array:
    read = _READERS.get(how.raw)
    if read is not None:
        return read(values)
    if how.raw in _NESTED:
        return _NESTED[how.raw](values, how)
    if how.raw == "decimal":
        return decimals_from_text(_texts(values), how.type)
    if how.raw == "json" and how.type == JSON:
        return pa.ExtensionArray.from_storage(JSON, _texts(values))
    return _texts(values) if pa.types.is_string(how.type) else pa.array(values, how.type)


def _texts(values: Values) -> pa.Array:
    return pa.array(values, pa.string())


def _integers(type_: pa.DataType) -> Callable[[Values], pa.Array]:
    def read(values: Values) -> pa.Array:
        array = pa.array(values)
        if not (pa.types.is_integer(array.type) or pa.types.is_null(array.type)):
            raise ValueError(f"{array.type} came for a whole number")
        return array.cast(type_)

    return read


def _doubles(values: Values) -> pa.Array:
    try:
        return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_NOT_FINITE[v] if isinstance(v, str) else v for v in values], pa.float64())


def _reals(values: Values) -> pa.Array:
    return _doubles(values).cast(pa.float32())


def _padded(values: Values) -> pa.Array:
    """char(n) without its padding, as other engines' own casts to text give it."""
    return pc.utf8_rtrim(_texts(values), characters=" ")


def _bytes(values: Values) -> pa.Array:
    return pa.array([None if v is None else base64.b64decode(v, validate=True) for v in values], pa.binary())


def _within_micros(texts: pa.Array) -> pa.Array:
    """Texts of times and moments without the digits beyond microseconds, which have to be zeros."""
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})0+($| )", r"\1\2")
    if pc.any(pc.match_substring_regex(texts, r"\.\d{7}")).as_py():
        raise ValueError("it has more digits than microseconds")
    return texts


def _moments(values: Values) -> pa.Array:
    return parser(MICROS)(_within_micros(_texts(values)))


def _instants(values: Values) -> pa.Array:
    texts = _within_micros(_texts(values))
    if pc.all(pc.match_substring_regex(texts, _IN_UTC)).as_py() is False:
        return pa.array([None if text is None else _instant(text) for text in texts.to_pylist()], MICROS_UTC)
    return parser(MICROS)(pc.replace_substring_regex(texts, _IN_UTC, "")).view(MICROS_UTC)


def _instant(text: str) -> Any:
    """The microseconds of one instant; only with an offset is a local time one."""
    if re.search(_IN_UTC, text):
        text = re.sub(_IN_UTC, " +00:00", text)
    found = _WITH_OFFSET.match(text)
    if found is None:
        raise ValueError("a local time with the name of a zone may mean two instants; it was not asked for in UTC")
    local = parser(MICROS)(pa.array([found.group(1)])).cast(pa.int64())[0].as_py()
    hours, minutes = int(found.group(2)[:3]), int(found.group(2)[4:])
    offset_minutes = hours * 60 + (-minutes if found.group(2)[0] == "-" else minutes)
    return local - offset_minutes * 60_000_000


def _year_months(values: Values) -> pa.Array:
    def months(text: str) -> tuple[int, int, int]:
        found = _MONTHS.match(text)
        if found is None:
            raise ValueError("it is not an interval of months")
        count = int(found.group(2)) * 12 + int(found.group(3))
        return (-count if found.group(1) else count, 0, 0)

    return pa.array([None if v is None else months(v) for v in values], INTERVAL)


def _day_seconds(values: Values) -> pa.Array:
    def duration(text: str) -> tuple[int, int, int]:
        found = _DAYS.match(text)
        if found is None or int(found.group(2)) > _LONGEST_DAYS:
            raise ValueError("it is not an interval of days and seconds")
        days, hours, minutes, seconds, millis = (int(part) for part in found.groups()[1:])
        nanos = (((hours * 60 + minutes) * 60 + seconds) * 1000 + millis) * 1_000_000
        return (0, -days, -nanos) if found.group(1) else (0, days, nanos)

    return pa.array([None if v is None else duration(v) for v in values], INTERVAL)


def _offsets(values: Values) -> pa.Array:
    """Where each list begins; a place without one is NULL."""
    found: list[int | None] = []
    end = 0
    for value in values:
        found.append(None if value is None else end)
        end += 0 if value is None else len(value)
    return pa.array([*found, end], pa.int32())


def _lists(values: Values, how: Reading) -> pa.Array:
    inner = [item for value in values if value is not None for item in value]
    return pa.ListArray.from_arrays(_offsets(values), _column(inner, how.parts[0]), type=how.type)


def _maps(values: Values, how: Reading) -> pa.Array:
    given = [value for value in values if value is not None]
    keys = _texts([key for value in given for key in value])
    items = _column([item for value in given for item in value.values()], how.parts[1])
    return pa.MapArray.from_arrays(_offsets(values), keys, items).cast(how.type)


def _rows(values: Values, how: Reading) -> pa.Array:
    width = len(how.parts)
    if any(value is not None and len(value) != width for value in values):
        raise ValueError("a row has other fields than its type")
    nothing = [None] * width
    columns = list(zip(*(nothing if value is None else value for value in values), strict=True)) or [()] * width
    arrays = [_column(list(parts), part) for parts, part in zip(columns, how.parts, strict=True)]
    mask = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(how.type), mask=mask)


_READERS: dict[str, Callable[[Values], pa.Array]] = {
    "tinyint": _integers(pa.int8()),
    "smallint": _integers(pa.int16()),
    "integer": _integers(pa.int32()),
    "bigint": _integers(pa.int64()),
    "double": _doubles,
    "real": _reals,
    "char": _padded,
    "varbinary": _bytes,
    "date": lambda values: parser(pa.date32())(_texts(values)),
    "time": lambda values: parser(TIME)(_within_micros(_texts(values))),
    "timestamp": _moments,
    "timestamp with time zone": _instants,
    "interval year to month": _year_months,
    "interval day to second": _day_seconds,
    "uuid": lambda values: parser(UUID)(_texts(values)),
}
_NESTED: dict[str, Callable[[Values, Reading], pa.Array]] = {"array": _lists, "map": _maps, "row": _rows}
