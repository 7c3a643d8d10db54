"""A query around a query, in which the server makes texts of the columns whose values a driver would spoil."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from dvt.identifiers import Relation

_QUERY = Relation("dvt_query")


def with_casts(sql: str, columns: Sequence[tuple[str, bool]], dialect: str) -> str:
    """The query, with some columns cast to text.

    Args:
        sql: A query; its text stays as it is.
        columns: All its columns' names, and whether each is to be cast.
        dialect: sqlglot's name of the server's SQL.
    """
    if not any(is_cast for _, is_cast in columns):
        return sql
    select = exp.Select()
    for name, is_cast in columns:
        identifier = exp.to_identifier(name, quoted=True)
        column: exp.Expr = exp.column(identifier)
        if is_cast:
            column = exp.alias_(exp.cast(column, exp.DataType.Type.TEXT), identifier.copy())
        select = select.select(column)
    outer = select.from_(_QUERY.ast()).sql(dialect=dialect)
    return " ".join(["WITH", _QUERY.ast().sql(dialect=dialect), "AS (\n", sql, "\n)", outer])
