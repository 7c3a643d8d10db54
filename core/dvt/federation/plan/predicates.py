"""Conditions that a source may be asked for: comparisons of columns with constants, and what is made of them.

Only forms are here whose truth can be compared between engines. A constant has been worked out; a column is a bare one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Union


class Family(str, Enum):
    """Kinds of values that compare alike in all engines that answer for them."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"
    BOOLEAN = "boolean"
    UUID = "uuid"
    OTHER = "other"


class Operator(str, Enum):
    """Comparison operators."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="

    @property
    def mirrored(self) -> Operator:
        """The operator with its sides exchanged."""
        pairs = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        return Operator(pairs.get(self.value, self.value))

    @property
    def negated(self) -> Operator:
        """True where this one is false, for values that are not NULL."""
        pairs = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
        return Operator(pairs[self.value])


@dataclass(frozen=True)
class Constant:
    """A value.

    Args:
        family: Its kind: INTEGER and DECIMAL for all exact numbers.
        text: As DuckDB writes it; instants with an offset.
    """

    family: Family
    text: str


@dataclass(frozen=True)
class Comparison:
    """A column compared with a constant."""

    column: str
    operator: Operator
    value: Constant


@dataclass(frozen=True)
class ColumnComparison:
    """Two columns of one relation compared with each other."""

    column: str
    operator: Operator
    other: str


@dataclass(frozen=True)
class OneOf:
    """A column equal to one of several constants."""

    column: str
    values: tuple[Constant, ...]


@dataclass(frozen=True)
class NullTest:
    """IS NULL, or IS NOT NULL."""

    column: str
    is_null: bool


@dataclass(frozen=True)
class Prefix:
    """A text that begins with another."""

    column: str
    text: str


@dataclass(frozen=True)
class AllOf:
    """Every part is true."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one part is true."""

    parts: tuple[Predicate, ...]


Predicate = Union[Comparison, ColumnComparison, OneOf, NullTest, Prefix, AllOf, AnyOf]  # noqa: UP007 Python 3.10 aliases
