"""What a query's result consists of, and what a condition on the result says about what the query reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dvt.federation.plan.scope_building import named
from dvt.federation.plan.scopes import Env, JoinKind, OutputColumn, Place, Scope, conjuncts, is_plain_select
from dvt.federation.plan.select_parts import star_of

_UNPLAIN = ("group", "having", "qualify", "distinct", "sample", "windows", "laterals")


class Outputs:
    """The output columns of queries.

    Args:
        scope_of: The scope of a SELECT.
    """

    def __init__(self, scope_of: Callable[[exp.Select, Env], Scope]) -> None:
        self._scope_of = scope_of
        # By identity: what is kept keeps the query and the names alive, and so their identities.
        self._envs: dict[tuple[int, int], tuple[exp.Expr, Env, Env]] = {}
        self._known: dict[tuple[int, int], tuple[exp.Expr, Env, list[OutputColumn] | None]] = {}

    def env(self, query: exp.Expr, env: Env) -> Env:
        """The names that a query sees; the same object for the same query and surroundings."""
        key = id(query), id(env)
        if key not in self._envs:
            self._envs[key] = query, env, _with_ctes(query, env)
        return self._envs[key][2]

    def of(self, query: exp.Expr, env: Env) -> list[OutputColumn] | None:
        """A query's output columns in their order; None when they cannot be told."""
        key = id(query), id(env)
        if key not in self._known:
            self._known[key] = query, env, self._told(query, self.env(query, env))
        return self._known[key][2]

    def _told(self, query: exp.Expr, env: Env) -> list[OutputColumn] | None:
        if isinstance(query, exp.Select) and is_plain_select(query):
            return self._select(query, self._scope_of(query, env))
        if isinstance(query, exp.SetOperation):
            return self._set_operation(query, env)
        if isinstance(query, exp.Subquery) and isinstance(query.this, exp.Query) and not query.args.get("joins"):
            return self.of(query.this, env)
        return None

    def _set_operation(self, query: exp.Expr, env: Env) -> list[OutputColumn] | None:
        left, right = self.of(query.this, env), self.of(query.expression, env)
        if left is None or right is None or query.args.get("by_name") or len(left) != len(right):
            return None
        return [
            OutputColumn(one.name, None, one.type if one.type == other.type else None)
            for one, other in zip(left, right, strict=True)
        ]

    def _select(self, select: exp.Select, scope: Scope) -> list[OutputColumn] | None:
        found: list[OutputColumn] = []
        for item in select.expressions:
            star = star_of(item)
            if star is not None:
                expanded = _expanded(item, star, scope)
                if expanded is None:
                    return None
                found += expanded
            elif item.find(exp.Columns):
                return None
            else:
                found.append(_column(item, scope))
        return found


def _with_ctes(query: exp.Expr, env: Env) -> Env:
    """The names that a query sees: those around it, and its own WITH. A recursive CTE is not followed."""
    clause = query.args.get("with_")
    if not isinstance(clause, exp.With):
        return env
    known = dict(env)
    for cte in clause.expressions:
        name = cte.alias.lower()
        is_recursive = clause.recursive and any(t.name.lower() == name for t in cte.this.find_all(exp.Table))
        renames = bool(cte.args["alias"].args.get("columns"))
        known[name] = None if is_recursive or renames else (cte.this, dict(known))
    return known


def through_projection(
    select: exp.Select, demands: Sequence[exp.Expr], outputs: Sequence[OutputColumn] | None, scope: Scope
) -> list[exp.Expr]:
    """Conditions on a SELECT's result, and its HAVING, as conditions on what it reads.

    A condition passes an aggregate or a window only where whole groups or partitions meet it or fail it, and no LIMIT
    at all.
    """
    keys = _kept_apart(select, scope)
    found: list[exp.Expr] = []
    is_cut = bool(select.args.get("limit") or select.args.get("offset") or _distinct_on(select))
    if demands and outputs is not None and not is_cut:
        by_name = named(outputs)
        for demand in demands if by_name is not None else ():
            moved = _substituted(demand, outputs)
            if moved is not None:
                found += conjuncts(moved)
    having = select.args.get("having")
    if having is not None:
        found += conjuncts(having.this)
    if keys is None:
        return [part for part in found if scope.places(part)]
    return [part for part in found if (places := scope.places(part)) and places <= keys]


def is_plain_projection(select: exp.Select) -> bool:
    """Whether a SELECT gives one row for each row that it reads and keeps; its own ORDER BY and LIMIT aside."""
    if any(select.args.get(key) for key in _UNPLAIN):
        return False
    return all(
        star_of(item) is not None or isinstance(item.unalias(), (exp.Column, exp.Literal))
        for item in select.expressions
    )


