"""Projects that read files on S3 (moto), and that land there, run as a user does."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from e2e.joining import customers_in_sqlite, filled, made, plain, sources
from servers.object_stores import s3_store
from servers.tables_as_files import parquet

pytestmark = pytest.mark.slow

SOURCES = sources(
    lake=({"connection": "lake", "schema": "events"}, filled("orders")),
    crm=({"connection": "crm", "schema": "main"}, plain("customers")),
)
MODEL = """\
select c.name, count(*) as n, sum(o.amount) as amount
from {{ source('lake', 'orders') }} o join {{ source('crm', 'customers') }} c on c.id = o.customer
where o.day >= date '2024-01-02'
group by 1
"""


def test_a_join_of_parquet_on_s3_with_sqlite(tmp_path: Path) -> None:
    rows = (
        "select i % 3 as customer, date '2024-01-01' + cast(i % 5 as integer) as day,"
        " cast(i / 8.0 as decimal(18, 3)) as amount from range(30000) as r(i)"
    )
    with s3_store() as store:
        orders: pa.Table = duckdb.sql(rows).to_arrow_table()
        store.put("lake/events/orders/1.parquet", parquet(orders.slice(0, 20_000)))
        store.put("lake/events/orders/2.parquet", parquet(orders.slice(20_000)))
        lake = store.output()
        outputs = {**customers_in_sqlite(tmp_path, 3), "lake": lake}
        project = made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)
        project.run("run", code=0)
        asked = f"select 'c' || customer, count(*), sum(amount)::varchar from ({rows}) where day >= date '2024-01-02'"
        expected = duckdb.sql(f"{asked} group by 1 order by 1").fetchall()
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
            found = warehouse.execute("select name, n, amount::varchar from analytics.m order by 1").fetchall()
        assert found == expected
        assert len(found) == 3
        assert "PASS=1" in project.run("test", code=0).output
        debugged = project.run("debug", code=0).output
        assert "ok    lake (files)" in debugged
        assert "may create tables" in debugged
        project.outputs["lake"] = {**lake, **(store.refused or {})}
        project.write_profile()
        failed = project.run("run", code=1).output
        assert "DVT210" in failed
        assert "wr0ng-s3cret" not in failed


_DAYS = """\
{{ config(meta={'connection': 'lake', 'dvt_partition_by': 'day', 'dvt_format': 'jsonl'}, schema='marts') }}
select customer, day, sum(amount) as amount from {{ source('lake', 'orders') }} group by all
"""
_LOG = """\
{{ config(materialized='incremental', incremental_strategy='append', meta={'connection': 'lake'}) }}
select c.id, c.name from {{ source('crm', 'customers') }} c
{% if is_incremental() %} where c.id > (select max(id) from {{ this }}) {% endif %}
"""
_BACK = "select d.customer, d.amount, l.name from {{ ref('days') }} d join {{ ref('log') }} l on l.id = d.customer"


def test_models_land_on_s3_and_are_read_from_there(tmp_path: Path) -> None:
    rows = (
        "select i % 3 as customer, date '2024-01-01' + cast(i % 5 as integer) as day,"
        " cast(i / 8.0 as decimal(18, 3)) as amount from range(3000) as r(i)"
    )
    with s3_store() as store:
        store.put("lake/events/orders/1.parquet", parquet(duckdb.sql(rows).to_arrow_table()))
        outputs = {**customers_in_sqlite(tmp_path, 3), "lake": store.output()}
        models = {"models__days__sql": _DAYS, "models__log__sql": _LOG, "models__back__sql": _BACK}
        project = made(tmp_path, outputs, models__sources__yml=SOURCES, **models)
        planned = project.run("plan", "--json", code=0).output
        ways = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in json.loads(planned)["nodes"]}
        assert ways["days"] == ways["log"] == {"way": "one atomic step", "atomic": True}
        for _ in range(2):  # the second time appends nothing
            project.run("run", code=0)
        asked = (
            f"select customer, sum(amount)::decimal(38, 3)::varchar from ({rows}) group by customer, day order by all"
        )
        expected = [(n, amount, f"c{n}") for n, amount in duckdb.sql(asked).fetchall()]
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
            found = warehouse.execute(
                "select customer, amount::varchar, name from analytics.back order by all"
            ).fetchall()
        assert found == expected
        assert len(found) == 15
        project.run("copy", "lake:events/orders", "lake:copies/orders.csv", code=0)
        assert "3,000 rows" in project.run("copy", "lake:copies/orders.csv", ":copied", code=0).output
        project.run("copy", "lake:events/orders", "lake:copies/orders.csv", "--mode", "append", code=0)
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as warehouse:
            total = warehouse.execute("select sum(amount::decimal(18, 3))::varchar from analytics.copied").fetchall()
        assert total == duckdb.sql(f"select sum(amount)::varchar from ({rows})").fetchall()
