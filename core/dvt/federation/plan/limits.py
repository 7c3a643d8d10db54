"""How many rows of a relation are enough, and which."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.outputs import is_plain_projection
from dvt.federation.plan.scopes import Scope


def enough_rows(
    node: exp.Select, scope: Scope, where: list[exp.Expr], demands: Sequence[exp.Expr], outer: int | None
) -> tuple[int | None, tuple[Ordering, ...]]:
    """How many rows of the only source are enough, and which, when all its conditions are applied there."""
    if len(scope.sources) != 1 or not is_plain_projection(node):
        return None, ()
    own, order = _own_limit(node), _order(node, scope)
    # A condition that does not arrive at the source as it stands would be applied to fewer rows.
    if own is not None and order is not None and all(scope.places(part) for part in where):
        return own, order
    is_passed = not (where or demands or any(node.args.get(key) for key in ("order", "limit", "offset")))
    return (outer if is_passed else None), ()


def _order(node: exp.Select, scope: Scope) -> tuple[Ordering, ...] | None:
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
