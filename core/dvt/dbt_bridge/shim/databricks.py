"""Databricks behind the shim adapter: what dbt runs there by itself, beside what dvt loads."""

from __future__ import annotations

from dvt.dbt_bridge.shim.spark import SparkDialect
from dvt.dbt_bridge.shim.writing import WritingDialect


class DatabricksDialect(SparkDialect, WritingDialect):
    """Databricks: its catalogue is asked as Spark's, and its statements are the loader's."""
