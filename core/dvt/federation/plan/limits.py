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
    own, order = _own_limit(node), ordering(node, scope)
    if order and scope.sources[0].handle is None:
        order = None  # the order of a query's result, which that query may not keep
    # A condition that does not arrive at the source as it stands would be applied to fewer rows.
    if own is not None and order is not None and all(scope.places(part) for part in where):
        return own, order
    is_passed = not (where or demands or any(node.args.get(key) for key in ("order", "limit", "offset")))
    return (outer if is_passed else None), ()


def ordering(node: exp.Select, scope: Scope) -> tuple[Ordering, ...] | None:
    """The source's columns, in lower case, by which a SELECT is ordered; None when it is by something else too."""
    clause = node.args.get("order")
    found: list[Ordering] = []
    for item in clause.expressions if clause is not None else ():
        column = item.this
        if isinstance(column, exp.Column) and not column.table:
            # In ORDER BY a name is first of all one of the result's.
            named_so = [other for other in node.expressions if other.alias.lower() == column.name.lower()]
            column = named_so[0].unalias() if len(named_so) == 1 else None if named_so else column
        place = scope.resolve(column) if isinstance(column, exp.Column) else None
        if place is None or item.args.get("with_fill"):
            return None
        found.append(Ordering(place[1], bool(item.args.get("desc")), bool(item.args.get("nulls_first"))))
    return tuple(found)


def _own_limit(node: exp.Select) -> int | None:
    offset = node.args.get("offset")
    limit, skipped = limit_of(node), _number(offset.expression) if offset is not None else 0
    return limit + skipped if limit is not None and skipped is not None else None


def limit_of(node: exp.Select) -> int | None:
    """The number of a SELECT's LIMIT; None when it has none, or one that is not a plain number of rows."""
    limit = node.args.get("limit")
    is_plain = isinstance(limit, exp.Limit) and not limit.args.get("limit_options")
    return _number(limit.expression) if limit is not None and is_plain else None


def _number(value: exp.Expr) -> int | None:
    is_number = isinstance(value, exp.Literal) and not value.is_string and value.this.isdigit()
    return int(value.this) if is_number else None
