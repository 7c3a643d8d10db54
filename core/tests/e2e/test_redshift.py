"""A project whose model joins Redshift (PostgreSQL behind a proxy) with PostgreSQL, run as a user does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.postgres import PostgresServer
from servers.redshift import RedshiftServer, running

pytest.importorskip("redshift_connector")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

SOURCES = """\
sources:
  - name: web
    config: {meta: {connection: web}}
    schema: public
    tables:
      - name: events
        columns: [{name: customer, data_tests: [not_null, {accepted_values: {arguments: {values: [1], quote: false}}}]}]
        config: {loaded_at_field: seen, freshness: {warn_after: {count: 1, period: hour}}}
  - name: crm
    schema: crm
    tables: [{name: customers}]
"""
MODEL = """\
select c.name, count(*) as n, sum(e.amount) as amount
from {{ source('web', 'events') }} e join {{ source('crm', 'customers') }} c on c.id = e.customer
where e.kind = 'buy' and e.customer > 0 group by 1
"""


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[RedshiftServer]:
    with running(postgres_server, "e2e_redshift") as server:
        server.postgres.psql(
            "e2e_redshift",
            "create table events as select timestamp '2024-01-01' + i * interval '1 min' as seen, i % 7 as customer,"
            " case i % 3 when 0 then 'view' else 'buy' end::varchar(10) as kind, (i / 8.0)::numeric(18,2) as amount"
            " from generate_series(0, 4999) i",
        )
        yield server


def test_a_join_of_redshift_with_postgres(
    server: RedshiftServer, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    database = postgres_server.create_database("e2e_redshift_landing")
    postgres_server.psql(
        database,
        "create schema analytics; create schema crm; create table crm.customers (id int, name text);"
        "insert into crm.customers select n, 'c' || n from generate_series(0, 4) n",
    )
    outputs = {"warehouse": postgres_server.output(database, "analytics"), "web": server.output()}
    project = Faulty(tmp_path, outputs)
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL)
    project.write_profile()
    project.run("run", code=0)
    asked = [sql for sql in server.statements() if sql.startswith("declare")]
    assert any("\"kind\" = 'buy'" in sql and '"customer" > 0' in sql for sql in asked), asked
    tested = project.run("test", code=1).output
    assert "PASS not_null" in tested.replace("source_", "")
    assert "Got 6 results" in tested
    assert "WARN freshness of web.events" in project.run("source", "freshness", code=0).output
    project.run("docs", "generate", code=0)
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    columns = catalog["sources"]["source.faults.web.events"]["columns"]
    assert columns["amount"]["type"] == "numeric(18,2)"
    said = project.run("debug", code=0).output
    assert "ok    web (redshift)" in said
    expected = server.postgres.psql(
        "e2e_redshift",
        "select 'c' || customer, count(*), sum(amount) from events where kind = 'buy' and customer between 1 and 4"
        " group by 1 order by 1",
    )
    found = postgres_server.psql(database, 'select name, n, amount from analytics.m order by name collate "C"')
    assert found == expected
