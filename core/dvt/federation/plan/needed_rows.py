"""Which rows of each input a query needs.

A row may stay at its source when the answer is the same without it. The query's own text is run over what arrives, so
that every filter in it still holds: leaving rows out only has to be harmless, and leaving in too many always is. Each
step below keeps one promise: rows that fail the demands on a relation may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.implied import interchangeable, local_conditions
from dvt.federation.plan.joins import sides
from dvt.federation.plan.key_filters import marked
from dvt.federation.plan.limits import enough_rows
from dvt.federation.plan.outputs import Outputs, through_projection
from dvt.federation.plan.parse import Handles
from dvt.federation.plan.scope_building import ScopeBuilder
from dvt.federation.plan.scopes import (
    Env,
    OutputColumn,
    Place,
    Scope,
    Source,
    conjuncts,
    is_plain_select,
)

# DuckDB's functions that read a relation by a name in a text.
_BY_NAME = ("query", "query_table")
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
        with_keys: Whether a relation that is joined to another one is told to wait for its keys.

    Attributes:
        reaches: By handle; a handle that is missing is needed whole.
        reason: Why nothing is known, when the query has a shape that is not followed.
    """

    root: exp.Expr
    handles: Handles
    tables: Mapping[Handle, Mapping[str, pa.DataType]]
    with_keys: bool = False
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
        except RecursionError:
            self.reason = "the query is nested too deeply"
        self.reason = self.reason or by_other_means(self.root, self.tables.values())
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
        known = self._outputs.env(node, env)
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
        for part in self._given(scope, [*where, *passed, *self._listed(scope, where, env)]):
            self._source(scope, *part, *enough_rows(node, scope, where, demands, limit))
        for part_node in opaque:
            if part_node is not None:
                self._whole(part_node, env)
        for join in node.args.get("joins") or ():
            self._nested(join, env, skip=("this",))
        self._nested(node, env, skip=("with_", "from_", "joins"))
        self._mark(node)

    def _given(self, scope: Scope, conditions: list[exp.Expr]) -> list[tuple[int, list[exp.Expr]]]:
        """For each source the conditions that hold in every row of it that counts."""
        found: list[tuple[int, list[exp.Expr]]] = []
        above = conditions
        for index in range(len(scope.sources) - 1, 0, -1):
            join = scope.joins[index - 1]
            left, right = sides(scope, index, join.kind, above, list(join.conditions))
            found.append((index, right))
            above = left
        if scope.sources:
            found.append((0, above))
        origin = partial(self._origin, scope) if self.with_keys else None
        return [(index, local_conditions(given, scope, index, origin)) for index, given in found]

    def _listed(self, scope: Scope, where: list[exp.Expr], env: Env) -> list[exp.Expr]:
        """`x in (select k from ...)`: x is one of the keys of the input behind k."""
        found: list[exp.Expr] = []
        for condition in where if self.with_keys else ():
            query = condition.args.get("query") if isinstance(condition, exp.In) else None
            select = query.this if isinstance(query, exp.Subquery) else query
            place = scope.resolve(condition.this) if isinstance(condition.this, exp.Column) else None
            if place is None or not isinstance(select, exp.Select):
                continue
            outputs = self._outputs.of(select, env)
            column = outputs[0].expression if outputs is not None and len(outputs) == 1 else None
            inner = self._scope(select, self._outputs.env(select, env))
            within = inner.resolve(column) if isinstance(column, exp.Column) else None
            if within is None or not interchangeable(scope.type_of(place), inner.type_of(within)):
                continue
            provider = self._origin(inner, within)
            if provider is not None:
                found.append(marked(condition.this.copy(), *provider))
        return found

    def _origin(self, scope: Scope, place: Place) -> tuple[Handle, str] | None:
        """The input's column whose values, or some of them, a place shows; None when it is no plain column."""
        source = scope.sources[place[0]]
        if source.handle is not None:
            return source.handle, place[1]
        if source.query is None or not isinstance(source.query, exp.Select):
            return None
        outputs = self._outputs.of(source.query, source.env) or ()
        column = next((output.expression for output in outputs if output.name == place[1]), None)
        inner = self._scope(source.query, self._outputs.env(source.query, source.env))
        within = inner.resolve(column) if isinstance(column, exp.Column) else None
        return self._origin(inner, within) if within is not None else None

    def _source(
        self, scope: Scope, index: int, local: list[exp.Expr], limit: int | None, order: tuple[Ordering, ...]
    ) -> None:
        source: Source = scope.sources[index]
        if source.handle is not None:
            self.reaches.setdefault(source.handle, []).append(Reach(tuple(local), limit, order))
        elif source.query is not None:
            self._query(source.query, source.env, local, limit)

    def _set_operation(self, node: exp.Expr, env: Env, demands: Sequence[exp.Expr], limit: int | None) -> None:
        branches = (node.this, node.expression)
        outputs = [self._outputs.of(side, env) for side in branches]
        is_cut = any(node.args.get(key) for key in ("limit", "offset"))
        is_union_all = isinstance(node, exp.Union) and not node.args.get("distinct") and not is_cut
        names = self._outputs.of(node, env)
        for side, output in zip(branches, outputs, strict=True):
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


def reads_by_name(root: exp.Expr) -> bool:
    """Whether a function in a query reads a relation that it is given as a text."""
    return any(function.name.lower() in _BY_NAME for function in root.find_all(exp.Anonymous))


def by_other_means(root: exp.Expr, tables: Iterable[Iterable[str]]) -> str:
    """Why rows count that no clause of the query speaks of."""
    if reads_by_name(root):
        return "a function reads a relation that it is given as a text"
    is_column = any("rowid" in table for table in tables)
    if not is_column and any(column.name.lower() == "rowid" for column in root.find_all(exp.Column)):
        return "rowid is a row's place among those that are read"
    return ""


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


def _is_read(name: str, node: exp.Expr, cte: exp.Expr) -> bool:
    return any(t.name.lower() == name and not t.db and not _inside(t, cte) for t in node.find_all(exp.Table))


def _inside(node: exp.Expr, outer: exp.Expr) -> bool:
    place: exp.Expr | None = node
    while place is not None and place is not outer:
        place = place.parent
    return place is outer


def _children(value: object) -> list[exp.Expr]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, exp.Expr)]
