"""How an engine compares values, as far as a federated query may rely on it. Data; the planner draws the conclusions.

Trust is about one question: in which rows is a comparison true? EXACT: in the same rows as in the compute engine.
SUPERSET: in all of these rows, perhaps in more. Whatever is not listed is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Trust(Enum):
    """What is known of the rows in which a source finds a comparison true."""

    EXACT = "exact"
    SUPERSET = "inexact"
    UNKNOWN = "no"


@dataclass(frozen=True)
class Comparing:
    """How columns of some native types compare.

    Args:
        native: A pattern that the whole native type has to match, in lower case.
        equal: `=`, and IN.
        unequal: `<>`.
        order: `<`, `<=`, `>`, `>=`.
        prefix: Whether a text begins with another.
        is_null: IS NULL.
        columns: Comparisons of two such columns.
        collation: A collation to name, so that texts compare by their characters' codes, where `=` alone will not do.
        takes_lists: Whether IN compares as `=` does; otherwise each value is compared by itself.
        constants: The first and the last constant, as text, with which it may be compared; empty for all.
    """

    native: str = ".*"
    equal: Trust = Trust.UNKNOWN
    unequal: Trust = Trust.UNKNOWN
    order: Trust = Trust.UNKNOWN
    prefix: Trust = Trust.UNKNOWN
    is_null: Trust = Trust.EXACT
    columns: Trust = Trust.UNKNOWN
    collation: str = ""
    takes_lists: bool = True
    constants: tuple[str, str] | tuple[()] = ()

    @classmethod
    def all(cls, trust: Trust, native: str = ".*") -> Comparing:
        """One trust for all comparisons with constants and between columns."""
        return cls(native, trust, trust, trust, columns=trust)

    def takes(self, constants: Iterable[str]) -> bool:
        """Whether it may be compared with these."""
        return not self.constants or all(self.constants[0] <= text <= self.constants[1] for text in constants)

    @property
    def tells_apart(self) -> bool:
        """Whether equal values, and no others, are equal for the engine, under the collation to name."""
        return self.unequal is Trust.EXACT and (bool(self.collation) or self.equal is Trust.EXACT)

    def covers(self, native: str) -> bool:
        """Whether a native type is one of these."""
        return re.fullmatch(self.native, native.lower()) is not None


@dataclass(frozen=True)
class ComparingFacts:
    """What is known of an engine.

    Args:
        families: For each family of carried types (see `plan/predicates.py`) the kinds of native types; the first
            that covers a native type counts.
        any_null_test: Trust in IS NOT NULL of any column, and in IS NULL of columns without an entry.
        reads_declared: Whether a type that the project declares for a column decides how its values are read.
        takes_order: Whether the first rows of an order can be asked for.
        takes_joins: Whether several of its relations can be read as one, by a query.
        aggregates: What it can make of a group's rows, in the engine's own terms: "count", "sum", "min", "max".
    """

    families: Mapping[str, tuple[Comparing, ...]] = field(default_factory=dict)
    any_null_test: Trust = Trust.UNKNOWN
    reads_declared: bool = False
    takes_order: bool = True
    takes_joins: bool = False
    aggregates: frozenset[str] = frozenset()

    def null_test(self, kind: Comparing | None, *, is_null: bool) -> Trust:
        """What IS NULL, or IS NOT NULL, of a column is worth.

        Where the source finds fewer values NULL than the compute engine does, more rows are NOT NULL there.
        """
        if kind is None:
            return self.any_null_test
        if is_null:
            return kind.is_null
        return self.any_null_test if kind.is_null is Trust.EXACT else Trust.SUPERSET

    def of(self, family: str, native: str) -> Comparing | None:
        """How columns of a family and native type compare; None when that is not known."""
        return next((kind for kind in self.families.get(family, ()) if kind.covers(native)), None)
