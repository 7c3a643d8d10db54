"""The SELECT of a scan request, built as an AST and rendered in the source's dialect."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from dvt.errors import PlanError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.identifiers import Relation


def scan_sql(request: ExtractionConfig, dialect: str, expressions: Mapping[str, exp.Expr] | None = None) -> str:
    """The statement that reads a request.

    Args:
        request: The scan request.
        dialect: sqlglot dialect of the source.
        expressions: For columns that are not read as they stand (a cast that keeps a value exact), the expression
            to read, by column name; it is given the column's name again.

    Returns:
        A query given by the user is sent untouched unless columns, predicates, a limit or expressions ask for more:
        then it becomes a derived table.
    """
    expressions = expressions or {}
    asks_more = bool(request.columns or request.predicates or request.limit is not None or expressions)
    if request.query is not None and not asks_more:
        return request.query.strip().rstrip(";")
    select = exp.Select()
    if request.columns is None and not expressions:
        select = select.select(exp.Star())
    else:
        names = request.columns if request.columns is not None else tuple(expressions)
        select = select.select(*(_column(name, expressions) for name in names))
    if request.relation is not None:
        select = select.from_(request.relation.ast())
    else:
        select = select.from_(_derived(request.query or "", dialect))
    for predicate in request.predicates:
        select = select.where(predicate.copy())
    for item in request.order if request.limit is not None else ():
        column = exp.column(exp.to_identifier(item.column, quoted=True))
        select = select.order_by(exp.Ordered(this=column, desc=item.is_descending, nulls_first=item.nulls_first))
    if request.limit is not None:
        select = select.limit(request.limit)
    return select.sql(dialect=dialect)


def count_sql(relation: Relation, dialect: str) -> str:
    """`select count(*)` of a relation."""
    return exp.Select().select(exp.Count(this=exp.Star())).from_(relation.ast()).sql(dialect=dialect)


def _column(name: str, expressions: Mapping[str, exp.Expr]) -> exp.Expr:
    column = exp.column(exp.to_identifier(name, quoted=True))
    if name in expressions:
        return exp.alias_(expressions[name], exp.to_identifier(name, quoted=True))
    return column


def _derived(query: str, dialect: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse_one(query, read=dialect)
    except sqlglot.errors.ParseError as error:
        raise PlanError(f"the query cannot be parsed as {dialect}: {error}", remedy="Correct the query") from error
    if not isinstance(parsed, exp.Query):
        raise PlanError("the query is not a SELECT", remedy="Give a query that returns rows")
    return parsed.subquery(alias="dvt_query", copy=False)
