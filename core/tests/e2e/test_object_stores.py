"""A project whose model joins Parquet files on S3 (moto) with SQLite, run as a user does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from fault.kit import PROJECT, Faulty
from servers.object_stores import s3_store
from servers.tables_as_files import parquet

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - name: lake
    config: {meta: {connection: lake}}
    schema: events
    tables:
      - name: orders
        columns: [{name: customer, data_tests: [not_null]}]
  - name: crm
    config: {meta: {connection: crm}}
    schema: main
    tables: [{name: customers}]
"""
MODEL = """\
select c.name, count(*) as n, sum(o.amount) as amount
from {{ source('lake', 'orders') }} o join {{ source('crm', 'customers') }} c on c.id = o.customer
where o.day >= date '2024-01-02'
group by 1
"""


def test_a_join_of_parquet_on_s3_with_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as crm:
        crm.execute("create table customers (id integer, name text)")
        crm.executemany("insert into customers values (?, ?)", [(n, f"c{n}") for n in range(3)])
    crm.close()
    rows = (
        "select i % 3 as customer, date '2024-01-01' + cast(i % 5 as integer) as day,"
        " cast(i / 8.0 as decimal(18, 3)) as amount from range(30000) as r(i)"
    )
    with s3_store() as store:
        orders: pa.Table = duckdb.sql(rows).to_arrow_table()
        store.put("lake/events/orders/1.parquet", parquet(orders.slice(0, 20_000)))
        store.put("lake/events/orders/2.parquet", parquet(orders.slice(20_000)))
        lake = store.output()
        outputs = {
            "warehouse": {"type": "duckdb", "path": str(tmp_path / "warehouse.duckdb"), "schema": "analytics"},
            "crm": {"type": "sqlite", "path": str(tmp_path / "crm.db"), "schema": "main", "database": "crm"},
            "lake": lake,
        }
        project = Faulty(tmp_path, outputs)
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL)
        project.write_profile()
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
        assert "read only" in debugged
        project.outputs["lake"] = {**lake, **(store.refused or {})}
        project.write_profile()
        failed = project.run("run", code=1).output
        assert "DVT210" in failed
        assert "wr0ng-s3cret" not in failed
