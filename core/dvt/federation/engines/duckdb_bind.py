"""What DuckDB says of a query before it runs: whether it is one, its columns, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvt.errors import DvtError, PlanError
from dvt.federation.engines.duckdb_errors import refused, translate


def one_query(cursor: Any, sql: str) -> Any:
    """The one query of a text."""
    import duckdb

    try:
        statements = cursor.extract_statements(sql)
    except duckdb.Error as error:
        raise _with_place(error, sql, cursor, lambda: cursor.extract_statements(sql)) from error
    if len(statements) != 1:
        raise PlanError(f"the model holds {len(statements)} statements", remedy="Leave one query in the model")
    if statements[0].type.name not in ("SELECT", "MULTI"):  # MULTI: a PIVOT, which DuckDB runs in two steps
        raise PlanError("the model is not a query", remedy="Leave one SELECT in the model")
    return statements[0]


def bound(cursor: Any, sql: str, statement: Any) -> Any:
    """The query as DuckDB's relation, whose columns are known; nothing is run."""
    import duckdb

    try:
        return cursor.sql(sql)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise _with_place(error, sql, cursor, lambda: cursor.execute(statement)) from error
    except Exception as error:
        raise translate(error, is_binding=True) from error


def _with_place(error: Exception, sql: str, cursor: Any, again: Callable[[], object]) -> DvtError:
    """The dvt error for a query that is refused; the relation API leaves out where it stands in the text.

    Args:
        error: What was raised.
        sql: The query.
        cursor: Where it was.
        again: Fails in the same way, and says the place.
    """
    import duckdb

    cursor.execute("set errors_as_json = true")
    try:
        again()
    except duckdb.Error as placed:
        return refused(placed, sql)
    return translate(error, is_binding=True)


def check_names(names: list[str], what: str) -> None:
    """Names that DuckDB would silently rename are refused."""
    if not names:
        raise PlanError(f"{what} has no columns", remedy="Give it at least one column")
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.lower())
        if other is not None:
            pair = f"'{name}' twice" if other == name else f"'{other}' and '{name}', which differ only by case"
            raise PlanError(
                f"{what} holds column {pair}",
                column=name,
                phase="compute",
                remedy="Give one of them another name (for a source: through a view there)",
            )
        seen[name.lower()] = name
