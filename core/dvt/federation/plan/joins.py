"""What the two sides of a join may leave out."""

from __future__ import annotations

from sqlglot import exp

from dvt.federation.plan.scopes import JoinKind, Scope, rejects_nulls


def sides(
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
