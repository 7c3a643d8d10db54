"""From the FROM clause of a SELECT to its scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.scopes import Env, Join, JoinKind, OutputColumn, Scope, Source, conjuncts

_PLAIN_TABLE = {"this", "db", "catalog", "alias"}
_PLAIN_SUBQUERY = {"this", "alias"}
_PLAIN_JOIN = {"this", "kind", "side", "method", "on", "using"}
_SIDES = {"LEFT": JoinKind.LEFT, "RIGHT": JoinKind.RIGHT, "FULL": JoinKind.FULL}
_KINDS = {"SEMI": JoinKind.SEMI, "ANTI": JoinKind.ANTI}


class ScopeBuilder:
    """Builds scopes; `opaque` collects the parts of FROM that are not followed, whose queries are still visited.

    Args:
        handle_of: The input that a table names.
        columns_of: Columns of an input.
        outputs_of: Output columns of a query; None when they are not known.
    """

    def __init__(
        self,
        handle_of: Callable[[exp.Table], Handle | None],
        columns_of: Callable[[Handle], dict[str, object]],
        outputs_of: Callable[[exp.Expr, Env], Sequence[OutputColumn] | None],
    ) -> None:
        self._handle_of = handle_of
        self._columns_of = columns_of
        self._outputs_of = outputs_of

    def build(self, select: exp.Select, env: Env) -> tuple[Scope, list[exp.Expr | None]]:
        """The scope, and for each source the node behind it where it is an opaque one."""
        from_ = select.args.get("from_")
        if from_ is None:
            return Scope((), ()), []
        clauses = select.args.get("joins") or []
        nodes = [from_.this, *(join.this for join in clauses)]
        sources, opaque = [], []
        for node in nodes:
            source, is_opaque = self._source(node, env)
            sources.append(source)
            opaque.append(node if is_opaque else None)
        kinds = self._kinds(clauses)
        merged: dict[str, bool] = {}
        using: list[list[exp.Expr]] = [[] for _ in nodes]
        joins: list[Join] = []
        for index, (clause, kind) in enumerate(zip(clauses, kinds, strict=True), start=1):
            for identifier in clause.args.get("using") or ():
                is_left = kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI)
                name = identifier.name.lower()
                if merged.get(name, True):
                    using[index] += self._using(name, sources[:index], sources[index])
                merged[name] = merged.get(name, True) and is_left
            joins.append(Join(kind))
        scope = Scope(tuple(sources), tuple(joins), merged)
        conditions = [
            tuple(part for part in conjuncts(clause.args.get("on")) if _sees_no_more(part, scope, index + 1))
            for index, clause in enumerate(clauses, start=1)
        ]
        joins = [
            Join(join.kind, (*on, *using[index]))
            for index, (join, on) in enumerate(zip(joins, conditions, strict=True), start=1)
        ]
        return Scope(scope.sources, tuple(joins), merged), opaque

    def _kinds(self, clauses: Sequence[exp.Expr]) -> list[JoinKind]:
        kinds = [_kind(clause) for clause in clauses]
        has_comma = any(_is_comma(clause) for clause in clauses)
        has_using = any(clause.args.get("using") for clause in clauses)
        if has_comma and (has_using or any(kind in (JoinKind.RIGHT, JoinKind.FULL) for kind in kinds)):
            # A comma binds less than the joins beside it: the order of the list is not that of the joins, and a column
            # of USING is none of the relations before the comma.
            return [JoinKind.OTHER] * len(kinds)
        return kinds

    def _using(self, name: str, before: Sequence[Source], right: Source) -> list[exp.Expr]:
        owners = [source for source in before if source.columns is not None and name in source.columns]
        if not owners:
            return []
        left = exp.column(name, table=owners[0].alias, quoted=True)
        return [exp.EQ(this=left, expression=exp.column(name, table=right.alias, quoted=True))]

    def _source(self, node: exp.Expr, env: Env) -> tuple[Source, bool]:
        given = {key for key, value in node.args.items() if value}
        alias = node.alias.lower()
        renames = bool(node.args.get("alias") and node.args["alias"].args.get("columns"))
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier) and given <= _PLAIN_TABLE:
            return self._table(node, alias or node.name.lower(), env, renames), False
        is_query = isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query)
        if is_query and given <= _PLAIN_SUBQUERY and not renames and not isinstance(node.this, exp.Subquery):
            columns = named(self._outputs_of(node.this, env))
            return Source(alias, columns, query=node.this, env=env), False
        return Source(alias, None), True

    def _table(self, node: exp.Table, alias: str, env: Env, renames: bool) -> Source:
        handle = self._handle_of(node)
        if handle is not None:
            return Source(alias, None if renames else self._columns_of(handle), handle=handle)
        known = env.get(node.name.lower()) if not node.db and not node.catalog else None
        if known is None:
            return Source(alias, None)
        query, inner = known
        columns = None if renames else named(self._outputs_of(query, inner))
        return Source(alias, columns, query=query, env=inner)


def _sees_no_more(condition: exp.Expr, scope: Scope, visible: int) -> bool:
    """Whether a condition of ON means the same sources as it would if it saw those that come later."""
    columns = condition.find_all(exp.Column)
    return all(scope.resolve(column, visible) == scope.resolve(column) for column in columns)


def named(outputs: Sequence[OutputColumn] | None) -> dict[str, object] | None:
    """Types by name; None when a name occurs twice, because the engine renames the second one."""
    if outputs is None:
        return None
    names = [column.name for column in outputs if column.name is not None]
    if len(set(names)) < len(names):
        return None
    return {column.name: column.type for column in outputs if column.name is not None}


def _is_comma(clause: exp.Expr) -> bool:
    return not any(clause.args.get(key) for key in ("kind", "side", "method", "on", "using"))


def _kind(clause: exp.Expr) -> JoinKind:
    if not {name for name, value in clause.args.items() if value} <= _PLAIN_JOIN:
        return JoinKind.OTHER
    method, side, kind = ((clause.args.get(key) or "").upper() for key in ("method", "side", "kind"))
    if method or isinstance(clause.this, exp.Values):
        return JoinKind.OTHER
    if isinstance(clause.this, (exp.Lateral, exp.Unnest)):
        return JoinKind.LATERAL if side in ("", "LEFT") else JoinKind.OTHER
    if kind in _KINDS:
        return _KINDS[kind] if not side else JoinKind.OTHER
    if kind not in ("", "INNER", "CROSS", "OUTER"):
        return JoinKind.OTHER
    return _SIDES.get(side, JoinKind.OTHER if side else JoinKind.INNER)
