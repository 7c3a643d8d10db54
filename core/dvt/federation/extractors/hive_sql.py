"""The statement of a scan for Hive, where a user's query stays as it is and can be nothing but a query."""

from __future__ import annotations

import dataclasses

import sqlglot
from sqlglot import exp

from dvt.errors import PlanError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.spark_sql import spark_sql

_QUERY = "dvt_query"


def hive_sql(request: ExtractionConfig) -> str:
    """The statement that reads a request. Hive takes no WITH within another: its parts then stand before the query's.

    >>> from dvt.federation.extractors.base import ExtractionConfig
    >>> hive_sql(ExtractionConfig(query="with x as (select 1 as a) select a from x", limit=0))
    'WITH x AS (SELECT 1 AS a), `dvt_query` AS (SELECT a FROM x) SELECT * FROM `dvt_query` LIMIT 0'
    """
    if request.query is None or not request.query.lstrip().lower().startswith("with"):
        return spark_sql(request, "hive")
    try:
        query = sqlglot.parse_one(request.query, read="hive")
    except sqlglot.errors.ParseError as error:
        raise PlanError(f"the query cannot be parsed as hive: {error}", remedy="Correct the query") from error
    if not isinstance(query, exp.Query):
        raise PlanError("the query is not a SELECT", remedy="Give a query that returns rows")
    parts = query.ctes
    query.set("with_", None)
    query.set("with", None)
    outer = spark_sql(dataclasses.replace(request, query="select 1"), "hive")
    listed = [*(part.sql(dialect="hive") for part in parts), f"`{_QUERY}` AS ({query.sql(dialect='hive')})"]
    return " ".join(["WITH", ", ".join(listed), outer.partition("\n) ")[2]])
