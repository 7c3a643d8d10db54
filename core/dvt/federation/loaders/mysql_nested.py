"""Lists, structs and maps as JSON text, intervals as ISO 8601 text: value by value, exact."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa

from dvt.federation.loaders.mysql_checks import refusal
from dvt.types.vocabulary import is_json

_NANOS = 1_000_000_000


def json_texts(values: pa.Array, column: str) -> pa.Array:
    """The JSON text of each value.

    Raises:
        DataError: A value has no JSON form: NaN, an infinite date.
    """
    try:
        return pa.array([None if v is None else _json(v, values.type) for v in values.to_pylist()], pa.string())
    except (OverflowError, ValueError) as error:
        raise refusal(
            column, f"a nested value cannot be written as JSON: {error}", "Flatten it in the model"
        ) from error


def _json(value: Any, type_: pa.DataType) -> str:
    if value is None:
        return "null"
    if is_json(type_):
        return str(value)
    if pa.types.is_map(type_):
        return _json_object([(key, value, type_.item_type) for key, value in value])
    if pa.types.is_struct(type_):
        return _json_object([(field.name, value[field.name], field.type) for field in type_])
    if pa.types.is_nested(type_):
        return "[" + ", ".join(_json(item, type_.value_type) for item in value) + "]"
    if isinstance(value, (bool, int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    return str(value) if pa.types.is_decimal(type_) else json.dumps(_text(value))


def _json_object(members: list[tuple[Any, Any, pa.DataType]]) -> str:
    written = (json.dumps(str(key), ensure_ascii=False) + ": " + _json(value, type_) for key, value, type_ in members)
    return "{" + ", ".join(written) + "}"


def _text(value: Any) -> str:
    if isinstance(value, pa.MonthDayNano):
        return _iso_interval(*value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def interval_texts(values: pa.Array) -> pa.Array:
    """ISO 8601 durations; parts of different sign stay apart.

    >>> interval_texts(pa.array([(14, 3, -1_500_000_000)], pa.month_day_nano_interval()))[0].as_py()
    'P14M3DT-1.5S'
    """
    return pa.array([None if v is None else _iso_interval(*v) for v in values.to_pylist()], pa.string())


def _iso_interval(months: int, days: int, nanos: int) -> str:
    date = (f"{months}M" if months else "") + (f"{days}D" if days else "")
    whole, rest = divmod(abs(nanos), _NANOS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    time = f"T{'-' if nanos < 0 else ''}{whole}{fraction}S" if nanos or not date else ""
    return "P" + date + time
