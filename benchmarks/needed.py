"""What a query needs of its tables: rows that pass its own conditions on one table, in the columns that it uses.

A condition counts when it is a conjunct of WHERE, or of ON for the right side of a left join, over one instance of a
table and without a subquery. A table that stands several times counts once, with the rows that any of its instances
needs. Keys of the other side of a join (semi-join reduction) are not counted, nor conditions that follow from others
(the OR of query 19): a planner that uses them moves less than this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Needed:
    """What is needed of one table.

    Args:
        columns: Its columns that the query uses.
        condition: Which rows; None for all.
    """

    columns: tuple[str, ...]
    condition: str | None

    def sql(self, table: str) -> str:
        """The query that reads it."""
        select = exp.select(*(exp.column(name, quoted=True) for name in self.columns)).from_(table)
        return (select.where(self.condition, dialect="duckdb") if self.condition else select).sql(dialect="duckdb")


def needed(sql: str, tables: Tables) -> dict[str, Needed]:
    """What a query over plain table names needs, by table.

    Args:
        sql: In DuckDB's SQL.
        tables: Columns and types of each table.
    """
    schema = {table: dict(columns) for table, columns in tables.items()}
    parsed = sqlglot.parse_one(sql, read="duckdb")
    for exists in parsed.find_all(exp.Exists):
        exists.this.set("expressions", [exp.Literal.number(1)])  # its star is no use of columns
    root = qualify(parsed, schema=schema, dialect="duckdb")
    used: dict[str, set[str]] = {}
    ways: dict[str, list[list[exp.Expr]]] = {}
    for scope in traverse_scope(root):
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table) or alias not in scope.selected_sources:
                continue
            columns = [
                c for c in scope.expression.find_all(exp.Column) if c.table == alias and c.name in schema[source.name]
            ]
            used.setdefault(source.name, set()).update(column.name for column in columns)
            ways.setdefault(source.name, []).append(_conditions(scope, alias))
    return {table: Needed(_in_order(used[table], schema[table]), _any(ways[table])) for table in used}


def measured(database: Any, wanted: Mapping[str, Needed]) -> tuple[int, int]:
    """Rows and Arrow bytes of all that is needed, counted in a DuckDB that holds the tables."""
    found = [database.sql(need.sql(table)).to_arrow_table() for table, need in wanted.items()]
    return sum(table.num_rows for table in found), sum(table.nbytes for table in found)


def _conditions(scope: Scope, alias: str) -> list[exp.Expr]:
    select = scope.expression
    where = select.args.get("where")
    parts = list(where.this.flatten()) if where is not None and isinstance(where.this, exp.And) else []
    parts += [where.this] if where is not None and not parts else []
    for join in select.args.get("joins") or ():
        on = join.args.get("on")
        if on is not None and join.alias_or_name == alias:
            parts += list(on.flatten()) if isinstance(on, exp.And) else [on]
    return [bare for part in parts if (bare := _bare(part, alias)) is not None]


def _bare(condition: exp.Expr, alias: str) -> exp.Expr | None:
    """The condition without the alias, when it is on this instance alone."""
    columns = list(condition.find_all(exp.Column))
    if not columns or condition.find(exp.Query) or any(column.table != alias for column in columns):
        return None
    bare = condition.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
    return bare


def _any(ways: list[list[exp.Expr]]) -> str | None:
    if not all(ways):
        return None
    distinct = {exp.and_(*parts).sql(dialect="duckdb"): exp.and_(*parts) for parts in ways}
    return exp.or_(*distinct.values()).sql(dialect="duckdb")


def _in_order(names: set[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    # Rows that count without any column are read by one.
    return tuple(name for name in columns if name in names) or (next(iter(columns)),)
