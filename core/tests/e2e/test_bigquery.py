"""A project whose models read an emulated BigQuery, two of its datasets, run as a user does; it is only read."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from fault.kit import PROJECT, Faulty
from servers.bigquery import BigQueryServer

pytestmark = [pytest.mark.bigquery, pytest.mark.slow]

SOURCES = """\
sources:
  - name: shop
    config: {meta: {connection: lake}}
    schema: shop
    tables:
      - name: orders_e2e
        columns: [{name: customer, data_tests: [not_null, {accepted_values: {arguments: {values: [1], quote: false}}}]}]
        config: {loaded_at_field: moment, freshness: {warn_after: {count: 1, period: hour}}}
  - name: crm
    config: {meta: {connection: lake}}
    schema: people
    tables: [{name: customers}]
"""
MODEL = """\
select c.name, o.kind, count(*) as n, sum(o.amount) as amount, max(o.moment) as last_at
from {{ source('shop', 'orders_e2e') }} o join {{ source('crm', 'customers') }} c on c.id = o.customer
where o.moment >= timestamptz '2024-01-01 10:30:00+00' and o.kind <> 'view' and o.amount > 1.5
group by 1, 2
"""


@pytest.fixture
def project(bigquery_server: BigQueryServer, tmp_path: Path) -> Faulty:
    bigquery_server.execute(
        "create or replace table shop.orders_e2e"
        " (moment timestamp, customer int64, kind string, amount numeric(18, 2))",
        "insert into shop.orders_e2e select timestamp_add(timestamp '2024-01-01 10:00:00+00', interval x minute),"
        " mod(x, 7), case mod(x, 3) when 0 then 'view' when 1 then 'buy' else 'it\\'s' end, cast(x / 8 as numeric)"
        " from unnest(generate_array(0, 1199)) x",
        "create schema if not exists people",
        "create or replace table people.customers (id int64, name string)",
        "insert into people.customers select x, concat('c', cast(x as string)) from unnest(generate_array(0, 4)) x",
    )
    outputs = {
        "warehouse": {"type": "duckdb", "path": str(tmp_path / "land.duckdb"), "schema": "main"},
        "lake": bigquery_server.output(),
    }
    made = Faulty(tmp_path, outputs)
    made.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL)
    made.write_profile()
    return made


def test_a_join_of_two_datasets_lands_elsewhere(project: Faulty, bigquery_server: BigQueryServer) -> None:
    project.run("debug", code=0)
    bigquery_server.statements()
    project.run("run", code=0)
    (sent,) = (sql for sql in bigquery_server.statements() if sql.startswith("read orders_e2e"))
    assert "`moment` >= CAST('2024-01-01 10:30:00+00' AS TIMESTAMP)" in sent
    assert "`amount` > CAST('1.5' AS BIGNUMERIC)" in sent
    with duckdb.connect(project.outputs["warehouse"]["path"], read_only=True) as landed:
        found = landed.sql(
            "select name, kind, n, cast(amount as double), cast(epoch(last_at) as bigint) from m order by 1, 2"
        ).fetchall()
    expected = bigquery_server.query(
        "select c.name, o.kind, count(*), cast(sum(o.amount) as float64), unix_seconds(max(o.moment))"
        " from shop.orders_e2e o join people.customers c on c.id = o.customer"
        " where o.moment >= '2024-01-01 10:30:00+00' and o.kind <> 'view' and o.amount > 1.5"
        " group by 1, 2 order by 1, 2"
    )
    assert [[str(value) for value in row] for row in found] == expected
    assert len(found) == 10


def test_tests_freshness_and_the_catalogue_run_on_it(project: Faulty) -> None:
    tested = project.run("test", code=1).output
    assert "PASS not_null" in tested.replace("source_", "")
    assert "Got 6 results" in tested
    assert "WARN freshness of shop.orders_e2e" in project.run("source", "freshness", code=0).output
    project.run("docs", "generate", code=0)
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    columns = catalog["sources"]["source.faults.shop.orders_e2e"]["columns"]
    assert columns["amount"]["type"] == "NUMERIC(18, 2)"