def _kept_apart(select: exp.Select, scope: Scope) -> set[Place] | None:
    """Columns by which the rows are kept apart in groups and partitions; None when all rows are by themselves."""
    items = select.expressions
    qualify = select.args.get("qualify")
    windows = [w for part in (*items, *([qualify] if qualify else ())) for w in part.find_all(exp.Window)]
    group = select.args.get("group")
    keys: set[Place] | None = None
    if group is not None:
        keys = _group_keys(select, group, scope)
    elif select.args.get("having") or any(_is_aggregate(item) for item in items):
        keys = set()
    for window in windows:
        places = {scope.resolve(c) for c in window.args.get("partition_by") or () if isinstance(c, exp.Column)}
        partition = {place for place in places if place is not None}
        keys = partition if keys is None else keys & partition
    return keys


def _group_keys(select: exp.Select, group: exp.Expr, scope: Scope) -> set[Place]:
    if group.args.get("all"):
        items = [item.unalias() for item in select.expressions]
    elif any(group.args.get(key) for key in ("cube", "rollup", "grouping_sets", "totals")):
        return set()
    else:
        items = [_grouped(item, select, scope) for item in group.expressions]
    if any(isinstance(item, (exp.Cube, exp.Rollup, exp.GroupingSets, exp.Tuple)) for item in items):
        return set()
    places = {scope.resolve(item) for item in items if isinstance(item, exp.Column)}
    return {place for place in places if place is not None}


def _grouped(item: exp.Expr, select: exp.Select, scope: Scope) -> exp.Expr:
    """What GROUP BY names: a position, a column, or (where there is no such column) an alias."""
    if isinstance(item, exp.Literal) and not item.is_string and item.this.isdigit():
        index = int(item.this) - 1
        has_stars = any(star_of(other) is not None for other in select.expressions)
        return select.expressions[index].unalias() if index < len(select.expressions) and not has_stars else item
    if isinstance(item, exp.Column) and not item.table and scope.resolve(item) is None:
        named_so = [other for other in select.expressions if other.alias.lower() == item.name.lower()]
        return named_so[0].unalias() if len(named_so) == 1 else item
    return item


def _is_aggregate(item: exp.Expr) -> bool:
    return any(not isinstance(found.parent, exp.Window) for found in item.find_all(exp.AggFunc))


def _distinct_on(select: exp.Select) -> bool:
    distinct = select.args.get("distinct")
    return bool(distinct is not None and distinct.args.get("on"))


def _substituted(demand: exp.Expr, outputs: Sequence[OutputColumn]) -> exp.Expr | None:
    known = {column.name: column.expression for column in outputs if column.name is not None}

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        expression = known.get(node.name.lower())
        if expression is None:
            raise LookupError
        bare = expression.copy()
        return bare if isinstance(bare, exp.Column) else exp.Paren(this=bare)

    try:
        return demand.copy().transform(replace)
    except LookupError:
        return None


def _expanded(item: exp.Expr, star: exp.Star, scope: Scope) -> list[OutputColumn] | None:
    if any(value for key, value in star.args.items() if key != "except_"):
        return None
    if any(join.kind is JoinKind.OTHER for join in scope.joins):
        return None
    left_out = {name.name.lower() for part in star.args.get("except_") or () for name in part.find_all(exp.Identifier)}
    qualifier = item.table.lower() if isinstance(item, exp.Column) else ""
    found: list[OutputColumn] = []
    for index, source in enumerate(scope.sources):
        is_hidden = index > 0 and scope.joins[index - 1].kind in (JoinKind.SEMI, JoinKind.ANTI)
        if (qualifier and source.alias != qualifier) or (not qualifier and is_hidden):
            continue
        if source.columns is None:
            return None
        for name, type_ in source.columns.items():
            if name in left_out or (not qualifier and name in scope.merged and any(c.name == name for c in found)):
                continue
            is_merged = name in scope.merged and not qualifier
            column = exp.column(name, table=None if is_merged else source.alias, quoted=True)
            if is_merged and scope.resolve(column) is None:
                found.append(OutputColumn(name, None, None))
            else:
                found.append(OutputColumn(name, column, type_))
    return found


def _column(item: exp.Expr, scope: Scope) -> OutputColumn:
    expression = item.unalias()
    name = item.alias.lower() if isinstance(item, exp.Alias) else None
    if isinstance(expression, exp.Column):
        place = scope.resolve(expression)
        return OutputColumn(
            name or expression.name.lower(), expression, scope.type_of(place) if place is not None else None
        )
    return OutputColumn(name, expression, None)
