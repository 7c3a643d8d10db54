"""Trino's types as data: what carries each of them, from the type signatures of its client protocol.

Facts are those of Trino's reference of types. Values travel as JSON: numbers, texts and lists. Nothing there is cut but
one thing: an instant is shown as a local time with the zone's name, which names two instants where a clock is put back.
The server is asked for instants in UTC; where it cannot be, inside of other types, such a value is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dvt.types.vocabulary import INTERVAL, JSON, MICROS, MICROS_UTC, TIME, UUID, carried_decimal

# Trino's length of a varchar without one.
_UNBOUNDED = 2**31 - 1


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        raw: Trino's name of the type without its arguments: "array".
        native: With them, as Trino writes it: "array(varchar(10))".
        type: The Arrow type that carries the values.
        parts: How what is inside is read: an array's elements, a map's keys and values, a row's fields.
        refused: Why no value of the type can be read; empty when they can.
    """

    raw: str
    native: str
    type: pa.DataType
    parts: tuple[Reading, ...] = ()
    refused: str = ""


_PLAIN: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "varbinary": pa.binary(),
    "date": pa.date32(),
    "time": TIME,
    "timestamp": MICROS,
    "timestamp with time zone": MICROS_UTC,
    "interval year to month": INTERVAL,
    "interval day to second": INTERVAL,
    "uuid": UUID,
    "json": JSON,
    # Their text is all that there is of them.
    **dict.fromkeys(("ipaddress", "time with time zone", "number", "Geometry", "SphericalGeography"), pa.string()),
    "unknown": pa.int32(),  # what NULL alone is
}
_SKETCHES = frozenset({"HyperLogLog", "P4HyperLogLog", "SetDigest", "qdigest", "tdigest"})
# Their text has one form, so that a map's keys stay apart and can be read.
_KEYS = frozenset(
    {"boolean", "tinyint", "smallint", "integer", "bigint", "decimal", "varchar", "date", "uuid", "ipaddress"}
)


def reading(signature: Mapping[str, Any], *, is_inner: bool = False) -> Reading:
    """How a type is read.

    Args:
        signature: The `typeSignature` of a column.
        is_inner: Whether it stands inside another type.

    >>> reading({"rawType": "decimal", "arguments": [{"kind": "LONG", "value": 10}, {"kind": "LONG", "value": 2}]})
    Reading(raw='decimal', native='decimal(10,2)', type=Decimal128Type(decimal128(10, 2)), parts=(), refused='')
    """
    raw = str(signature["rawType"])
    values = [argument["value"] for argument in signature.get("arguments") or []]
    if raw in ("array", "map"):
        return _nested(raw, [reading(value, is_inner=True) for value in values])
    if raw == "row":
        return _row(values)
    native = _native(raw, values)
    if raw == "decimal":
        return Reading(raw, native, carried_decimal(int(values[0]), int(values[1])))
    if raw == "json" and is_inner:
        return Reading(raw, native, pa.string())
    if raw in _PLAIN:
        return Reading(raw, native, _PLAIN[raw])
    why = "it holds the state of an aggregation" if raw in _SKETCHES else "dvt does not know it"
    return Reading(raw, native, pa.string(), refused=f"no type carries {native}: {why}")


def _native(raw: str, values: list[Any]) -> str:
    if not values or values == [_UNBOUNDED]:
        return raw
    head, space, rest = raw.partition(" ")
    return f"{head}({','.join(str(v) for v in values if not isinstance(v, Mapping))}){space}{rest}"


def _nested(raw: str, parts: list[Reading]) -> Reading:
    native = f"{raw}({', '.join(part.native for part in parts)})"
    refused = next((part.refused for part in parts if part.refused), "")
    if raw == "array":
        return Reading(raw, native, pa.list_(parts[0].type), tuple(parts), refused)
    if parts[0].raw not in _KEYS:
        refused = refused or f"no type carries {native}: its keys have no text of their own"
    return Reading(raw, native, pa.map_(pa.string(), parts[1].type), tuple(parts), refused)


def _row(fields: list[Mapping[str, Any]]) -> Reading:
    """A row; fields without a name are called by their place."""
    parts = [reading(field["typeSignature"], is_inner=True) for field in fields]
    given = [(field.get("fieldName") or {}).get("name") for field in fields]
    names = [name or str(place) for place, name in enumerate(given, 1)]
    shown = (f"{name} {part.native}" if name else part.native for name, part in zip(given, parts, strict=True))
    native = f"row({', '.join(shown)})"
    refused = next((part.refused for part in parts if part.refused), "")
    if len({name.lower() for name in names}) < len(names):
        refused = refused or f"no type carries {native}: two fields have one name"
    type_ = pa.struct([pa.field(name, part.type) for name, part in zip(names, parts, strict=True)])
    return Reading("row", native, type_, tuple(parts), refused)
