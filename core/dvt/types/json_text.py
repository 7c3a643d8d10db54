"""JSON text of nested Arrow values and ISO 8601 text of intervals, for engines that have neither type."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import is_json, is_uuid

Writer = Callable[[Any], str]


def json_writer(type_: pa.DataType) -> Writer:
    """A function that writes a Python value of an Arrow type as JSON text, exactly.

    Numbers keep all their digits, text its characters, JSON inside stays JSON; dates, times, intervals and UUIDs are
    ISO texts. The function raises ValueError for what JSON cannot say (NaN, infinities, bytes).

    >>> json_writer(pa.list_(pa.decimal128(5, 2)))([decimal.Decimal("1.50"), None])
    '[1.50,null]'
    """
    write = _writer(type_)
    return lambda value: "null" if value is None else write(value)


def _writer(type_: pa.DataType) -> Writer:
    if pa.types.is_struct(type_):
        return _struct_writer(type_)
    if pa.types.is_map(type_):
        item = json_writer(type_.item_type)
        return lambda value: "{" + ",".join(f"{_text(str(k))}:{item(v)}" for k, v in _unique(value)) + "}"
    if pa.types.is_list(type_):
        item = json_writer(type_.value_type)
        return lambda value: "[" + ",".join(map(item, value)) + "]"
    if is_json(type_):
        return str
    if type_ == pa.month_day_nano_interval():
        return lambda value: _text(iso_interval(value))
    if pa.types.is_binary(type_):
        return _refuse_bytes
    if is_uuid(type_):
        return lambda value: _text(str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value)))
    return _scalar


def _struct_writer(type_: pa.DataType) -> Writer:
    fields = [(field.name, _text(field.name), json_writer(field.type)) for field in type_]

    def write(value: dict[str, Any]) -> str:
        return "{" + ",".join(f"{key}:{writer(value[name])}" for name, key, writer in fields) + "}"

    return write


def _unique(pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    if len({str(key) for key, _ in pairs}) != len(pairs):
        raise ValueError("a map with a key that occurs twice has no JSON text")
    return pairs


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"JSON has no {value}")
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return _text(value.isoformat(" "))
    if isinstance(value, (datetime.date, datetime.time)):
        return _text(value.isoformat())
    return _text(str(value))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _refuse_bytes(value: Any) -> str:
    raise ValueError("JSON has no bytes")


def iso_interval(value: Any) -> str:
    """An interval of months, days and nanoseconds as an ISO 8601 duration.

    >>> iso_interval((14, -3, 3_723_500_000_000))
    'P1Y2M-3DT1H2M3.5S'
    >>> iso_interval((0, 0, 0))
    'PT0S'
    """
    months, days, nanos = value
    years, months = _divided(months, 12)
    seconds, nanos = _divided(nanos, 1_000_000_000)
    minutes, seconds = _divided(seconds, 60)
    hours, minutes = _divided(minutes, 60)
    date = "".join(f"{number}{unit}" for number, unit in ((years, "Y"), (months, "M"), (days, "D")) if number)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if seconds or nanos:
        sign = "-" if seconds < 0 or nanos < 0 else ""
        fraction = f".{abs(nanos):09d}".rstrip("0").rstrip(".") if nanos else ""
        time += f"{sign}{abs(seconds)}{fraction}S"
    if not date and not time:
        return "PT0S"
    return "P" + date + ("T" + time if time else "")


def _divided(number: int, by: int) -> tuple[int, int]:
    """Quotient and rest, both with the number's sign."""
    sign = -1 if number < 0 else 1
    return sign * (abs(number) // by), sign * (abs(number) % by)
