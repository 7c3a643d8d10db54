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
    request = dataclasses.replace(request, predicates=tuple(_plain(predicate) for predicate in request.predicates))
    if request.query is None:
        return _checked(scan_sql(request, dialect), request)
    outer = _checked(scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), dialect), request)
    text = request.query.strip().rstrip(";")
    return " ".join(["WITH", _QUERY.sql(dialect), "AS (\n" + text + "\n)", outer])


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


def _checked(sql: str, request: ExtractionConfig) -> str:
    if _VARIABLE not in sql:
        return sql
    name = next((name for name in request.columns or () if _VARIABLE in name), None)
    raise UnsupportedError(
        f"a name holds {_VARIABLE}, which the server takes for a variable",
        relation=request.label,
        column=name,
        remedy="Give it another name in a view of the source",
    )
