"""Several relations of one connection, or groups of their rows, that are read as though they were one relation.

A block is a query at the source: bare columns of joined relations, and on request one row for each group with counts,
sums and extremes. The federated query reads it under a handle of its own, so that what is known about columns, filters,
keys and limits of relations holds for blocks as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from sqlglot import exp

from dvt.federation.extractors.base import Ordering
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.federation.plan.model import Decision

# The schema of blocks in the engine; no source's own, because names of relations come from the project.
BLOCK_SCHEMA = "dvt_pushed"


class Aggregate(str, Enum):
    """What is made of a group's rows."""

    COUNT_ROWS = "count(*)"
    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class BlockColumn:
    """One column of a block.

    Args:
        name: Its name in the block.
        member: Which relation it comes from.
        column: The relation's column, as it is written there; empty for a count of rows.
        aggregate: What is made of it; None for the value itself, which is a key of the groups if there are any.
        cast: Type in the source's words that keeps an aggregate exact.
        collation: A collation to name, so that groups are told apart by the characters' codes.
        is_read: Whether the engine reads it; else only conditions of the block speak of it.
    """

    name: str
    member: int
    column: str
    aggregate: Aggregate | None = None
    cast: str = ""
    collation: str = ""
    is_read: bool = True


@dataclass(frozen=True)
class Block:
    """A query at a source.

    Args:
        relations: What it reads at the source.
        columns: The block's columns.
        conditions: In the source's words, over the block's columns: joins, and filters that hold before grouping.
        is_grouped: Whether there is one row for each group of equal keys.
        rows: About how many rows the joined relations have; None when nobody knows.
        decisions: What the plan says of it.
    """

    relations: tuple[Relation, ...]
    columns: tuple[BlockColumn, ...]
    conditions: tuple[exp.Expr, ...] = ()
    is_grouped: bool = False
    rows: int | None = None
    decisions: tuple[Decision, ...] = field(default=())

    def sql(
        self,
        dialect: str,
        wanted: Sequence[str] | None = None,
        predicates: Sequence[exp.Expr] = (),
        limit: int | None = None,
        order: Sequence[Ordering] = (),
    ) -> str:
        """The query.

        Args:
            dialect: The source's.
            wanted: Names of the columns to read; None for all that are read.
            predicates: Further conditions over columns that are no aggregates.
            limit: At most that many rows.
            order: Which rows, with a limit.
        """
        aliases = self._aliases()
        read = [column for column in self.columns if column.is_read]
        if wanted is not None and not self.is_grouped:
            read = [column for column in read if column.name in wanted]
        select = exp.Select().select(
            *(exp.alias_(_value(c, aliases, dialect), exp.to_identifier(c.name, quoted=True)) for c in read), copy=False
        )
        if not read:  # rows count also when no column does
            select = select.select(exp.alias_(exp.Literal.number(1), "dvt_one"))
        select = self._joined(select, [*self.conditions, *predicates], aliases)
        if self.is_grouped:
            select = self._grouped(select, read, aliases)
        for item in order if limit is not None else ():
            column = exp.column(exp.to_identifier(item.column, quoted=True))
            placed = self._placed(column, aliases)
            select = select.order_by(exp.Ordered(this=placed, desc=item.is_descending, nulls_first=item.nulls_first))
        if limit is not None:
            select = select.limit(limit)
        return select.sql(dialect=dialect)

    def _joined(self, select: exp.Select, conditions: Sequence[exp.Expr], aliases: Sequence[str]) -> exp.Select:
        """FROM with a join for each further relation, each condition where all its columns are first at hand."""
        by_name = {column.name.lower(): column.member for column in self.columns}
        on: dict[int, list[exp.Expr]] = {}
        where: list[exp.Expr] = []
        for condition in conditions:
            members = {by_name[column.name.lower()] for column in condition.find_all(exp.Column)}
            placed = self._placed(condition.copy(), aliases)
            if len(members) > 1:
                on.setdefault(max(members), []).append(placed)
            else:
                where.append(placed)
        for member, relation in enumerate(self.relations):
            table = exp.alias_(relation.ast(), exp.to_identifier(aliases[member], quoted=True), table=True)
            if member == 0:
                select = select.from_(table)
            elif member in on:
                select = select.join(table, on=exp.and_(*on[member]), join_type="inner")
            else:
                select = select.join(table, join_type="cross")
        return select.where(*where) if where else select

    def _grouped(self, select: exp.Select, read: Sequence[BlockColumn], aliases: Sequence[str]) -> exp.Select:
        keys = [_key(column, aliases) for column in read if column.aggregate is None]
        if keys:
            return select.group_by(*keys)
        # Without keys there is one group, of no rows too; the engine expects none then.
        return select.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0)))

    def _placed(self, condition: exp.Expr, aliases: Sequence[str]) -> exp.Expr:
        """A condition over the block's columns in the names of its relations."""
        known = {column.name.lower(): column for column in self.columns}

        def place(node: exp.Expr) -> exp.Expr:
            return _named(known[node.name.lower()], aliases) if isinstance(node, exp.Column) else node

        return condition.transform(place)

    def _aliases(self) -> list[str]:
        """A name for each relation, its own where it is the first to have it."""
        found: list[str] = []
        for relation in self.relations:
            name, number = relation.name, 2
            while name.lower() in {other.lower() for other in found}:
                name, number = f"{relation.name}_{number}", number + 1
            found.append(name)
        return found


def _named(column: BlockColumn, aliases: Sequence[str]) -> exp.Expr:
    table = exp.to_identifier(aliases[column.member], quoted=True)
    return exp.column(exp.to_identifier(column.column, quoted=True), table=table)


def _key(column: BlockColumn, aliases: Sequence[str]) -> exp.Expr:
    named = _named(column, aliases)
    if not column.collation:
        return named
    return exp.Collate(this=named, expression=exp.to_identifier(column.collation, quoted=True))


def _value(column: BlockColumn, aliases: Sequence[str], dialect: str) -> exp.Expr:
    if column.aggregate is None:
        return _key(column, aliases)
    if column.aggregate is Aggregate.COUNT_ROWS:
        return exp.Count(this=exp.Star())
    nodes = {Aggregate.COUNT: exp.Count, Aggregate.SUM: exp.Sum, Aggregate.MIN: exp.Min, Aggregate.MAX: exp.Max}
    value = nodes[column.aggregate](this=_named(column, aliases))
    return exp.Cast(this=value, to=exp.DataType.build(column.cast, dialect=dialect)) if column.cast else value
