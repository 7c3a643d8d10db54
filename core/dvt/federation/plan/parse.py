"""Parsing a federated query, and finding the handles in it. The text that runs is always the user's own."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp

from dvt.errors import NotAQueryError, PlanError
from dvt.federation.engines.base import Handle
from dvt.federation.plan.syntax_errors import what_is_wrong

# `summarize t`, `describe t` and `pivot t` are queries to DuckDB, though not to sqlglot.
_QUERIES = (exp.Query, exp.Summarize, exp.Describe, exp.Pivot, exp.Values)


def parse_query(sql: str) -> exp.Expr:
    """The query as a syntax tree.

    Raises:
        PlanError: It cannot be parsed (with line and column).
        NotAQueryError: It is not one query.
    """
    parsed = statements(sql)
    if len(parsed) != 1:
        raise NotAQueryError(f"the model holds {len(parsed)} statements", phase="plan", remedy="Leave one query in it")
    if not is_query(parsed[0]):
        raise NotAQueryError("the model is not a query", phase="plan", remedy="Leave one SELECT in it")
    return parsed[0]


def statements(sql: str) -> list[exp.Expr]:
    """The statements of a text, each as a syntax tree.

    Raises:
        PlanError: It cannot be parsed (with line and column).
    """
    try:
        return [statement for statement in sqlglot.parse(sql, read="duckdb") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        text = f"the query cannot be parsed: {what_is_wrong(sql, error)}"
        raise PlanError(text, phase="plan", remedy="Correct the model's SQL (DuckDB dialect)") from error
    except RecursionError as error:
        raise PlanError("the query is nested too deeply", phase="plan", remedy="Split the model") from error


def is_query(statement: exp.Expr) -> bool:
    """Whether a statement gives rows and changes nothing."""
    return isinstance(statement, _QUERIES)


def tokens(sql: str) -> list[sqlglot.Token]:
    """The tokens of a query that parses."""
    return sqlglot.tokenize(sql, read="duckdb")


class Handles:
    """The known handles by their names; DuckDB compares names without regard to case, an exact match comes first."""

    def __init__(self, handles: Iterable[Handle]) -> None:
        self._exact = {(h.catalog, h.schema, h.name): h for h in handles}
        self._folded: dict[tuple[str, ...], list[Handle]] = {}
        for key, handle in self._exact.items():
            self._folded.setdefault(tuple(part.lower() for part in key), []).append(handle)

    def find(self, catalog: str, schema: str, name: str) -> Handle | None:
        """The handle of a three-part name, None when it is not one.

        Raises:
            PlanError: Several handles differ from the name by case only.
        """
        if (catalog, schema, name) in self._exact:
            return self._exact[catalog, schema, name]
        found = self._folded.get((catalog.lower(), schema.lower(), name.lower()), [])
        if len(found) > 1:
            raise PlanError(f"{catalog}.{schema}.{name} may be several relations, which differ by case", phase="plan")
        return found[0] if found else None

    def of_table(self, table: exp.Table) -> Handle | None:
        """The handle that a table reference names, None when it is something else (a CTE, a function)."""
        if not table.db or not isinstance(table.this, exp.Identifier):
            return None
        if not table.catalog:  # `cat.t` is short for `cat.main.t`
            return self.find(table.db, "main", table.name)
        return self.find(table.catalog, table.db, table.name)

    def of_column(self, column: exp.Column) -> Handle | None:
        """The handle that is named where a value is expected: `histogram_values(cat.s.t, a)`."""
        if not column.args.get("db") or column.args.get("catalog") or not isinstance(column.this, exp.Identifier):
            return None
        return self.find(column.text("db"), column.text("table"), column.name)

    def mentioned(self, root: exp.Expr) -> set[Handle]:
        """Every handle that occurs in a query."""
        found = {self.of_table(table) for table in root.find_all(exp.Table)}
        found |= {self.of_column(column) for column in root.find_all(exp.Column)}
        return {handle for handle in found if handle is not None}
