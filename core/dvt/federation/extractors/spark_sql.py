"""The statement of a scan for Spark's family, where a user's query stays letter for letter as it is."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from dvt.errors import UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.identifiers import Relation

_QUERY = Relation("dvt_query")
# What Spark and Hive replace by a variable's value wherever it stands, in texts and names too.
_VARIABLE = "${"


def spark_sql(request: ExtractionConfig, dialect: str) -> str:
    """The statement that reads a request. A query stands in a WITH, where no other statement is taken.

    Raises:
        UnsupportedError: A name holds what the server would replace.

    >>> from dvt.federation.extractors.base import ExtractionConfig
    >>> print(spark_sql(ExtractionConfig(query="select 1 as a -- one;", limit=5), "spark"))
    WITH `dvt_query` AS (
    select 1 as a -- one
    ) SELECT * FROM `dvt_query` LIMIT 5
    """
    request = askable(request, dialect)
    if request.query is None:
        return scan_sql(request, dialect)
    text = request.query.strip().rstrip(";")
    return " ".join(["WITH", _QUERY.sql(dialect), "AS (\n" + text + "\n)", scan_sql(_outer(request), dialect)])


def askable(request: ExtractionConfig, dialect: str) -> ExtractionConfig:
    """The request without what the server would replace; what a user's query holds is the user's.

    Raises:
        UnsupportedError: A name holds it.
    """
    request = dataclasses.replace(request, predicates=tuple(_plain(predicate) for predicate in request.predicates))
    if _VARIABLE not in scan_sql(_outer(request), dialect):
        return request
    raise UnsupportedError(
        f"a name holds {_VARIABLE}, which the server takes for a variable",
        relation=request.label,
        column=next((name for name in request.columns or () if _VARIABLE in name), None),
        remedy="Give it another name in a view of the source",
    )


def _outer(request: ExtractionConfig) -> ExtractionConfig:
    """The part of a request around its query; all of it where there is none."""
    return request if request.query is None else dataclasses.replace(request, query=None, relation=_QUERY)


def _plain(predicate: exp.Expr) -> exp.Expr:
    """A condition whose texts hold no variable: `concat('$', '{x}')` is put together after they are replaced."""

    def apart(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Literal) and node.is_string and _VARIABLE in str(node.this):
            first, *others = str(node.this).split(_VARIABLE)
            parts = [exp.Literal.string(first + "$"), *(exp.Literal.string("{" + text + "$") for text in others[:-1])]
            parts.append(exp.Literal.string("{" + others[-1]))
            return exp.Anonymous(this="concat", expressions=parts)
        return node

    return predicate.transform(apart)
