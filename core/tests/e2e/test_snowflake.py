"""A project whose models read an emulated Snowflake, two of its databases, run as a user does; it is only read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from e2e.joining import catalogued, checked, made, plain, source_says_what_it_should, sources
from fault.kit import Faulty
from servers.snowflake import SnowflakeServer

pytestmark = [pytest.mark.snowflake, pytest.mark.slow]

SOURCES = sources(
    shop=({"connection": "snow", "schema": "public"}, checked("orders_e2e", "moment")),
    crm=({"connection": "snow", "database": "crm", "schema": "people"}, plain("customers")),
)
MODEL = """\
select c.name, o.kind, count(*) as n, sum(o.amount) as amount, max(o.moment) as last_at
from {{ source('shop', 'orders_e2e') }} o join {{ source('crm', 'customers') }} c on c.id = o.customer
where o.moment >= timestamp '2024-01-01 10:30:00' and o.kind <> 'view'
group by 1, 2
"""


@pytest.fixture
def project(snowflake_server: SnowflakeServer, tmp_path: Path) -> Faulty:
    snowflake_server.execute(
        "create or replace table orders_e2e (moment timestamp_ntz, customer int, kind varchar, amount number(18, 2))",
        "insert into orders_e2e select dateadd(minute, seq4(), '2024-01-01 10:00:00'::timestamp_ntz), seq4() % 7,"
        " case seq4() % 3 when 0 then 'view' when 1 then 'buy' else 'it''s' end, seq4() / 8"
        " from table(generator(rowcount => 1200))",
        "create database if not exists crm",
        "create schema if not exists crm.people",
        "create or replace table crm.people.customers (id int, name varchar)",
        "insert into crm.people.customers select seq4(), 'c' || seq4() from table(generator(rowcount => 5))",
    )
    outputs = {
        "warehouse": {"type": "duckdb", "path": str(tmp_path / "land.duckdb"), "schema": "main"},
        "snow": snowflake_server.output(schema="public", database="shop"),
    }
    return made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)


def test_a_join_of_two_databases_lands_elsewhere(project: Faulty, snowflake_server: SnowflakeServer) -> None:
    project.run("debug", code=0)
    snowflake_server.statements()
    project.run("run", code=0)
    sent = "\n".join(snowflake_server.statements())
    assert '"CRM"."PEOPLE"."CUSTOMERS"' in sent
    assert "WHERE \"MOMENT\" >= CAST('2024-01-01 10:30:00' AS TIMESTAMP)" in sent
    with duckdb.connect(project.outputs["warehouse"]["path"], read_only=True) as landed:
        found = landed.sql("select name, kind, n, amount, cast(last_at as varchar) from m order by 1, 2").fetchall()
    expected = snowflake_server.query(
        "select c.name, o.kind, count(*) as n, cast(sum(o.amount) as number(38, 2)) as amount,"
        " to_varchar(max(o.moment)) as last_at"
        " from orders_e2e o join crm.people.customers c on c.id = o.customer"
        " where o.moment >= '2024-01-01 10:30:00'::timestamp_ntz and o.kind <> 'view' group by 1, 2 order by 1, 2"
    )
    assert [[str(value) for value in row] for row in found] == [[str(v) for v in row.values()] for row in expected]
    assert len(found) == 10


def test_tests_freshness_and_the_catalogue_run_on_it(project: Faulty) -> None:
    source_says_what_it_should(project, "shop.orders_e2e")
    assert catalogued(project, "shop.orders_e2e")["AMOUNT"] == "NUMBER(18,2)"
