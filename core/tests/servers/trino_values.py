"""Trino's types and values on the wire, for the fake: type signatures, and JSON as the client protocol documents it.

Written from Trino's documentation of its client protocol and types, without a look at dvt's own reading of them.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlglot import exp

from servers.fake_sql import FakeColumn

_T = exp.DataType.Type
_NAMES = {
    _T.BOOLEAN: "boolean", _T.TINYINT: "tinyint", _T.SMALLINT: "smallint", _T.INT: "integer", _T.BIGINT: "bigint",
    _T.FLOAT: "real", _T.DOUBLE: "double", _T.DECIMAL: "decimal", _T.VARCHAR: "varchar", _T.TEXT: "varchar",
    _T.CHAR: "char", _T.VARBINARY: "varbinary", _T.DATE: "date", _T.JSON: "json", _T.UUID: "uuid",
    _T.IPADDRESS: "ipaddress", _T.TIME: "time", _T.TIMETZ: "time with time zone", _T.TIMESTAMP: "timestamp",
    _T.TIMESTAMPTZ: "timestamp with time zone", _T.ARRAY: "array", _T.MAP: "map", _T.STRUCT: "row",
    _T.HLLSKETCH: "HyperLogLog", _T.GEOMETRY: "Geometry", _T.UNKNOWN: "unknown",
}  # fmt: skip
_FRACTIONED = (_T.TIME, _T.TIMETZ, _T.TIMESTAMP, _T.TIMESTAMPTZ)
_HELD = frozenset(
    {_T.BOOLEAN, _T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.FLOAT, _T.DOUBLE, _T.DECIMAL, _T.VARCHAR, _T.TEXT}
    | {_T.VARBINARY, _T.DATE, _T.JSON, _T.UUID, _T.TIMESTAMP, _T.TIME, _T.ARRAY, _T.MAP, _T.STRUCT}
)
UNBOUNDED = 2147483647


def stored_as(native: exp.DataType) -> str | None:
    """The DuckDB type for a native one: text for what DuckDB does not hold, a nested value as its JSON on the wire."""
    if native.this in (_T.CHAR, _T.VARCHAR, _T.TEXT):
        return "VARCHAR"
    if native.this is _T.TIMESTAMP and digits(native) <= 6:
        return "TIMESTAMP"
    if native.this is _T.TIMESTAMPTZ and digits(native) <= 6:
        return "TIMESTAMPTZ"
    is_held = all(
        part.this in _HELD
        and not (part.this in _FRACTIONED and digits(part) > 6)
        and not (part.this is _T.STRUCT and any(isinstance(field, exp.DataType) for field in part.expressions))
        for part in native.find_all(exp.DataType)
    )
    return None if is_held else "VARCHAR"


def numbers(native: exp.DataType) -> list[int]:
    """The numbers in a type's parentheses."""
    return [int(p.name) for p in native.expressions if isinstance(p, exp.DataTypeParam)]


def digits(native: exp.DataType) -> int:
    """Digits of a second: three where the type does not say."""
    return (numbers(native) or [3])[0]


def duckdb_native(stored: str) -> exp.DataType:
    """What Trino would call a DuckDB type: for columns that an expression gave."""
    if stored == "TIMESTAMP":
        return exp.DataType.build("timestamp(6)", dialect="trino")
    if stored == "TIMESTAMP WITH TIME ZONE":
        return exp.DataType.build("timestamp(6) with time zone", dialect="trino")
    if stored == "HUGEINT":
        return exp.DataType.build("bigint", dialect="trino")
    return exp.DataType.build(stored, dialect="duckdb")


