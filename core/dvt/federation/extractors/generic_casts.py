"""A query around a query, in which the server makes texts of the columns whose values a driver would spoil."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dvt.identifiers import Relation

_QUERY = Relation("dvt_query")
# In place of a type: the product with one, of which servers of MySQL's family print every digit.
AS_DOUBLE = "1e0"


def with_casts(sql: str, columns: Sequence[tuple[str, str]], dialect: str) -> str:
    """The query, with some columns cast to text.

    Args:
        sql: A query; its text stays as it is.
        columns: All its columns' names, and the type to which each is cast (or AS_DOUBLE), empty where it is not.
        dialect: sqlglot's name of the server's SQL.
    """
    if not any(target for _, target in columns):
        return sql
    select = exp.Select()
    for name, target in columns:
        identifier = exp.to_identifier(name, quoted=True)
        column: exp.Expr = exp.column(identifier)
        if target:
            column = exp.alias_(_changed(column, target), identifier.copy())
        select = select.select(column)
    outer = select.from_(_QUERY.ast()).sql(dialect=dialect)
    return " ".join(["WITH", _QUERY.ast().sql(dialect=dialect), "AS (\n", sql, "\n)", outer])


def _changed(column: exp.Expr, target: str) -> exp.Expr:
    if target == AS_DOUBLE:
        return exp.Mul(this=column, expression=exp.Literal.number(AS_DOUBLE))
    return exp.cast(column, exp.DataType.build(target))
