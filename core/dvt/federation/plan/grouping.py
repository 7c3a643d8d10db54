"""Aggregation before a join: a relation's rows that are alike for the rest of the query are counted at their source.

What a SELECT makes of its groups, it can make of smaller groups first, where every row of such a group meets the same
rows of the other relations: where all columns that the SELECT reads outside of its aggregates are keys of the smaller
groups. The engine then adds up counts and sums, and takes the least of the least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from dvt.connections.comparing import Trust
from dvt.federation.plan.blocks import Aggregate
from dvt.federation.plan.condition_reading import family_of
from dvt.federation.plan.members import Members
from dvt.federation.plan.predicates import Family
from dvt.federation.plan.rowwise import is_harmless, is_rowwise
from dvt.federation.plan.scopes import JoinKind
from dvt.federation.plan.select_parts import SelectParts
from dvt.federation.stream import ColumnSchema

# A sum of so many digits has room for all rows that there can be in the 38 that the engine has.
_DIGITS_AT_MOST = 19
_ORDERED = (Family.INTEGER, Family.DECIMAL, Family.DATE, Family.TIMESTAMP, Family.INSTANT)
_SPLIT = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)


@dataclass(frozen=True)
class Partial:
    """An aggregate of a SELECT that its source can begin.

    Args:
        node: The aggregate in the SELECT.
        aggregate: What the source makes.
        argument: The name of the column in `Members`; empty for a count of rows.
    """

    node: exp.AggFunc
    aggregate: Aggregate
    argument: str = ""

    @property
    def name(self) -> str:
        """The name of its column in the block."""
        return f"{self.aggregate.value}_{self.argument}".lower() if self.argument else "count_rows"


def partials(select: exp.Select, parts: SelectParts, members: Members, group: frozenset[int]) -> list[Partial] | None:
    """The aggregates of a SELECT, when all of them can be made of smaller groups; None when it has none, or others."""
    if not _is_grouped(select, parts) or any(
        j.kind not in (JoinKind.INNER, JoinKind.LEFT) for j in members.scope.joins
    ):
        return None
    if not all(is_harmless(node) for node in parts.nodes):
        return None
    found: list[Partial] = []
    for node in parts.aggregates():
        one = _partial(node, members, group)
        if one is None:
            return None
        found += one
    return found


def _is_grouped(select: exp.Select, parts: SelectParts) -> bool:
    group = select.args.get("group")
    if group is None:
        return bool(parts.aggregates())
    if any(group.args.get(key) for key in ("cube", "rollup", "grouping_sets", "totals")):
        return False
    return not any(isinstance(item, (exp.Cube, exp.Rollup, exp.GroupingSets, exp.Tuple)) for item in group.expressions)


def _partial(node: exp.AggFunc, members: Members, group: frozenset[int]) -> list[Partial] | None:
    """One aggregate's; empty when it does not matter how often a row is there."""
    if isinstance(node.parent, _SPLIT) or not {key for key, value in node.args.items() if value} <= {"this", "big_int"}:
        return None
    place = members.scope.resolve(node.this) if isinstance(node.this, exp.Column) else None
    name = members.name_of(place) if place is not None and place[0] in group else None
    if isinstance(node, exp.Count):
        if isinstance(node.this, exp.Star):
            return [Partial(node, Aggregate.COUNT_ROWS)] if "count" in members.facts.aggregates else None
        can_count = "count" in members.facts.aggregates
        return [Partial(node, Aggregate.COUNT, name)] if name and can_count and _tells_null(name, members) else None
    if isinstance(node, exp.Sum):
        can = name and "sum" in members.facts.aggregates and summed(members.columns[name.lower()].type) is not None
        return [Partial(node, Aggregate.SUM, name)] if can and name and name not in members.declared else None
    if isinstance(node, (exp.Min, exp.Max)):
        aggregate = Aggregate.MIN if isinstance(node, exp.Min) else Aggregate.MAX
        if name and aggregate.value in members.facts.aggregates and _is_ordered(name, members):
            return [Partial(node, aggregate, name)]
        return [] if is_rowwise(node.this) else None
    return None


def _is_ordered(name: str, members: Members) -> bool:
    kind = members.kind(name)
    is_known = family_of(members.columns[name.lower()].type) in _ORDERED and name not in members.declared
    return is_known and kind is not None and kind.order is Trust.EXACT


def _tells_null(name: str, members: Members) -> bool:
    """Whether the source counts as many values of a column as the engine would."""
    return all(members.facts.null_test(members.kind(name), is_null=test) is Trust.EXACT for test in (True, False))


def summed(type_: pa.DataType) -> pa.DataType | None:
    """The type of a sum that is carried exactly; None where there is none."""
    if pa.types.is_integer(type_):
        return pa.decimal128(38, 0)
    if pa.types.is_decimal(type_) and type_.precision <= _DIGITS_AT_MOST and type_.scale >= 0:
        return pa.decimal128(38, type_.scale)
    return None


def key_collations(names: Iterable[str], members: Members) -> Mapping[str, str] | None:
    """For each column the collation by which the source tells its groups apart as the engine does.

    Empty where it needs none; None when some column's groups may be others there.
    """
    found: dict[str, str] = {}
    for name in names:
        kind = members.kind(name)
        family = family_of(members.columns[name.lower()].type)
        if kind is None or family in (Family.DOUBLE, Family.OTHER) or name in members.declared:
            return None
        if not kind.tells_apart:
            return None
        found[name] = kind.collation
    return found


def column_of(partial: Partial, members: Members) -> ColumnSchema:
    """The column that a source gives for an aggregate."""
    if partial.aggregate in (Aggregate.COUNT, Aggregate.COUNT_ROWS):
        return ColumnSchema(partial.name, pa.int64(), True, "")
    argument = members.columns[partial.argument.lower()].type
    return ColumnSchema(partial.name, summed(argument) if partial.aggregate is Aggregate.SUM else argument, True, "")


def cast_of(partial: Partial, members: Members) -> str:
    """The cast that keeps a sum's type, in words that every source knows."""
    if partial.aggregate is not Aggregate.SUM:
        return ""
    type_ = summed(members.columns[partial.argument.lower()].type)
    return f"DECIMAL({type_.precision}, {type_.scale})" if type_ is not None else ""


def finished(partial: Partial, column: exp.Expr, members: Members) -> exp.Expr:
    """What the engine makes of the partial results: the SELECT's own aggregate, of the same type."""
    if partial.aggregate in (Aggregate.COUNT, Aggregate.COUNT_ROWS):
        whole = exp.Coalesce(this=exp.Sum(this=column), expressions=[exp.Literal.number(0)])
        return exp.Cast(this=whole, to=exp.DataType.build("BIGINT", dialect="duckdb"))
    if partial.aggregate is Aggregate.SUM:
        is_whole = pa.types.is_integer(members.columns[partial.argument.lower()].type)
        huge = exp.DataType.build("HUGEINT", dialect="duckdb")
        return exp.Sum(this=exp.Cast(this=column, to=huge) if is_whole else column)
    return exp.Min(this=column) if partial.aggregate is Aggregate.MIN else exp.Max(this=column)
