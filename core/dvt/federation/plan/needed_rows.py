"""Which rows of each input a query needs.

A row may stay at its source when the answer is the same without it. The query's own text is run over what arrives, so
that every filter in it still holds: leaving rows out only has to be harmless, and leaving in too many always is. Each
step below keeps one promise: rows that fail the demands on a relation may be there or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.implied import local_conditions
from dvt.federation.plan.outputs import Outputs, is_plain_projection, through_projection, with_ctes
from dvt.federation.plan.parse import Handles
from dvt.federation.plan.scope_building import ScopeBuilder
from dvt.federation.plan.scopes import (
    Env,
    JoinKind,
    OutputColumn,
    Scope,
    Source,
    conjuncts,
    is_plain_select,
    rejects_nulls,
)

# A CTE is followed anew from each place that reads it; a query in which that multiplies is read whole.
_MOST_VISITS = 2000


@dataclass(frozen=True)
class Reach:
    """One way from the query to an input: rows that fail a condition are not needed on this way.

    Args:
        conditions: Over the input's columns by their lower-case names.
        limit: At most that many rows are needed, when every one of the conditions is applied exactly; else None.
        order: The first rows by these columns are meant; any rows when empty.
    """

    conditions: tuple[exp.Expr, ...] = ()
    limit: int | None = None
    order: tuple[Ordering, ...] = ()


@dataclass
class NeededRows:
    """The ways to each input.

    Args:
        root: The query.
        handles: The inputs' handles.
        tables: Columns of the inputs, by lower-case name.

    Attributes:
        reaches: By handle; a handle that is missing is needed whole.
        reason: Why nothing is known, when the query has a shape that is not followed.
    """

    root: exp.Expr
    handles: Handles
    tables: Mapping[Handle, Mapping[str, pa.DataType]]
    reaches: dict[Handle, list[Reach]] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        self._visited: set[int] = set()
        self._visits = 0
        self._outputs = Outputs(self._scope)
        self._builder = ScopeBuilder(
            self.handles.of_table, lambda handle: dict(self.tables[handle]), lambda q, env: self._outputs.of(q, env)
        )
        try:
            self._query(self.root, {}, (), None)
        except _TooManyWays:
            self.reason = "common table expressions are read in too many ways"
        unseen = [table for table in self.root.find_all(exp.Table) if id(table) not in self._visited]
        if not self.reason and any(self._may_matter(table) for table in unseen):
            self.reason = "a relation stands in a place that is not followed"
        for column in self.root.find_all(exp.Column):
            handle = self.handles.of_column(column)
            if handle is not None:
                self.reaches.setdefault(handle, []).append(Reach())
        if self.reason:
            self.reaches = {}

    def _may_matter(self, table: exp.Table) -> bool:
        return self.handles.of_table(table) is not None or not (table.db or table.catalog)

    def _scope(self, select: exp.Select, env: Env) -> Scope:
        return self._builder.build(select, env)[0]

    # -- queries

    def _query(self, node: exp.Expr, env: Env, demands: Sequence[exp.Expr], limit: int | None) -> None:
        """Visit a query of which only rows that meet the demands, in any number or at most `limit`, count."""
        self._visits += 1
        if self._visits > _MOST_VISITS:
            raise _TooManyWays
        env = self._with(node, env)
        if isinstance(node, exp.Select) and is_plain_select(node):
            self._select(node, env, demands, limit)
        elif isinstance(node, exp.SetOperation):
            self._set_operation(node, env, demands, limit)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            is_plain = {key for key, value in node.args.items() if value} <= {"this", "with_", "alias"}
            self._query(node.this, env, demands if is_plain else (), limit if is_plain else None)
            self._nested(node, env, skip=("this", "with_"))
        else:
            self._whole(node, env)

    def _with(self, node: exp.Expr, env: Env) -> Env:
        clause = node.args.get("with_")
        if not isinstance(clause, exp.With):
            return env
        known = with_ctes(node, env)
        seen = dict(env)
        for cte in clause.expressions:
            name = cte.alias.lower()
            # What no place reads, or not in a way that is followed, is visited by itself.
            if known[name] is None or not _is_read(name, node, cte):
                self._query(cte.this, {**seen, name: None}, (), None)
            seen[name] = known[name]
        return known

    def _select(self, node: exp.Select, env: Env, demands: Sequence[exp.Expr], limit: int | None) -> None:
        scope, opaque = self._builder.build(node, env)
        is_sampled = bool(node.args.get("sample"))
        where = [] if is_sampled else conjuncts(node.args["where"].this if node.args.get("where") else None)
        passed = [] if is_sampled else through_projection(node, demands, self._outputs.of(node, env), scope)
        for part in self._given(scope, [*where, *passed]):
            self._source(scope, *part, *self._limit(node, scope, where, demands, limit))
        for part_node in opaque:
            if part_node is not None:
                self._whole(part_node, env)
        for join in node.args.get("joins") or ():
            self._nested(join, env, skip=("this",))
        self._nested(node, env, skip=("with_", "from_", "joins"))
        self._mark(node)

    def _limit(
        self, node: exp.Select, scope: Scope, where: list[exp.Expr], demands: Sequence[exp.Expr], outer: int | None
    ) -> tuple[int | None, tuple[Ordering, ...]]:
        """How many rows of the only source are enough, and which, when all its conditions are applied there."""
        if len(scope.sources) != 1 or not is_plain_projection(node):
            return None, ()
        own, order = _own_limit(node), self._order(node, scope)
        # A condition that does not arrive at the source as it stands would be applied to fewer rows.
        if own is not None and order is not None and all(scope.places(part) for part in where):
            return own, order
        is_passed = not (where or demands or any(node.args.get(key) for key in ("order", "limit", "offset")))
        return (outer if is_passed else None), ()

    def _order(self, node: exp.Select, scope: Scope) -> tuple[Ordering, ...] | None:
        """The columns of the only source, an input, by which a SELECT is ordered; None when it is by others too."""
        clause = node.args.get("order")
        found: list[Ordering] = []
        for item in clause.expressions if clause is not None else ():
            column = item.this
            if isinstance(column, exp.Column) and not column.table:
                # In ORDER BY a name is first of all one of the result's.
                named_so = [other for other in node.expressions if other.alias.lower() == column.name.lower()]
                column = named_so[0].unalias() if len(named_so) == 1 else None if named_so else column
            place = scope.resolve(column) if isinstance(column, exp.Column) else None
            if place is None or scope.sources[0].handle is None or item.args.get("with_fill"):
                return None
            found.append(Ordering(place[1], bool(item.args.get("desc")), bool(item.args.get("nulls_first"))))
        return tuple(found)

    def _given(self, scope: Scope, conditions: list[exp.Expr]) -> list[tuple[int, list[exp.Expr]]]:
        """For each source the conditions that hold in every row of it that counts."""
        found: list[tuple[int, list[exp.Expr]]] = []
        above = conditions
        for index in range(len(scope.sources) - 1, 0, -1):
            join = scope.joins[index - 1]
            left, right = _sides(scope, index, join.kind, above, list(join.conditions))
            found.append((index, right))
            above = left
        if scope.sources:
            found.append((0, above))
        return [(index, local_conditions(given, scope, index)) for index, given in found]

    def _source(
        self, scope: Scope, index: int, local: list[exp.Expr], limit: int | None, order: tuple[Ordering, ...]
    ) -> None:
        source: Source = scope.sources[index]
        if source.handle is not None:
            self.reaches.setdefault(source.handle, []).append(Reach(tuple(local), limit, order))
        elif source.query is not None:
            self._query(source.query, source.env, local, limit)

    def _set_operation(self, node: exp.Expr, env: Env, demands: Sequence[exp.Expr], limit: int | None) -> None:
        sides = (node.this, node.expression)
        outputs = [self._outputs.of(side, env) for side in sides]
        is_cut = any(node.args.get(key) for key in ("limit", "offset"))
        is_union_all = isinstance(node, exp.Union) and not node.args.get("distinct") and not is_cut
        names = self._outputs.of(node, env)
        for side, output in zip(sides, outputs, strict=True):
            below: list[exp.Expr] = []
            if not is_cut and names is not None and output is not None and None not in outputs:
                below = [moved for demand in demands if (moved := _by_position(demand, names, output)) is not None]
            is_last = limit is not None and is_union_all and not demands
            self._query(side, env, below, limit if is_last else None)
        self._nested(node, env, skip=("this", "expression", "with_"))

    # -- what is not followed

    def _nested(self, node: exp.Expr, env: Env, skip: tuple[str, ...] = ()) -> None:
        """Visit the queries in a node's expressions: they are followed by themselves, with no demand from outside."""
        stack = [child for key, value in node.args.items() if key not in skip for child in _children(value)]
        while stack:
            item = stack.pop()
            if isinstance(item, exp.Query) and not isinstance(item, exp.Table):
                self._query(item, env, (), None)
            elif isinstance(item, exp.Table):
                self._whole(item, env)
            else:
                stack.extend(child for value in item.args.values() for child in _children(value))

    def _whole(self, node: exp.Expr, env: Env) -> None:
        """Everything below a node is needed whole."""
        if isinstance(node, exp.Query) and not isinstance(node, (exp.Table, exp.Subquery, exp.Values)):
            env = self._with(node, env)
        if isinstance(node, exp.Table):
            self._visited.add(id(node))
            handle = self.handles.of_table(node)
            if handle is not None:
                self.reaches.setdefault(handle, []).append(Reach())
            elif not node.db and (known := env.get(node.name.lower())) is not None:
                self._query(known[0], known[1], (), None)
        for value in node.args.values():
            for child in _children(value):
                if isinstance(child, exp.Query) and not isinstance(child, (exp.Table, exp.Values)):
                    self._query(child, env, (), None)
                else:
                    self._whole(child, env)

    def _mark(self, node: exp.Select) -> None:
        from_ = node.args.get("from_")
        for item in (*([from_] if from_ else ()), *(node.args.get("joins") or ())):
            if isinstance(item.this, exp.Table):
                self._visited.add(id(item.this))


