"""ClickHouse types as data: what carries each of them, and in which of its own types the server is asked for it.

Facts are those of ClickHouse's data type reference and of its Arrow output. What Arrow would not carry exactly, or
would carry as another thing (an enum's number, an address's number), is cast by the server: the cast of a whole nested
type casts its leaves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS_UTC, TIME, UUID, carried_decimal


@dataclass(frozen=True)
class NativeType:
    """A type as the server names it.

    Args:
        base: Name without arguments: "Array".
        text: The whole type: "Array(Nullable(Int8))".
        arguments: What stands in the parentheses, apart at the commas.
    """

    base: str
    text: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        type: The Arrow type that carries them.
        wire: The ClickHouse type in which they are asked for; the type itself where no cast is needed.
        nullable: Whether there may be NULLs.
        refused: Why no value of the type can be read; empty when they can.
    """

    type: pa.DataType
    wire: str
    nullable: bool = False
    refused: str = ""


# Everything that is carried as it comes.
_PLAIN: dict[str, pa.DataType] = {
    "Bool": pa.bool_(),
    "Int8": pa.int8(),
    "Int16": pa.int16(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt32": pa.uint32(),
    "UInt64": pa.uint64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "Date": pa.date32(),
    "Date32": pa.date32(),
    "UUID": UUID,
    # An instant, whatever zone it is shown in.
    "DateTime64": MICROS_UTC,
}
# What the server casts: the carrying type, and its own.
_TEXT = (pa.string(), "String")
_NULLABLE_TEXT = (pa.string(), "Nullable(String)")
_CAST: dict[str, tuple[pa.DataType, str]] = {
    "BFloat16": (pa.float32(), "Float32"),  # the upper half of one
    "DateTime": (MICROS_UTC, "DateTime64(0, 'UTC')"),  # Arrow would get its number of seconds
    **dict.fromkeys(("Enum8", "Enum16", "IPv4", "IPv6"), _TEXT),
    **dict.fromkeys(("Point", "Ring", "LineString", "MultiLineString", "Polygon", "MultiPolygon"), _TEXT),
    **dict.fromkeys(("Variant", "Dynamic", "Geometry"), _NULLABLE_TEXT),
    "Nothing": (pa.int32(), "Nullable(Int32)"),
}
_NO_VALUES = {
    "AggregateFunction": "it holds the state of an aggregation; read finalizeAggregation(column) in a query or a view",
    "Interval": "intervals have no unit outside of ClickHouse; read a number or a text in a query or a view",
}
# Read as their digits: Arrow would get their bytes.
_WIDE_INTEGERS = frozenset({"Int128", "Int256", "UInt128", "UInt256"})
_OPENING, _CLOSING = "([{", ")]}"
_NAMED = re.compile(r"^(?:`((?:[^`\\]|\\.|``)*)`|(\w+))\s+(?=[A-Za-z])(.+)$", re.DOTALL)


def parse_type(text: str) -> NativeType:
    """A type as DESCRIBE prints it.

    >>> parse_type("Map(String, Array(Enum8('a,b' = 1)))")
    NativeType(base='Map', text="Map(String, Array(Enum8('a,b' = 1)))", arguments=('String', "Array(Enum8('a,b' = 1))"))
    """
    text = text.strip()
    base, bracket, rest = text.partition("(")
    return NativeType(base.strip(), text, tuple(_split(rest.rstrip()[:-1])) if bracket else ())


def reading(native: NativeType, *, strings_as: str = "text", time_as: str = "time") -> Reading:
    """How a type is read.

    Args:
        native: The type.
        strings_as: "binary" carries String and FixedString as bytes.
        time_as: "text" carries times as text: times outside of a day exist.

    >>> reading(parse_type("Array(Nullable(DateTime))"))
    Reading(type=ListType(list<item: timestamp[us, tz=UTC]>), wire="Array(Nullable(DateTime64(0, 'UTC')))", \
nullable=False, refused='')
    """
    return _Reader(strings_as == "binary", time_as == "text").read(native, is_inner=False)


@dataclass(frozen=True)
class _Reader:
    strings_are_bytes: bool
    times_are_text: bool

    def read(self, native: NativeType, is_inner: bool = True) -> Reading:
        base = native.base
        refusal = _NO_VALUES.get("Interval" if base.startswith("Interval") else base)
        if refusal:
            return Reading(pa.binary(), native.text, refused=f"no type carries {native.text}: {refusal}")
        if base in self._nested:
            return self._nested[base](native)
        if base in _PLAIN:
            return Reading(_PLAIN[base], native.text)
        if base in _CAST:
            type_, wire = _CAST[base]
            return Reading(type_, wire, wire.startswith("Nullable("))
        if base in ("String", "FixedString"):
            if self.strings_are_bytes:
                return Reading(pa.binary(), native.text)
            return Reading(pa.string(), "String")  # the cast cuts a FixedString's padding
        if base == "Decimal":
            precision, scale = (int(argument) for argument in native.arguments)
            return Reading(carried_decimal(precision, scale), native.text)
        if base in ("Time", "Time64"):
            # Arrow has no times outside of a day, and the server's error would not name the column.
            return Reading(pa.string() if self.times_are_text or is_inner else TIME, "String")
        if base in _WIDE_INTEGERS:
            return Reading(pa.string() if is_inner else pa.decimal128(38, 0), "String")
        if base == "JSON":
            return Reading(pa.string() if is_inner else JSON, "String")
        # A type of a later server: its text.
        return Reading(pa.string(), "Nullable(String)", True)

    @property
    def _nested(self) -> dict[str, Callable[[NativeType], Reading]]:
        return {
            "Nullable": self._nullable,
            "LowCardinality": self._low_cardinality,
            "SimpleAggregateFunction": lambda native: self.read(parse_type(native.arguments[-1]), False),
            "Array": self._array,
            "Map": self._map,
            "Tuple": self._tuple,
            "Nested": lambda native: self._array(parse_type(f"Array(Tuple({', '.join(native.arguments)}))")),
        }

    def _nullable(self, native: NativeType) -> Reading:
        inner = self.read(parse_type(native.arguments[0]), False)
        wire = inner.wire if inner.nullable else f"Nullable({inner.wire})"
        return Reading(inner.type, wire, True, inner.refused)

    def _low_cardinality(self, native: NativeType) -> Reading:
        inner = self.read(parse_type(native.arguments[0]), False)
        is_plain = inner.wire == native.arguments[0]
        return Reading(inner.type, native.text if is_plain else inner.wire, inner.nullable, inner.refused)

    def _array(self, native: NativeType) -> Reading:
        inner = self.read(parse_type(native.arguments[0]))
        return Reading(pa.list_(inner.type), f"Array({inner.wire})", refused=inner.refused)

    def _map(self, native: NativeType) -> Reading:
        key, value = native.arguments
        inner = self.read(parse_type(value))
        wire_key = key if key in ("String", "LowCardinality(String)") else "String"
        return Reading(pa.map_(pa.string(), inner.type), f"Map({wire_key}, {inner.wire})", refused=inner.refused)

    def _tuple(self, native: NativeType) -> Reading:
        if not native.arguments:
            return Reading(pa.string(), "String")
        fields, wires, refused = [], [], ""
        for number, argument in enumerate(native.arguments, 1):
            named = _NAMED.match(argument)
            type_ = named.group(3) if named else argument
            inner = self.read(parse_type(type_))
            name = _unquoted(named.group(1)) if named and named.group(1) else (named.group(2) if named else str(number))
            fields.append(pa.field(name, inner.type))
            wires.append(argument[: len(argument) - len(type_)] + inner.wire)
            refused = refused or inner.refused
        return Reading(pa.struct(fields), f"Tuple({', '.join(wires)})", refused=refused)


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)|`(`)", lambda found: found.group(1) or found.group(2), name)


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    parts, depth, start, index = [], 0, 0, 0
    while index < len(text):
        letter = text[index]
        if letter in "'`\"":
            index = _end_of_quoted(text, index)
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
        index += 1
    last = text[start:].strip()
    return [*parts, last] if last or parts else []


def _end_of_quoted(text: str, start: int) -> int:
    index = start + 1
    while index < len(text) and text[index] != text[start]:
        index += 2 if text[index] == "\\" else 1
    return index
