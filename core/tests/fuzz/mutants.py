"""Wrong planners, which the fuzzer has to catch: each pushes what must not be pushed, or has lost one of its rules.

The first ones wrap `plan_query` and add a filter or a limit to its scans, as a naive planner would. The others take one
rule out of the real planner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlglot import exp

import dvt.federation.session
from dvt.connections.comparing import Trust
from dvt.federation.plan.model import QueryPlan, ScanPlan
from dvt.federation.plan.parse import Handles, parse_query

Change = Callable[[exp.Expr, ScanPlan], ScanPlan]


def _left_join(root: exp.Expr, scan: ScanPlan) -> ScanPlan:
    """WHERE conditions on the null-supplying side of a left join go to it."""
    found = []
    for select in root.find_all(exp.Select):
        for join in select.args.get("joins") or ():
            if join.args.get("side") == "LEFT" and _names(join.this, scan):
                found += _conditions(select, join.this.alias_or_name)
    return _filtered(scan, found)


def _text_unequal(root: exp.Expr, scan: ScanPlan) -> ScanPlan:
    """`<>` on text is asked of the source, whatever its collation says."""
    found = []
    for select in root.find_all(exp.Select):
        source = select.args.get("from_")
        if source is not None and not select.args.get("joins") and _names(source.this, scan):
            found += [c for c in _conditions(select, source.this.alias_or_name) if _is_text_unequal(c)]
    return _filtered(scan, found)


def _limit(root: exp.Expr, scan: ScanPlan) -> ScanPlan:
    """LIMIT goes to the source, and the order stays behind."""
    for select in root.find_all(exp.Select):
        source, limit = select.args.get("from_"), select.args.get("limit")
        is_fixed = isinstance(limit, exp.Limit) and isinstance(limit.expression, exp.Literal)
        if source is not None and is_fixed and _names(source.this, scan):
            return replace(scan, limit=int(limit.expression.name))
    return scan


def _shared_filter(root: exp.Expr, scan: ScanPlan) -> ScanPlan:
    """The filter of one reader is used for all readers of a relation."""
    found = []
    for select in root.find_all(exp.Select):
        source = select.args.get("from_")
        if source is not None and not select.args.get("joins") and _names(source.this, scan):
            found += _conditions(select, source.this.alias_or_name)
    return _filtered(scan, found)


def _aggregate_filter(root: exp.Expr, scan: ScanPlan) -> ScanPlan:
    """The condition of an aggregate's FILTER goes to the source."""
    found = []
    for select in root.find_all(exp.Select):
        source = select.args.get("from_")
        if source is not None and _names(source.this, scan):
            for node in select.find_all(exp.Filter):
                found += _bare(node.expression.this, source.this.alias_or_name)
    return _filtered(scan, found)


NAIVE: dict[str, Change] = {
    "the filter of a left join's right side": _left_join,
    "<> under a case-insensitive collation": _text_unequal,
    "a limit without its order": _limit,
    "a shared scan with one reader's filter": _shared_filter,
    "the filter of one aggregate": _aggregate_filter,
}
# What the rule's function says when the rule is gone.
LOST_RULES: dict[str, tuple[str, Any]] = {
    "what rejects NULLs": ("dvt.federation.plan.joins.rejects_nulls", lambda *_: True),
    "what an engine's comparisons are worth": ("dvt.federation.plan.answers._trust", lambda *_: Trust.EXACT),
    "whether a join's condition has to be checked again": ("dvt.federation.plan.members._is_exact", lambda *_: True),
    "how a source tells groups apart": (
        "dvt.federation.plan.merging.key_collations",
        lambda names, _: dict.fromkeys(names, ""),
    ),
    "which side a condition is about": ("dvt.federation.plan.joins._without", lambda *_: True),
}


@contextmanager
def naive(change: Change) -> Iterator[None]:
    """A planner that pushes more than it may."""
    sound = dvt.federation.session.plan_query

    def unsound(sql: str, inputs: Any, describe: Any, **more: Any) -> QueryPlan:
        plan = sound(sql, inputs, describe, **more)
        root = parse_query(sql)
        return replace(plan, scans=tuple(change(root, scan) for scan in plan.scans))

    with patch.object(dvt.federation.session, "plan_query", unsound):
        yield


@contextmanager
def without_rule(name: str) -> Iterator[None]:
    """The planner without one of its rules."""
    target, instead = LOST_RULES[name]
    with patch(target, instead):
        yield


def _names(node: exp.Expr, scan: ScanPlan) -> bool:
    """Whether a FROM item is this scan's relation; files take no filters."""
    is_table = isinstance(node, exp.Table) and not scan.input.file_options
    return is_table and Handles([scan.input.handle]).of_table(node) is not None


def _conditions(select: exp.Select, alias: str) -> list[exp.Expr]:
    where = select.args.get("where")
    return [bare for part in where.this.flatten() for bare in _bare(part, alias)] if where is not None else []


def _bare(condition: exp.Expr, alias: str) -> list[exp.Expr]:
    """A comparison of the alias's columns with something simple, without the alias; else nothing."""
    node = condition.copy()
    columns = list(node.find_all(exp.Column))
    simple = isinstance(node, (exp.Is, exp.EQ, exp.NEQ, exp.GT, exp.LT)) and not list(node.find_all(exp.Func, exp.Cast))
    if not simple or not columns or any(column.table != alias for column in columns):
        return []
    for column in columns:
        column.set("table", None)
    return [node]


def _is_text_unequal(node: exp.Expr) -> bool:
    sides = (node.this, node.expression) if isinstance(node, exp.NEQ) else ()
    return any(isinstance(side, exp.Literal) and side.is_string for side in sides)


def _filtered(scan: ScanPlan, conditions: list[exp.Expr]) -> ScanPlan:
    return replace(scan, predicates=(*scan.predicates, *conditions))
