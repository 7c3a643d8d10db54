"""From conditions over all sources of a scope to those that hold for one source by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.key_filters import marked
from dvt.federation.plan.scopes import Place, Scope

Origin = Callable[[Place], "tuple[Handle, str] | None"]


def local_conditions(
    conditions: Sequence[exp.Expr], scope: Scope, source: int, origin: Origin | None = None
) -> list[exp.Expr]:
    """Conditions on one source that follow from all conditions together.

    Args:
        conditions: All of them are true in every row that counts.
        scope: Where their names are looked up.
        source: Which source.
        origin: The input whose column a place shows. When given, columns that equal another input's are marked so.

    Returns:
        Conditions over columns of the source, each named by its lower-case name alone.
    """
    classes = _equal_places(conditions, scope)
    found: dict[str, exp.Expr] = {}
    for condition in conditions:
        local = _local_part(condition, scope, source)
        if local is not None:
            found.setdefault(local.sql(), local)
        for other in _moved(condition, scope, source, classes):
            found.setdefault(other.sql(), other)
    for other in _marked(classes, source, origin) if origin is not None else ():
        found.setdefault(other.sql(), other)
    return list(found.values())


def _marked(classes: dict[Place, set[Place]], source: int, origin: Origin) -> Iterator[exp.Expr]:
    for place, equal in classes.items():
        for other in sorted(equal) if place[0] == source else ():
            provider = origin(other) if other[0] != source else None
            if provider is not None:
                yield marked(exp.column(place[1], quoted=True), *provider)


def _local_part(condition: exp.Expr, scope: Scope, source: int) -> exp.Expr | None:
    """The strongest condition on one source that this one implies by its own form."""
    if isinstance(condition, exp.Paren):
        return _local_part(condition.this, scope, source)
    if isinstance(condition, exp.And):
        parts = [_local_part(part, scope, source) for part in condition.flatten()]
        kept = [part for part in parts if part is not None]
        return exp.and_(*kept, copy=False) if kept else None
    places = scope.places(condition)
    if places and all(place[0] == source for place in places):
        return _renamed(condition, scope, {})
    if isinstance(condition, exp.Or):
        parts = [_local_part(part, scope, source) for part in condition.flatten()]
        whole = [part for part in parts if part is not None]
        return exp.or_(*whole, copy=False) if len(whole) == len(parts) else None
    return None


def _moved(condition: exp.Expr, scope: Scope, source: int, classes: dict[Place, set[Place]]) -> list[exp.Expr]:
    """A condition on one column, said of the columns of the source that are equal to it."""
    places = scope.places(condition)
    if places is None or len(places) != 1:
        return []
    (place,) = places
    if place[0] == source:
        return []
    return [_renamed(condition, scope, {place: other}) for other in classes.get(place, ()) if other[0] == source]


def _renamed(condition: exp.Expr, scope: Scope, moved: dict[Place, Place]) -> exp.Expr:
    def rename(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        place = scope.resolve(node)
        assert place is not None, "only conditions whose places are known come here"
        return exp.column(moved.get(place, place)[1], quoted=True)

    return condition.copy().transform(rename)


def _equal_places(conditions: Iterable[exp.Expr], scope: Scope) -> dict[Place, set[Place]]:
    """Columns that are equal in every row that counts, and whose equal values are interchangeable."""
    classes: dict[Place, set[Place]] = {}
    for condition in conditions:
        bare = condition.unnest() if isinstance(condition, exp.Paren) else condition
        if not isinstance(bare, exp.EQ):
            continue
        if not (isinstance(bare.this, exp.Column) and isinstance(bare.expression, exp.Column)):
            continue
        left, right = scope.resolve(bare.this), scope.resolve(bare.expression)
        if left is None or right is None or not interchangeable(scope.type_of(left), scope.type_of(right)):
            continue
        joined = classes.get(left, {left}) | classes.get(right, {right})
        for place in joined:
            classes[place] = joined
    return classes


def interchangeable(left: pa.DataType | None, right: pa.DataType | None) -> bool:
    """Whether equal values of the two types compare alike with everything. Floats do not: -0.0 equals 0.0."""
    if left is None or right is None:
        return False
    whole = (pa.types.is_integer, pa.types.is_decimal)
    if any(check(left) for check in whole) and any(check(right) for check in whole):
        return True
    kinds = (pa.types.is_string, pa.types.is_date32, pa.types.is_timestamp, pa.types.is_boolean)
    return bool(left == right and any(check(left) for check in kinds))
