"""A query in DuckDB's SQL as Spark's, so that both give the same answer; what cannot be is refused by its name.

Nothing is passed on that is not known here: each kind of node is on the list of `spark_words`, and what means another
thing in Spark is said in other words by the rules of `spark_numbers`, `spark_texts` and `spark_times`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from dvt.errors import DvtError, PlanError
from dvt.federation.engines.base import Handle
from dvt.federation.engines.spark_kinds import refuse, with_declared_types, with_type
from dvt.federation.engines.spark_mixtures import MIXTURES
from dvt.federation.engines.spark_numbers import NUMBERS, divisions
from dvt.federation.engines.spark_parquet import duckdb_name
from dvt.federation.engines.spark_texts import TEXTS
from dvt.federation.engines.spark_times import TIMES
from dvt.federation.engines.spark_words import check_words
from dvt.federation.plan.parse import Handles, parse_query
from dvt.federation.stream import ColumnSchema

Rule = Callable[[exp.Expr], exp.Expr | None]
_RULES: tuple[Mapping[type[exp.Expr], Rule], ...] = (MIXTURES, NUMBERS, TEXTS, TIMES)


def spark_sql(sql: str, relations: Mapping[Handle, Sequence[ColumnSchema]], views: Mapping[Handle, str]) -> str:
    """The query for Spark.

    Args:
        sql: One query in DuckDB's SQL, which DuckDB binds over these relations.
        relations: The columns of each relation that it may name.
        views: What each of them is called in Spark.

    Raises:
        UnsupportedError: Something in the query has no words in Spark that mean the same; it is named.
    """
    root = parse_query(sql)
    handles = Handles(relations)
    check_words(root)
    schema: dict[str, object] = {}
    for handle, columns in relations.items():
        named = {column.name: duckdb_name(column.type) or "UNKNOWN" for column in columns}
        schema.setdefault(handle.catalog, {}).setdefault(handle.schema, {})[handle.name] = named  # type: ignore[attr-defined]
    try:
        _with_catalogues(root)
        root = qualify(root, schema=schema, dialect="duckdb", validate_qualify_columns=False)
        with_declared_types(root)
        divisions(root)
        root = annotate_types(root, schema=schema, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise PlanError(f"the query cannot be carried to Spark: {error}", phase="plan") from error
    _check_columns(root, handles, relations)
    for cte in root.find_all(exp.CTE):  # a hint, which changes no answer and which Spark does not know
        cte.set("materialized", None)
    for node in reversed(list(root.dfs())):
        for rules in _RULES:
            rule = rules.get(type(node))
            other = rule(node) if rule is not None else None
            if other is not None:
                node.replace(with_type(other, node.type))
                break
    for table in list(root.find_all(exp.Table)):
        found = handles.of_table(table)
        if found is not None:
            table.set("this", exp.to_identifier(views[found], quoted=True))
            table.set("db", None)
            table.set("catalog", None)
    try:
        return root.sql("spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.UnsupportedError as error:
        raise refuse(root, str(error)) from error


def _with_catalogues(root: exp.Expr) -> None:
    """`cat.t` is short for `cat.main.t`: said in full."""
    for table in root.find_all(exp.Table):
        if table.args.get("db") and not table.args.get("catalog"):
            table.set("catalog", table.args["db"])
            table.set("db", exp.to_identifier("main", quoted=True))


def _check_columns(root: exp.Expr, handles: Handles, relations: Mapping[Handle, Sequence[ColumnSchema]]) -> None:
    """Refuse columns that Spark does not read. One that nobody names does not matter."""
    unread: dict[str, ColumnSchema] = {}
    for table in root.find_all(exp.Table):
        handle = handles.of_table(table)
        if handle is None:
            continue
        left_out = [column for column in relations[handle] if not duckdb_name(column.type)]
        unread |= {f"{table.alias_or_name}.{column.name}".lower(): column for column in left_out}
        renamed = table.alias_column_names
        if renamed and left_out:
            raise _unread(left_out[0])
        if renamed and len(renamed) != len(relations[handle]):
            raise refuse(table, "it gives new names to all columns of a relation, or to none")
    for named in root.find_all(exp.Column):
        found = unread.get(f"{named.table}.{named.name}".lower())
        if found is not None:
            raise _unread(found)


def _unread(column: ColumnSchema) -> DvtError:
    error = refuse(exp.column(column.name), f"Spark does not read {column.native_type or column.type}")
    error.column = column.name
    return error
