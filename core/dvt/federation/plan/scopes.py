"""The relations of one SELECT, and which of them a column name means.

Where a name could mean two things, or a relation's columns are not known, it means nothing here: who asks does without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle

Place = tuple[int, str]  # which source of the scope, and the column's name in lower case
Env = Mapping[str, Any]  # CTEs by name in lower case: the query and what it sees; None for one that is not followed


class JoinKind(Enum):
    """What a join does with rows that have no partner."""

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    LATERAL = "lateral"
    OTHER = "other"


@dataclass(frozen=True)
class OutputColumn:
    """One column of a query's result.

    Args:
        name: In lower case; None when the query gives it no name.
        expression: What it is, in the names of the query's own scope; None when it is several things.
        type: None when it is not known.
    """

    name: str | None
    expression: exp.Expr | None
    type: pa.DataType | None


@dataclass(frozen=True)
class Source:
    """One relation in FROM.

    Args:
        alias: In lower case, the name that qualifies its columns.
        columns: Types by name in lower case; None when the columns are not known.
        handle: The input, when it is one.
        query: The query behind a CTE or a derived table.
        env: The CTEs that this query sees.
    """

    alias: str
    columns: Mapping[str, pa.DataType | None] | None
    handle: Handle | None = None
    query: exp.Expr | None = None
    env: Env = field(default_factory=dict)


@dataclass(frozen=True)
class Join:
    """How a source is joined to those before it.

    Args:
        kind: What happens to rows without a partner.
        conditions: The conjuncts of ON; USING gives equalities.
    """

    kind: JoinKind
    conditions: tuple[exp.Expr, ...] = ()


@dataclass(frozen=True)
class Scope:
    """The sources of one SELECT in their order.

    Args:
        sources: All of them.
        joins: For each source after the first.
        merged: Columns that USING or NATURAL made one of, and whether the leftmost source's value is the result.
    """

    sources: Sequence[Source]
    joins: Sequence[Join]
    merged: Mapping[str, bool] = field(default_factory=dict)

    def resolve(self, column: exp.Column, visible: int | None = None) -> Place | None:
        """The place that a column names, None when that is not certain.

        Args:
            column: A reference.
            visible: Only the first so many sources; those after them are not in reach of an ON.
        """
        if column.args.get("db") or isinstance(column.this, exp.Star):
            return None
        name, qualifier = column.name.lower(), column.table.lower()
        count = len(self.sources) if visible is None else visible
        if qualifier:
            owners = [index for index in range(count) if self.sources[index].alias == qualifier]
            return (owners[0], name) if len(owners) == 1 and self._has(owners[0], name) else None
        owners = [index for index in range(count) if self._has(index, name) and not self._is_hidden(index, visible)]
        if len(owners) == 1:
            # A side of a merged column stands for it only where the result is that side.
            return None if name in self.merged and not self.merged[name] else (owners[0], name)
        return (owners[0], name) if owners and self.merged.get(name) else None

    def type_of(self, place: Place) -> pa.DataType | None:
        """The type of a column, None when it is not known."""
        columns = self.sources[place[0]].columns
        return columns.get(place[1]) if columns is not None else None

    def places(self, expression: exp.Expr) -> set[Place] | None:
        """All columns of an expression; None when one of them is not certain, or there is a query inside."""
        if expression.find(exp.Query):
            return None
        found: set[Place] = set()
        for column in expression.find_all(exp.Column):
            place = self.resolve(column)
            if place is None:
                return None
            found.add(place)
        return found

    def _has(self, index: int, name: str) -> bool:
        columns = self.sources[index].columns
        return columns is not None and name in columns

    def _is_hidden(self, index: int, visible: int | None) -> bool:
        """Whether an unqualified name outside of the join's own condition cannot mean this source."""
        if index == 0 or (visible is not None and index == visible - 1):
            return False
        return self.joins[index - 1].kind in (JoinKind.SEMI, JoinKind.ANTI)


_PLAIN_SELECT = {
    *("with_", "expressions", "from_", "joins", "laterals", "where", "group", "having", "qualify", "windows"),
    *("distinct", "order", "limit", "offset", "sample"),
}


def is_plain_select(select: exp.Select) -> bool:
    """Whether a SELECT consists of clauses that are understood."""
    return {name for name, value in select.args.items() if value} <= _PLAIN_SELECT


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The parts of a condition that all have to be true."""
    if condition is None:
        return []
    inner = condition.unnest() if isinstance(condition, exp.Paren) else condition
    if isinstance(inner, exp.And):
        return [part for operand in inner.flatten() for part in conjuncts(operand)]
    return [inner]


def is_always_true(part: exp.Expr) -> bool:
    """Whether a condition says nothing, as `1 = 1`."""
    if isinstance(part, exp.Boolean):
        return bool(part.this)
    if not isinstance(part, exp.EQ):
        return False
    one, other = part.this, part.expression
    return isinstance(one, exp.Literal) and isinstance(other, exp.Literal) and bool(one == other)


def rejects_nulls(condition: exp.Expr, scope: Scope, sources: set[int]) -> bool:
    """Whether a condition is not true in a row in which all columns of these sources are NULL."""

    def is_null(value: exp.Expr) -> bool:
        value = value.unnest() if isinstance(value, exp.Paren) else value
        if isinstance(value, exp.Cast):
            return is_null(value.this)
        place = scope.resolve(value) if isinstance(value, exp.Column) else None
        return place is not None and place[0] in sources

    if condition.find(exp.All, exp.Any):  # of no rows ALL is true and ANY false, whatever it is compared with
        return False
    if isinstance(condition, exp.Paren):
        return rejects_nulls(condition.unnest(), scope, sources)
    if isinstance(condition, exp.And):
        return any(rejects_nulls(part, scope, sources) for part in condition.flatten())
    if isinstance(condition, exp.Or):
        return all(rejects_nulls(part, scope, sources) for part in condition.flatten())
    if isinstance(condition, (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)):
        return is_null(condition.this) or is_null(condition.expression)
    if isinstance(condition, (exp.Between, exp.Like)):
        return is_null(condition.this)
    if isinstance(condition, exp.In):
        return is_null(condition.this) and bool(condition.expressions)
    if isinstance(condition, exp.Not):
        inner = condition.this.unnest() if isinstance(condition.this, exp.Paren) else condition.this
        if isinstance(inner, exp.Is):
            return isinstance(inner.expression, exp.Null) and is_null(inner.this)
        simple = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Like, exp.In)
        return isinstance(inner, simple) and rejects_nulls(inner, scope, sources)
    return False
