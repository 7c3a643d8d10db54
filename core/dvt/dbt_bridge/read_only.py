"""What is said to a macro that wants to change something where a federated model may only read."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dvt.errors import PlanError
from dvt.federation.plan.model import Input
from dvt.federation.plan.parse import Handles, is_query, statements

_SHOWN_CHARACTERS = 120


def refused_of_macro(sql: str, inputs: Iterable[Input]) -> PlanError:
    """The error for a macro's SQL that is not one query.

    Args:
        sql: What the macro gave to `run_query` or `statement`; it parses.
        inputs: The relations that it may name.
    """
    parsed = statements(sql)
    others = [statement for statement in parsed if not is_query(statement)]
    if not others:
        return PlanError(
            f"a macro runs {len(parsed)} queries in one call", phase="compile", remedy="Give each its own run_query"
        )
    by_handle = {found.handle: found for found in inputs}
    handles = Handles(by_handle)
    named = [by_handle[handle] for handle in sorted(set().union(*map(handles.mentioned, others)))]
    relations = " and ".join(f"{found.source_name} of connection {found.connection.name}" for found in named)
    owners = {found.connection.name for found in named}
    owner = f"connection {owners.pop()}" if len(owners) == 1 else "the connection that owns the relation"
    does = "runs what is not a query" if isinstance(others[0], exp.Command) else "tries to change a relation"
    return PlanError(
        f"a macro {does} through the engine, which may only read {relations or 'there'}: {_shown(sql)}",
        phase="compile",
        remedy=f"Do it in a hook (pre_hook or post_hook) of a model that lands on {owner}",
    )


def _shown(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
