"""Which columns a scan carries as another type than the source's own; see plans/0002-types.md for the rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from dvt.federation.stream import ColumnSchema

# Native names of texts, in all engines and in Arrow; SQLite takes every name with one of these parts for a text.
_TEXT = re.compile(r"char|clob|text|string|^name$|^dictionary<")
_DIGITS = re.compile(r"\((\d+)(?:\s*,\s*(-?\d+))?\)")


@dataclass(frozen=True)
class Coercion:
    """A column that is read as another type.

    Args:
        column: Its name.
        native_type: The source's name of its type.
        carried_as: The type as which its values travel, in words.
        checked: Whether a value may not fit, which stops the run.
    """

    column: str
    native_type: str
    carried_as: str
    checked: bool


def coercions(columns: Sequence[ColumnSchema], wanted: Sequence[str] | None) -> list[Coercion]:
    """The coercions of a scan.

    Args:
        columns: The relation's columns.
        wanted: Names of those that are read; None for all.
    """
    read = [column for column in columns if wanted is None or column.name in wanted]
    return [found for column in read if (found := _coercion(column)) is not None]


def _coercion(column: ColumnSchema) -> Coercion | None:
    native, type_ = column.native_type.lower(), column.type
    if not native:  # nothing is declared, so nothing is another type
        return None
    if pa.types.is_string(type_) and not _TEXT.search(native):
        return Coercion(column.name, column.native_type, "text", False)
    if pa.types.is_decimal(type_) and (type_.precision, type_.scale) != _digits(native):
        carried = f"decimal({type_.precision},{type_.scale})"
        return Coercion(column.name, column.native_type, carried, not _fits(native, type_))
    return None


def _digits(native: str) -> tuple[int, int] | None:
    """Precision and scale of a decimal's name."""
    found = _DIGITS.search(native)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _fits(native: str, type_: pa.Decimal128Type) -> bool:
    digits = _digits(native)
    if digits is None:
        return False
    return bool(digits[0] - digits[1] <= type_.precision - type_.scale and digits[1] <= type_.scale)
