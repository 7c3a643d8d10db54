"""Projects that join Databricks (a stand-in), Spark and Hive (real servers) with a DuckDB file, run as a user does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("databricks.sql")

from fault.kit import PROJECT, Faulty
from servers.databricks import TOKEN as DATABRICKS_TOKEN
from servers.databricks import output as databricks_output
from servers.databricks import running as running_databricks
from servers.databricks_service import Warehouse
from servers.spark import TOKEN as SPARK_TOKEN
from servers.spark import SparkServer

import dvt

pytestmark = pytest.mark.slow

WEB = """\
  - name: {name}
    config: {{meta: {{connection: {name}}}}}
    schema: {schema}
    tables:
      - name: events
        config: {{loaded_at_field: seen, freshness: {{warn_after: {{count: 1, period: hour}}}}}}
        columns:
          - name: customer
            data_tests: [not_null, {{accepted_values: {{arguments: {{values: [1], quote: false}}}}}}]
"""
CRM = """\
  - name: crm
    schema: main
    tables: [{name: customers}]
"""
MODEL = """\
select c.name, e.kind, count(*) as n, sum(e.amount) as amount, max(e.day) as last_day
from {{ source('NAME', 'events') }} e join {{ source('crm', 'customers') }} c on c.id = e.customer
where e.day >= date '2024-01-02' and e.kind = 'buy'
group by 1, 2
"""
COPY = "select day, customer, kind, amount from {{ source('NAME', 'events') }}"
# The same rows in DuckDB's SQL, which is asked what is right, and in Spark's.
EVENTS = (
    "select cast(date '2024-01-01' + interval 1 day * (n // 1000) as date) as day,"
    " timestamptz '2024-01-01 00:00:00+00' + interval 1 second * n as seen, cast(n % 7 as int) as customer,"
    " case when n % 3 = 0 then 'buy' else 'view' end as kind,"
    " case when n % 5 = 0 then null else cast(n as decimal(18, 2)) / 8 end as amount from range(5000) t(n)"
)
SPARK_EVENTS = (
    "select cast(date_add(date'2024-01-01', cast(id div 1000 as int)) as date) as day,"
    " timestamp'2024-01-01 00:00:00Z' + interval '1' second * id as seen, cast(id % 7 as int) as customer,"
    " if(id % 3 = 0, 'buy', 'view') as kind, if(id % 5 = 0, null, cast(id / 8 as decimal(18, 3))) as amount"
    " from range(5000)"
)


@pytest.fixture
def lake() -> Iterator[Warehouse]:
    with running_databricks() as warehouse:
        warehouse.execute("create schema lake.sales", f"create table lake.sales.events as {SPARK_EVENTS}")
        yield warehouse


def project(folder: Path, schemas: dict[str, str], outputs: dict[str, dict[str, Any]]) -> Faulty:
    """A project with a join and a copy of the events of each connection."""
    file = folder / "crm.duckdb"
    with duckdb.connect(str(file)) as own:
        own.execute("create table customers as select range as id, 'c' || range as name from range(5)")
    warehouse = {"type": "duckdb", "path": str(file), "schema": "main"}
    made = Faulty(folder, {"warehouse": warehouse, **outputs}, secrets=[DATABRICKS_TOKEN, SPARK_TOKEN])
    sources = [WEB.format(name=name, schema=schema) for name, schema in schemas.items()]
    made.write(dbt_project__yml=PROJECT, models__sources__yml="".join(["sources:\n", *sources, CRM]))
    for name in schemas:
        made.write(**{
            f"models__m_{name}__sql": MODEL.replace("NAME", name),
            f"models__copy_{name}__sql": COPY.replace("NAME", name),
        })  # fmt: skip
    made.write_profile()
    return made


def check(made: Faulty, *names: str) -> None:
    """The same question, asked of the same rows in DuckDB."""
    made.run("run", code=0)
    with duckdb.connect(str(made.folder / "crm.duckdb"), read_only=True) as own:
        expected = own.execute(
            "select 'c' || customer, kind, count(*), sum(cast(amount as decimal(18, 3))), max(day) from"
            f" ({EVENTS}) where day >= date '2024-01-02' and kind = 'buy' and customer < 5 group by 1, 2 order by 1"
        ).fetchall()
        whole = own.execute(
            f"select count(*), sum(cast(amount as decimal(18, 3))), count(amount), max(day) from ({EVENTS})"
        ).fetchall()
        for name in names:
            found = own.execute(f"select name, kind, n, amount, last_day from m_{name} order by 1").fetchall()
            assert found == expected
            found = own.execute(f"select count(*), sum(amount), count(amount), max(day) from copy_{name}").fetchall()
            assert found == whole
    tested = made.run("test", code=1).output  # of the source, on the source itself
    assert tested.count("Got 6 results") == len(names)
    fresh = made.run("source", "freshness", code=0).output
    made.run("docs", "generate", code=0)
    catalog = json.loads((made.folder / "target" / "catalog.json").read_text())
    for name in names:
        assert f"WARN freshness of {name}.events" in fresh
        told = catalog["sources"][f"source.faults.{name}.events"]["columns"]
        columns = {column.lower(): found for column, found in told.items()}
        assert columns["amount"]["type"] == "decimal(18,3)"
    made.check_secrets()


def test_databricks_joins_a_file(tmp_path: Path, lake: Warehouse) -> None:
    made = project(tmp_path, {"web": "sales"}, {"web": databricks_output(lake)})
    lake.taken()
    made.run("run", "--select", "m_web", code=0)  # alone: both models would share one read
    everything = lake.taken()
    asked = [sql for sql in everything if "WHERE" in sql]
    assert asked, everything
    assert all("`kind` = 'buy'" in sql and "CAST('2024-01-02' AS DATE)" in sql for sql in asked)
    check(made, "web")
    said = made.run("debug", code=0).output
    assert "ok    web (databricks)" in said
    with dvt.read("web", "select 1 as one", profiles_dir=tmp_path, profile="faults") as rows:
        assert rows.to_table().to_pylist() == [{"one": 1}]


@pytest.mark.spark
def test_spark_and_hive_join_a_file(tmp_path: Path, spark_server: SparkServer) -> None:
    """One project that reads both, since each command of it costs seconds."""
    schemas = {name: spark_server.database(f"e2e_{name}") for name in ("spark", "hive")}
    for schema in schemas.values():
        spark_server.execute(f"create table {schema}.events using parquet as {SPARK_EVENTS}")
    spark = spark_server.output(schema=schemas["spark"])
    made = project(tmp_path, schemas, {"spark": spark, "hive": spark_server.hive_output(schema=schemas["hive"])})
    check(made, "spark", "hive")
    said = made.run("debug", code=0).output
    assert "ok    spark (spark)" in said
    assert "ok    hive (hive)" in said
