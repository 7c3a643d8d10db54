"""Values of Spark's rows as the cells of PostgreSQL's `COPY FROM STDIN`, in its text format.

What a value is written as goes by its column's type, a class of Spark's client. Classes are told by their names, so
that no client is imported. Without a schema it goes by the value, and a moment without a zone has none.
"""

from __future__ import annotations

import datetime
import json
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dvt.federation.loaders.postgres_encode import ValueUnfitError

Cell = Callable[[Any], str]
"""The text of a value that is not NULL."""

NULL = "\\N"
_SPECIAL = re.compile(r"[\\\t\n\r\0]")
_ESCAPED = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_NUL = "a text holds a NUL character, which PostgreSQL does not store"


def cell_of(type_: Any) -> Cell:
    """What writes a column's values.

    Args:
        type_: A `pyspark.sql.types.DataType`; None when nothing is known of the column.

    Raises:
        ValueUnfitError: The type has no place in PostgreSQL.
    """
    name = type(type_).__name__
    if type_ is None:
        return _by_value
    if name in ("ArrayType", "MapType", "StructType"):
        _check(type_)
        return lambda value: escaped(_json(value, type_))
    if name not in _CELLS:
        raise ValueUnfitError(f"no column of PostgreSQL takes Spark's type {_shown(type_)}")
    return _CELLS[name]


def escaped(text: str) -> str:
    """A text with escapes for what ends a cell or begins an escape; so `\\N` is no NULL and `\\.` no end."""
    if _SPECIAL.search(text) is None:
        return text
    if "\0" in text:
        raise ValueUnfitError(_NUL)
    return _SPECIAL.sub(lambda found: _ESCAPED[found.group()], text)


def _double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _float(value: float) -> str:
    """The shortest text that a float of four bytes is read back from: Spark gives it as one of eight."""
    if value != value or value in (float("inf"), float("-inf")):
        return _double(value)
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        try:
            is_same = struct.pack("f", float(text)) == struct.pack("f", value)
        except OverflowError:  # rounded upwards, beyond the largest one
            continue
        if is_same:
            return text
    return f"{value:.9g}"


def _instant(value: datetime.datetime) -> str:
    """A moment in UTC; the client gives it in the zone of this process, without saying so."""
    return _timestamp(value.astimezone(datetime.timezone.utc).replace(tzinfo=None)) + "+00"


def _timestamp(value: datetime.datetime) -> str:
    return value.isoformat(" ", "microseconds")


def _interval(value: datetime.timedelta) -> str:
    micros = value // datetime.timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, fraction = divmod(micros, 1_000_000)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def _bytes(value: bytes) -> str:
    return "\\\\x" + bytes(value).hex()


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _decimal(value: Decimal) -> str:
    return f"{value:f}" if value.is_finite() else _double(float(value))


def _iso(value: datetime.date | datetime.time) -> str:
    return value.isoformat()


_CELLS: Mapping[str, Cell] = {
    "NullType": str,
    "BooleanType": _boolean,
    "ByteType": str,
    "ShortType": str,
    "IntegerType": str,
    "LongType": str,
    "FloatType": _float,
    "DoubleType": _double,
    "DecimalType": _decimal,
    "StringType": escaped,
    "CharType": escaped,
    "VarcharType": escaped,
    "BinaryType": _bytes,
    "DateType": _iso,
    "TimeType": _iso,
    "TimestampType": _instant,
    "TimestampNTZType": _timestamp,
    "DayTimeIntervalType": _interval,
    "VariantType": lambda value: escaped(value.toJson()),
}


def _by_value(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return escaped(_json(value, None))
    return _scalar_cell(value)(value)


def _scalar_cell(value: Any) -> Cell:
    # The first that it is: a truth value is a whole number too, and a moment a date.
    for class_, name in _BY_CLASS:
        if isinstance(value, class_):
            return _CELLS[name]
    if isinstance(value, datetime.datetime):
        return _timestamp if value.tzinfo is None else _instant
    if isinstance(value, datetime.date):
        return _iso
    raise ValueUnfitError(f"no column of PostgreSQL takes a value of {type(value).__name__}")


_BY_CLASS: tuple[tuple[Any, str], ...] = (
    (str, "StringType"),
    (bool, "BooleanType"),
    (int, "LongType"),
    (float, "DoubleType"),
    (Decimal, "DecimalType"),
    ((bytes, bytearray, memoryview), "BinaryType"),
    (datetime.time, "TimeType"),
    (datetime.timedelta, "DayTimeIntervalType"),
)


def _json(value: Any, type_: Any) -> str:
    """A value within an array, a map or a struct as JSON."""
    if value is None:
        return "null"
    name = type(type_).__name__
    if name == "StructType" or (type_ is None and hasattr(value, "__fields__")):
        fields = type_.fields if type_ is not None else [_Field(each) for each in value.__fields__]
        values = [value.get(field.name) for field in fields] if isinstance(value, dict) else value
        pairs = zip(fields, values, strict=True)
        return "{" + ",".join(f"{_quoted(field.name)}:{_json(each, field.dataType)}" for field, each in pairs) + "}"
    if name == "MapType" or (type_ is None and isinstance(value, dict)):
        key_type, item_type = (type_.keyType, type_.valueType) if type_ is not None else (None, None)
        return "{" + ",".join(f"{_key(key, key_type)}:{_json(each, item_type)}" for key, each in value.items()) + "}"
    if name == "ArrayType" or (type_ is None and isinstance(value, (list, tuple))):
        inner = type_.elementType if type_ is not None else None
        return "[" + ",".join(_json(each, inner) for each in value) + "]"
    if name == "VariantType":
        return str(value.toJson())
    return _json_scalar(value, cell_of(type_) if type_ is not None else _scalar_cell(value))


class _Field:
    """A field of which only the name is known."""

    dataType = None  # as Spark's own is called

    def __init__(self, name: str) -> None:
        self.name = name


def _key(value: Any, type_: Any) -> str:
    """A map's key; JSON has texts only."""
    text = _json(value, type_)
    return text if text.startswith('"') else _quoted(text)


def _json_scalar(value: Any, cell: Cell) -> str:
    if cell is _boolean:
        return "true" if value else "false"
    if cell is str:
        return str(value)
    if cell in (_float, _double, _decimal):
        text = cell(value)
        if text.lstrip("-") in ("NaN", "Infinity"):
            raise ValueUnfitError("NaN or an infinity inside an array, struct or map, which JSON does not have")
        return text
    if cell is escaped:
        return _quoted(value)
    if cell is _bytes:
        raise ValueUnfitError("bytes inside an array, struct or map, which JSON does not have")
    if cell is _instant:
        return _quoted(cell(value).removesuffix("+00") + "Z")  # as the lane of Arrow writes it
    return _quoted(cell(value))


def _quoted(text: str) -> str:
    if "\0" in text:
        raise ValueUnfitError(_NUL)
    return json.dumps(text, ensure_ascii=False)


def _check(type_: Any) -> None:
    """Refuse what a nested type holds and PostgreSQL does not, before the first row."""
    name = type(type_).__name__
    if name == "StructType":
        inner = [field.dataType for field in type_.fields]
    elif name == "MapType":
        inner = [type_.keyType, type_.valueType]
    else:
        inner = [type_.elementType] if name == "ArrayType" else []
        if not inner and name not in _CELLS:
            raise ValueUnfitError(f"no column of PostgreSQL takes Spark's type {_shown(type_)}")
    for each in inner:
        _check(each)


def _shown(type_: Any) -> str:
    said = getattr(type_, "simpleString", None)
    return str(said()) if said is not None else type(type_).__name__
