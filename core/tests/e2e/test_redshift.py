"""A project whose model joins Redshift (PostgreSQL behind a proxy) with PostgreSQL, run as a user does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.joining import catalogued, checked, customers_in_postgres, made, plain, source_says_what_it_should, sources
from servers.postgres import PostgresServer
from servers.redshift import RedshiftServer, running

pytest.importorskip("redshift_connector")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

SOURCES = sources(
    web=({"connection": "web", "schema": "public"}, checked("events")),
    crm=({"schema": "crm"}, plain("customers")),
)
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
    outputs = {**customers_in_postgres(postgres_server, "e2e_redshift_landing"), "web": server.output()}
    project = made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)
    project.run("run", code=0)
    sent = [sql for sql in server.statements() if sql.startswith("declare")]
    assert any("\"kind\" = 'buy'" in sql and '"customer" > 0' in sql for sql in sent), sent
    source_says_what_it_should(project, "web.events")
    assert catalogued(project, "web.events")["amount"] == "numeric(18,2)"
    said = project.run("debug", code=0).output
    assert "ok    web (redshift)" in said
    expected = server.postgres.psql(
        "e2e_redshift",
        "select 'c' || customer, count(*), sum(amount) from events where kind = 'buy' and customer between 1 and 4"
        " group by 1 order by 1",
    )
    found = postgres_server.psql(
        "e2e_redshift_landing", 'select name, n, amount from analytics.m order by name collate "C"'
    )
    assert found == expected
