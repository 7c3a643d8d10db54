"""What stands behind a relation in FROM: an input, perhaps read through CTEs that only choose columns and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.outputs import Outputs
from dvt.federation.plan.rowwise import is_rowwise
from dvt.federation.plan.scope_building import ScopeBuilder
from dvt.federation.plan.scopes import Source, conjuncts, is_always_true, is_plain_select

_CLAUSES = {"with_", "expressions", "from_", "where"}
_DEEPEST = 20


@dataclass(frozen=True)
class Base:
    """An input behind a source of a scope.

    Args:
        handle: The input.
        columns: For each name in the scope, in lower case, the input's column in lower case.
        shown: For each name in the scope, the name that the engine gives it.
        conditions: What every row meets, over the input's columns.
    """

    handle: Handle
    columns: Mapping[str, str]
    shown: Mapping[str, str]
    conditions: tuple[exp.Expr, ...] = ()


class Bases:
    """Finds inputs behind sources.

    Args:
        builder: Builds scopes.
        outputs: Tells the output columns of queries.
        names: The names of an input's columns as they are written.
    """

    def __init__(self, builder: ScopeBuilder, outputs: Outputs, names: Mapping[Handle, Mapping[str, str]]) -> None:
        self._builder = builder
        self._outputs = outputs
        self._names = names

    def of(self, source: Source, depth: int = 0) -> Base | None:
        """The input behind a source; None when there is another query than a choice of columns and rows."""
        if source.columns is None or depth > _DEEPEST:
            return None
        if source.handle is not None:
            return Base(source.handle, {name: name for name in source.columns}, self._names[source.handle])
        query = source.query
        if not isinstance(query, exp.Select) or not is_plain_select(query):
            return None
        if not {key for key, value in query.args.items() if value} <= _CLAUSES:
            return None
        if not all(isinstance(item, exp.Star) or is_rowwise(item) for item in query.expressions):
            return None
        env = self._outputs.env(query, source.env)
        scope = self._builder.build(query, env)[0]
        outputs = self._outputs.of(query, source.env)
        below = self.of(scope.sources[0], depth + 1) if len(scope.sources) == 1 else None
        if below is None or outputs is None:
            return None
        columns: dict[str, str] = {}
        shown: dict[str, str] = {}
        aliases = {item.alias.lower(): item.alias for item in query.expressions if isinstance(item, exp.Alias)}
        for output in outputs:
            place = scope.resolve(output.expression) if isinstance(output.expression, exp.Column) else None
            if output.name is None or place is None or place[1] not in below.columns:
                continue  # an expression: who asks for it asks for too much
            columns[output.name] = below.columns[place[1]]
            shown[output.name] = aliases.get(output.name, below.shown[place[1]])
        where = query.args.get("where")
        conditions = list(below.conditions)
        for part in conjuncts(where.this if where is not None else None):
            places = scope.places(part)
            if is_always_true(part):
                continue
            if not places or not is_rowwise(part) or any(place[1] not in below.columns for place in places):
                return None
            conditions.append(_moved(part, below.columns))
        return Base(below.handle, columns, shown, tuple(conditions))


def _moved(condition: exp.Expr, columns: Mapping[str, str]) -> exp.Expr:
    return condition.copy().transform(
        lambda node: exp.column(columns[node.name.lower()], quoted=True) if isinstance(node, exp.Column) else node
    )
