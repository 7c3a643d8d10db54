"""What a query could have meant: the columns that its inputs have."""

from __future__ import annotations

import re
from collections.abc import Callable

from dvt.errors import PlanError, nearest
from dvt.federation.plan.model import Input, QueryPlan
from dvt.federation.stream import ColumnSchema

# The engine's words. What it suggests itself is taken from the columns that were read, not from all of a source's.
_MISSING = re.compile(r'Referenced column "(?P<name>(?:[^"]|"")*)" not found')
_MOST = 30


def add_hint(error: PlanError, plan: QueryPlan, describe: Callable[[Input], list[ColumnSchema]]) -> None:
    """Put the nearest column, and where the query's columns come from, into the remedy of an error about one.

    Args:
        error: What the engine said.
        plan: The query's plan.
        describe: Gives an input's columns.
    """
    found = _MISSING.search(error.message)
    if found is None or not plan.scans:
        return
    columns = {column.name for scan in plan.scans for column in describe(scan.input)}
    read = ", ".join(sorted({f"{s.input.relation} of connection {s.input.connection.name}" for s in plan.scans}))
    hint = nearest(found["name"].replace('""', '"'), columns)
    few = hint if len(columns) <= _MOST or hint.startswith("did") else f"none of {len(columns)} columns is near"
    error.message = error.message.splitlines()[0]
    error.remedy = f"Correct the model's SQL, which reads {read}: {few}"
