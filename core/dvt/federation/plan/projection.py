"""Which columns of each input a query needs.

A column is left out only when its name stands nowhere in the statement and no star, whole row or position makes it
count. That is decided by name over the whole statement, without resolving scopes: a column too many costs a little,
a column too few would change an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.parse import Handles, parse_query, tokens
from dvt.federation.plan.star_reach import StarReach

Needed = tuple[tuple[str, ...] | None, str]

# DuckDB calls the second `id` of a derived table `id_1`.
_NUMBERED = re.compile(r"(?P<base>.+)[_:]\d+$", re.DOTALL)


def needed_columns(sql: str, tables: Mapping[Handle, Sequence[str]]) -> dict[Handle, Needed]:
    """The columns to read of each relation that a query mentions.

    Args:
        sql: One query in DuckDB's SQL.
        tables: Columns of every relation that it may mention, in their order.

    Returns:
        By handle: the columns in the relation's order and "", or None for all of them and the reason. A relation
        that the query does not mention is left out.

    Raises:
        PlanError: The query cannot be parsed.

    >>> h = Handle("crm", "public", "customers")
    >>> needed_columns("select count(*) from crm.public.customers where city = 'x'", {h: ["id", "city"]})
    {Handle(catalog='crm', schema='public', name='customers'): (('city',), '')}
    """
    root = parse_query(sql)
    handles = Handles(tables)
    blocked = StarReach(root, handles).blocked
    names = _names(sql)
    excluded = _excluded(root)
    needed: dict[Handle, Needed] = {}
    for handle in sorted(handles.mentioned(root)):
        if handle in blocked:
            needed[handle] = None, blocked[handle]
        else:
            needed[handle] = _kept(tables[handle], names, excluded), ""
    return needed


def _kept(columns: Sequence[str], names: set[str], excluded: set[str]) -> tuple[str, ...]:
    kept = [column for column in columns if column.lower() in names]
    if all(column.lower() in excluded for column in kept):
        # Rows count also when no column does; and `* exclude (a)` must not be left with nothing.
        spare = next((column for column in columns if column.lower() not in excluded), None)
        kept += [spare] if spare is not None else [] if kept else list(columns[:1])
    return tuple(column for column in columns if column in kept)


def _names(sql: str) -> set[str]:
    """Every word of the statement, keywords and strings too: `current_date` is a column if there is one."""
    names: set[str] = set()
    for token in tokens(sql):
        name: str | None = token.text.lower()
        while name and name not in names:
            names.add(name)
            numbered = _NUMBERED.match(name)
            name = numbered["base"] if numbered else None
    return names


def _excluded(root: exp.Expr) -> set[str]:
    """The names that some `* exclude (...)` takes away."""
    found: set[str] = set()
    for star in root.find_all(exp.Star):
        for item in star.args.get("except_") or ():
            found |= {identifier.name.lower() for identifier in item.find_all(exp.Identifier)}
    return found
