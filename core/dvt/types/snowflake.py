"""Snowflake types as data: what carries each of them, and how the server is asked for it.

Facts are those of Snowflake's data type reference and of the connector's own sources. What the connector changes on the
way from the server's Arrow to ours is asked for in another form: it cuts the nanoseconds of times, chooses the unit of
moments by the values of each batch, and takes digits from intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

from dvt.types.vocabulary import JSON, MICROS, MICROS_UTC, TIME, carried_decimal

# Digits of a second that are carried.
MOST_FRACTION = 6
# Whole numbers of so many digits are 64-bit ones.
_BIGINT_DIGITS = 18


class Asking(Enum):
    """How the server is asked for a column."""

    AS_IS = "as it stands"
    MICROSECONDS = "cast to six digits of a second, with what the cast cuts beside it"
    TIME_TEXT = "as text with nine digits of a second"
    TEXT = "cast to VARCHAR"
    WKB = "its well-known binary form"
    ZONED_TEXT = "as text with its offset"
    REFUSED = "not at all"


@dataclass(frozen=True)
class NativeType:
    """A type as the connector describes a column of a result.

    Args:
        name: The server's name of its kind: "FIXED", "TEXT", "TIMESTAMP_NTZ".
        precision: Digits of a number.
        scale: Digits after the point, or of a second.
        dimension: Elements of a vector.
        element: Kind of a vector's elements.
    """

    name: str
    precision: int | None = None
    scale: int | None = None
    dimension: int | None = None
    element: str = ""

    @property
    def text(self) -> str:
        """The type as SQL writes it."""
        if self.name == "FIXED":
            return f"NUMBER({38 if self.precision is None else self.precision},{self.scale or 0})"
        if self.name == "TIME" or self.name.startswith("TIMESTAMP"):
            return f"{self.name}({9 if self.scale is None else self.scale})"
        if self.name == "VECTOR":
            return f"VECTOR({'INT' if self.element == 'FIXED' else 'FLOAT'}, {self.dimension})"
        return {"REAL": "FLOAT", "TEXT": "VARCHAR"}.get(self.name, self.name)

    @property
    def is_finer(self) -> bool:
        """Whether it has more digits of a second than are carried."""
        return (9 if self.scale is None else self.scale) > MOST_FRACTION


@dataclass(frozen=True)
class Reading:
    """How the values of a type are read.

    Args:
        type: The Arrow type that carries them.
        asking: How the server is asked for them.
    """

    type: pa.DataType
    asking: Asking = Asking.AS_IS


# Semi-structured values come as JSON, as do objects, arrays and maps with declared types.
_PLAIN: dict[str, Reading] = {
    "REAL": Reading(pa.float64()),
    "TEXT": Reading(pa.string()),
    "CHAR": Reading(pa.string()),
    "BOOLEAN": Reading(pa.bool_()),
    "DATE": Reading(pa.date32()),
    "BINARY": Reading(pa.binary()),
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY", "MAP"), Reading(JSON)),
    **dict.fromkeys(("DECFLOAT", "INTERVAL_YEAR_MONTH", "INTERVAL_DAY_TIME"), Reading(pa.string(), Asking.TEXT)),
    # Text would depend on the session's output format, and loses digits or the reference system.
    **dict.fromkeys(("GEOGRAPHY", "GEOMETRY"), Reading(pa.binary(), Asking.WKB)),
}
_MOMENTS = {
    "TIME": TIME,
    "TIMESTAMP_NTZ": MICROS,
    "TIMESTAMP_LTZ": MICROS_UTC,
    "TIMESTAMP_TZ": MICROS_UTC,
}


def reading(native: NativeType, *, whole_numbers_as: str = "decimal", zoned_as: str = "instant") -> Reading:
    """How a type is read.

    Args:
        native: The type.
        whole_numbers_as: "bigint" carries NUMBER(38, 0), which INT and BIGINT are too, as a 64-bit integer.
        zoned_as: "text" carries TIMESTAMP_TZ as text with its offset; an instant has none.

    >>> reading(NativeType("FIXED", 38, 0)).type, reading(NativeType("FIXED", 9, 0)).type
    (Decimal128Type(decimal128(38, 0)), DataType(int64))
    >>> reading(NativeType("TIMESTAMP_NTZ", None, 9))
    Reading(type=TimestampType(timestamp[us]), asking=<Asking.MICROSECONDS: \
'cast to six digits of a second, with what the cast cuts beside it'>)
    """
    if native.name == "FIXED" and native.scale is None:  # DECFLOAT, as connector 5 describes it
        return _PLAIN["DECFLOAT"]
    if native.name == "FIXED":
        precision, scale = 38 if native.precision is None else native.precision, native.scale or 0
        is_whole = scale == 0 and (precision <= _BIGINT_DIGITS or whole_numbers_as == "bigint")
        return Reading(pa.int64() if is_whole else carried_decimal(precision, scale))
    if native.name == "TIMESTAMP_TZ" and zoned_as == "text":
        return Reading(pa.string(), Asking.ZONED_TEXT)
    if native.name in _MOMENTS:
        finer = Asking.TIME_TEXT if native.name == "TIME" else Asking.MICROSECONDS
        return Reading(_MOMENTS[native.name], finer if native.is_finer else Asking.AS_IS)
    if native.name == "VECTOR" and native.element in ("FIXED", "REAL"):
        return Reading(pa.list_(pa.int32() if native.element == "FIXED" else pa.float32()))
    return _PLAIN.get(native.name, Reading(pa.binary(), Asking.REFUSED))
