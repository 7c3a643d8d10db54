"""The statement of a scan where a user's query stays letter for letter as it is, and can be nothing but a query."""

from __future__ import annotations

import dataclasses

from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.identifiers import Relation

_QUERY = Relation("dvt_query")


def wrapped_sql(request: ExtractionConfig, dialect: str) -> str:
    """The statement that reads a request. A query stands in a WITH, where no other statement is taken.

    >>> from dvt.federation.extractors.base import ExtractionConfig
    >>> print(wrapped_sql(ExtractionConfig(query="select 1 as a -- one;", limit=5), "spark"))
    WITH `dvt_query` AS (
    select 1 as a -- one
    ) SELECT * FROM `dvt_query` LIMIT 5
    """
    if request.query is None:
        return scan_sql(request, dialect)
    outer = scan_sql(dataclasses.replace(request, query=None, relation=_QUERY), dialect)
    text = request.query.strip().rstrip(";")
    return " ".join(["WITH", _QUERY.sql(dialect), "AS (\n" + text + "\n)", outer])
