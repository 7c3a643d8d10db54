"""SQL around the project's own SQL: the few statements in which a compiled query is used whole."""

from __future__ import annotations

from typing import Any


def select_all(query: str, limit: int | None = None) -> str:
    """All columns of a query's first rows; the query itself stays letter for letter."""
    bound = "" if limit is None else " limit " + str(int(limit))
    return "\n".join(["select * from (", query, ") as dvt_rows" + bound])


def select_from(relation: Any) -> str:
    """All columns of a relation that dbt has rendered."""
    return " ".join(["select * from", str(relation)])