class _TooManyWays(Exception):
    """The number of ways through a query's CTEs has no end that is worth waiting for."""


def _sides(
    scope: Scope, index: int, kind: JoinKind, above: list[exp.Expr], on: list[exp.Expr]
) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """What holds for the rows of the left and of the right side of a join that count.

    A condition from above that is not true where a side is all NULL makes the outer join on that side an inner one.
    """
    left_sources, right_source = set(range(index)), {index}
    if kind is JoinKind.FULL and any(rejects_nulls(part, scope, left_sources) for part in above):
        kind = JoinKind.LEFT
    elif kind is JoinKind.FULL and any(rejects_nulls(part, scope, right_source) for part in above):
        kind = JoinKind.RIGHT
    if kind is JoinKind.LEFT and any(rejects_nulls(part, scope, right_source) for part in above):
        kind = JoinKind.INNER
    if kind is JoinKind.RIGHT and any(rejects_nulls(part, scope, left_sources) for part in above):
        kind = JoinKind.INNER
    if kind in (JoinKind.INNER, JoinKind.SEMI):
        return [*above, *on], [*above, *on]
    if kind in (JoinKind.LEFT, JoinKind.ANTI):
        kept = [part for part in above if _without(part, scope, right_source)]
        return kept, [*kept, *on]
    if kind is JoinKind.RIGHT:
        kept = [part for part in above if _without(part, scope, left_sources)]
        return [*kept, *on], kept
    if kind is JoinKind.LATERAL:
        return [part for part in above if _without(part, scope, right_source)], []
    return [], []


