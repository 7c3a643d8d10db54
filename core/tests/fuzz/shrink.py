"""A difference made small: parts of the query and rows of the tables are taken away while the answers still differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp

from fuzz.schema import Table

_MOST_QUERY_STEPS = 300
_MOST_ROW_STEPS = 60


def shrink_query(sql: str, differs: Callable[[str], bool]) -> str:
    """The smallest query that greedy removal finds; each is run, so one that does not bind is just no step."""
    steps = 0
    is_smaller = True
    while is_smaller and steps < _MOST_QUERY_STEPS:
        is_smaller = False
        for candidate in _smaller(sql):
            steps += 1
            if steps >= _MOST_QUERY_STEPS:
                break
            if len(candidate) < len(sql) and differs(candidate):
                sql, is_smaller = candidate, True
                break
    return sql


def _smaller(sql: str) -> Iterator[str]:
    """Every query that is the given one without one part."""
    root = sqlglot.parse_one(sql, read="duckdb")
    for index, node in enumerate(root.walk()):
        for change in _changes(node):
            copy = root.copy()
            twin = next(n for i, n in enumerate(copy.walk()) if i == index)
            holder = exp.Subquery(this=copy)  # so that the root can be replaced too
            change(twin)
            if holder.this is not None:
                yield holder.this.sql(dialect="duckdb")


def _changes(node: exp.Expr) -> Iterator[Callable[[exp.Expr], object]]:
    if isinstance(node, (exp.And, exp.Or)):
        yield lambda n: n.replace(n.left)
        yield lambda n: n.replace(n.right)
    if isinstance(node, (exp.Not, exp.Paren)):
        yield lambda n: n.replace(n.this)
    if isinstance(node, (exp.SetOperation,)):
        yield lambda n: n.replace(n.this)
        yield lambda n: n.replace(n.expression)
    if isinstance(node, (exp.Where, exp.Having, exp.Order, exp.Limit, exp.Offset, exp.Qualify, exp.Distinct, exp.With)):
        yield lambda n: n.pop()
    if isinstance(node, (exp.Join, exp.CTE)):
        yield lambda n: n.pop()
    if isinstance(node, exp.Filter):
        yield lambda n: n.replace(n.this)
    if isinstance(node, exp.Select) and len(node.expressions) > 1:
        for position in range(len(node.expressions)):
            yield lambda n, p=position: n.expressions[p].pop()  # type: ignore[misc]
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select) and not node.this.args.get("where"):
        source = node.this.args.get("from_") or node.this.args.get("from")
        if source is not None and isinstance(source.this, exp.Table):
            yield lambda n, s=source: n.replace(
                exp.alias_(s.this.copy(), n.alias, table=True) if n.alias else s.this.copy()
            )  # type: ignore[misc]
    if isinstance(node, (exp.Coalesce, exp.Lower, exp.Upper, exp.Trim)):
        yield lambda n: n.replace(n.this)


def shrink_rows(tables: Sequence[Table], differs: Callable[[list[Table]], bool]) -> list[Table]:
    """The same tables with fewer rows: halves first, then single rows."""
    current = list(tables)
    steps = 0
    for index in range(len(current)):
        size = max(len(current[index].rows) // 2, 1)
        while size and current[index].rows and steps < _MOST_ROW_STEPS:
            start, is_smaller = 0, False
            while start < len(current[index].rows) and steps < _MOST_ROW_STEPS:
                rows = current[index].rows
                fewer = [*current]
                fewer[index] = replace(current[index], rows=rows[:start] + rows[start + size :])
                steps += 1
                if differs(fewer):
                    current, is_smaller = fewer, True
                else:
                    start += size
            if not is_smaller or size > len(current[index].rows):
                size //= 2
    return current
