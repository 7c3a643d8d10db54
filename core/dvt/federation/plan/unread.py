"""Relations of which a query needs no row at all, which is how dbt's `--empty` asks for them.

dbt writes `(select * from t where false limit 0)` where a model names `t`. That is seen by form, so that it also holds
where pushdown is off: who asks for an empty build does not expect that a source is read to its end.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.limits import limit_of
from dvt.federation.plan.model import Decision, Input, ScanPlan
from dvt.federation.plan.needed_rows import reads_by_name
from dvt.federation.plan.parse import Handles
from dvt.federation.plan.scopes import conjuncts, is_plain_select


def unread(root: exp.Expr, handles: Handles) -> set[Handle]:
    """The relations that a query reads only where no row of them can count."""
    found: set[Handle] = set()
    read = {handle for column in root.find_all(exp.Column) if (handle := handles.of_column(column)) is not None}
    for table in root.find_all(exp.Table):
        handle = handles.of_table(table)
        if handle is not None:
            (found if _is_of_no_rows(table) else read).add(handle)
    return found - read if not reads_by_name(root) else set()


def without_rows(input_: Input, columns: tuple[str, ...] | None, reason: str) -> ScanPlan:
    """The scan of a relation of which only the columns are wanted."""
    return ScanPlan(input_, columns, "", reason, limit=0, decisions=(Decision("no rows", True, True),))


def is_false(conditions: Iterable[exp.Expr]) -> bool:
    """Whether one of some conditions, which all have to be true, is `false`."""
    return any(isinstance(part, exp.Boolean) and not part.this for part in conditions)


def _is_of_no_rows(table: exp.Table) -> bool:
    """Whether a relation stands in the FROM of a SELECT that keeps no row of it."""
    clause = table.parent
    select = clause.parent if isinstance(clause, (exp.From, exp.Join)) and clause.this is table else None
    if not isinstance(select, exp.Select) or not is_plain_select(select) or table.args.get("pivots"):
        return False
    where = select.args.get("where")
    return limit_of(select) == 0 or is_false(conjuncts(where.this if where is not None else None))