def signature(native: exp.DataType) -> dict[str, Any]:
    """The `typeSignature` of the protocol."""
    kind = native.this
    if kind is _T.ARRAY:
        return _typed("array", [_type(native.expressions[0])])
    if kind is _T.MAP:
        return _typed("map", [_type(part) for part in native.expressions])
    if kind is _T.STRUCT:
        return _typed("row", [_field(part) for part in native.expressions])
    if kind is _T.INTERVAL or isinstance(native.this, exp.Interval):
        return _typed(native.sql(dialect="trino").lower(), [])
    name = _NAMES.get(kind) or native.sql(dialect="trino")
    values = numbers(native)
    if name == "varchar":
        values = values or [UNBOUNDED]
    elif name == "char":
        values = values or [1]
    elif name == "decimal":
        values = [*values, 0][:2] if values else [38, 0]
    elif kind in _FRACTIONED:
        values = [digits(native)]
    return _typed(name, [{"kind": "LONG", "value": value} for value in values])


def text(sign: dict[str, Any]) -> str:
    """The type's name as the protocol and the catalogue write it."""
    name, arguments = sign["rawType"], sign["arguments"]
    if name in ("array", "map"):
        return f"{name}({', '.join(text(argument['value']) for argument in arguments)})"
    if name == "row":
        return f"row({', '.join(_named(argument['value']) for argument in arguments)})"
    values = [str(argument["value"]) for argument in arguments]
    if not values or values == [str(UNBOUNDED)]:
        return str(name)
    head, space, rest = name.partition(" ")
    return f"{head}({','.join(values)}){space}{rest}"


def wire_value(value: Any, native: exp.DataType, column: FakeColumn, zone: str) -> Any:
    """A value of DuckDB's as the protocol's JSON."""
    kind = native.this
    if value is None:
        return None
    if isinstance(value, str) and kind in (_T.ARRAY, _T.MAP, _T.STRUCT):
        return json.loads(value)  # kept as its JSON
    if kind is _T.ARRAY:
        return [wire_value(part, native.expressions[0], column, zone) for part in value]
    if kind is _T.MAP:
        key, item = native.expressions
        return {_key(wire_value(k, key, column, zone)): wire_value(v, item, column, zone) for k, v in value.items()}
    if kind is _T.STRUCT:
        types = [part.args["kind"] if isinstance(part, exp.ColumnDef) else part for part in native.expressions]
        parts = value.values() if isinstance(value, dict) else value
        return [wire_value(part, type_, column, zone) for part, type_ in zip(parts, types, strict=True)]
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return float(str(np.float32(value))) if kind is _T.FLOAT else value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        if kind is _T.TIMESTAMPTZ:
            asked = column.node if isinstance(column.node, exp.AtTimeZone) else None
            zone = asked.args["zone"].name if asked else zone
            return f"{_moment(value.astimezone(ZoneInfo(zone)), digits(native))} {zone}"
        return _moment(value, digits(native))
    if isinstance(value, dt.time):
        return _cut(value.strftime("%H:%M:%S.%f"), digits(native))
    if kind is _T.CHAR:
        return str(value).ljust((numbers(native) or [1])[0])
    return value if isinstance(value, (bool, int, str)) else _plain(value)


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _key(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(value: dt.datetime, places: int) -> str:
    return _cut(f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}", places)


def _cut(moment: str, places: int) -> str:
    whole, _, fraction = moment.partition(".")
    return f"{whole}.{fraction.ljust(places, '0')[:places]}" if places else whole


def _typed(name: str, arguments: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rawType": name, "arguments": arguments}


def _type(part: exp.DataType) -> dict[str, Any]:
    return {"kind": "TYPE", "value": signature(part)}


def _field(part: exp.Expr) -> dict[str, Any]:
    if isinstance(part, exp.ColumnDef):
        value = {"fieldName": {"name": part.name}, "typeSignature": signature(part.args["kind"])}
    else:
        value = {"typeSignature": signature(part)}  # type: ignore[arg-type]
    return {"kind": "NAMED_TYPE", "value": value}


def _named(value: dict[str, Any]) -> str:
    inner = text(value["typeSignature"])
    name = value.get("fieldName", {}).get("name")
    if name is None:
        return inner
    return f'"{name}" {inner}' if not str(name).isidentifier() else f"{name} {inner}"