def _without(condition: exp.Expr, scope: Scope, sources: set[int]) -> bool:
    """Whether a condition says nothing of these sources."""
    places = scope.places(condition)
    return places is not None and all(place[0] not in sources for place in places)


def _by_position(demand: exp.Expr, names: Sequence[OutputColumn], branch: Sequence[OutputColumn]) -> exp.Expr | None:
    """A demand on a set operation, said of one branch; None where a column is of another type there."""
    moved = demand.copy()
    for column in list(moved.find_all(exp.Column)):
        places = [index for index, output in enumerate(names) if output.name == column.name.lower()]
        if len(places) != 1 or len(names) != len(branch):
            return None
        whole, part = names[places[0]], branch[places[0]]
        if part.name is None or whole.type is None or part.type != whole.type:
            return None
        column.replace(exp.column(part.name, quoted=True))
    return moved


def _own_limit(node: exp.Select) -> int | None:
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is None or not isinstance(limit, exp.Limit) or limit.args.get("limit_options"):
        return None
    total = 0
    for value in (limit.expression, offset.expression if offset is not None else exp.Literal.number(0)):
        if not (isinstance(value, exp.Literal) and not value.is_string and value.this.isdigit()):
            return None
        total += int(value.this)
    return total


def _is_read(name: str, node: exp.Expr, cte: exp.Expr) -> bool:
    return any(t.name.lower() == name and not t.db and not _inside(t, cte) for t in node.find_all(exp.Table))


def _inside(node: exp.Expr, outer: exp.Expr) -> bool:
    place: exp.Expr | None = node
    while place is not None and place is not outer:
        place = place.parent
    return place is outer


def _children(value: object) -> list[exp.Expr]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, exp.Expr)]
