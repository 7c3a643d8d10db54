"""A project whose models read an emulated BigQuery, two of its datasets, run as a user does; it is only read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from e2e.joining import catalogued, checked, made, plain, source_says_what_it_should, sources
from fault.kit import Faulty
from servers.bigquery import BigQueryServer

pytestmark = [pytest.mark.bigquery, pytest.mark.slow]

SOURCES = sources(
    shop=({"connection": "lake", "schema": "shop"}, checked("orders_e2e", "moment")),
    crm=({"connection": "lake", "schema": "people"}, plain("customers")),
)
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
    return made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)


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
    source_says_what_it_should(project, "shop.orders_e2e")
    assert catalogued(project, "shop.orders_e2e")["amount"] == "NUMERIC(18, 2)"
