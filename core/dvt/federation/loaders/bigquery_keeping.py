"""What a BigQuery table keeps when it is replaced: partitions, clustering, description, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from dvt.identifiers import quote, quote_all

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_TRUNC = {"DATE": "DATE_TRUNC", "DATETIME": "DATETIME_TRUNC", "TIMESTAMP": "TIMESTAMP_TRUNC"}


def kept(table: Table) -> tuple[list[str], list[str]]:
    """The words of CREATE TABLE for a table's layout, and for its options; each empty where there is nothing to say.

    Args:
        table: The client's description of it.
    """
    return [*_partitions(table), *_clusters(table)], _options(table)


def _partitions(table: Table) -> list[str]:
    by_time, by_range = table.time_partitioning, table.range_partitioning
    if by_range is not None:
        bounds = ", ".join(str(int(n)) for n in (by_range.range_.start, by_range.range_.end, by_range.range_.interval))
        column = quote(by_range.field, "bigquery")
        return [f"partition by range_bucket({column}, generate_array({bounds}))"]
    if by_time is None:
        return []
    if by_time.field is None:  # by the time of loading
        whole = "_PARTITIONDATE" if by_time.type_ == "DAY" else f"TIMESTAMP_TRUNC(_PARTITIONTIME, {_unit(by_time)})"
        return ["partition by", whole]
    column = quote(by_time.field, "bigquery")
    type_ = next((f.field_type for f in table.schema if f.name.lower() == by_time.field.lower()), "DATE")
    if type_ == "DATE" and by_time.type_ == "DAY":
        return ["partition by", column]
    return ["partition by", f"{_TRUNC[type_]}({column}, {_unit(by_time)})"]


def _unit(by_time: Any) -> str:
    return {"HOUR": "HOUR", "MONTH": "MONTH", "YEAR": "YEAR"}.get(by_time.type_, "DAY")


def _clusters(table: Table) -> list[str]:
    fields = table.clustering_fields
    return ["cluster by", quote_all(fields, "bigquery")] if fields else []


def _options(table: Table) -> list[str]:
    said = []
    if table.description:
        said.append("description = " + _literal(table.description))
    if table.labels:
        pairs = ", ".join(f"({_literal(key)}, {_literal(value)})" for key, value in table.labels.items())
        said.append(f"labels = [{pairs}]")
    if table.friendly_name:
        said.append("friendly_name = " + _literal(table.friendly_name))
    partitioning = table.time_partitioning
    if partitioning is not None and partitioning.expiration_ms:
        said.append(f"partition_expiration_days = {partitioning.expiration_ms / 86_400_000!r}")
    if table.require_partition_filter:
        said.append("require_partition_filter = true")
    return ["options (" + ", ".join(said) + ")"] if said else []


def _literal(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="bigquery")
