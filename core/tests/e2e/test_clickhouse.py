"""A project whose model joins ClickHouse with PostgreSQL, run as a user does; test_clickhouse_landing.py writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.joining import catalogued, checked, customers_in_postgres, made, plain, source_says_what_it_should, sources
from fault.kit import Faulty
from servers.clickhouse import ClickHouseServer
from servers.postgres import PostgresServer

import dvt

pytestmark = [pytest.mark.clickhouse, pytest.mark.postgres, pytest.mark.slow]

SOURCES = sources(
    web=({"connection": "web", "schema": "e2e_web"}, checked("events")),
    crm=({"schema": "crm"}, plain("customers")),
)
MODEL = """\
select c.name, e.kind, count(*) as n, sum(e.amount) as amount, max(e.seen) as last_at
from {{ source('web', 'events') }} e join {{ source('crm', 'customers') }} c on c.id = e.customer
where e.seen >= timestamptz '2024-01-02 00:00:00+00' and e.kind <> 'view'
group by 1, 2
"""
COPY = "select seen, customer, kind, amount, tags from {{ source('web', 'events') }}"


@pytest.fixture
def project(clickhouse_server: ClickHouseServer, postgres_server: PostgresServer, tmp_path: Path) -> Faulty:
    clickhouse_server.create_database("e2e_web")
    clickhouse_server.execute(
        "create table events (seen DateTime, customer Int32, kind LowCardinality(String),"
        " amount Nullable(Decimal(18, 2)), tags Array(String)) engine = MergeTree order by seen",
        "insert into events select toDateTime('2024-01-01 00:00:00', 'UTC') + number * 60, number % 7,"
        " ['view', 'buy', 'it''s'][number % 3 + 1], if(number % 5 = 0, null, number / 8), [toString(number)]"
        " from numbers(5000)",
        database="e2e_web",
    )
    outputs = {
        **customers_in_postgres(postgres_server, "e2e_clickhouse"),
        "web": clickhouse_server.output("e2e_web"),
    }
    return made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL, models__copy__sql=COPY)


def test_a_join_of_clickhouse_with_postgres(
    project: Faulty, clickhouse_server: ClickHouseServer, postgres_server: PostgresServer
) -> None:
    project.run("run", code=0)
    source_says_what_it_should(project, "web.events")
    assert catalogued(project, "web.events")["amount"] == "Nullable(Decimal(18, 2))"
    expected = clickhouse_server.query(
        "select concat('c', toString(customer)), kind, count() as n, sum(amount), toUnixTimestamp(max(seen))"
        " from events where seen >= toDateTime('2024-01-02 00:00:00', 'UTC') and kind <> 'view' and customer < 5"
        " group by 1, 2 order by 1, 2",
        "e2e_web",
    )
    found = postgres_server.psql(
        "e2e_clickhouse",
        "select name, kind, n, trim_scale(amount), extract(epoch from last_at)::bigint from analytics.m"
        ' order by name collate "C", kind collate "C"',
    )
    assert [line.split("|") for line in found.strip().split("\n")] == [
        line.replace("\\'", "'").split("\t") for line in expected.split("\n")
    ]
    whole = clickhouse_server.query("select count(), sum(amount), sum(toInt32(tags[1])) from events", "e2e_web")
    copied = postgres_server.psql(
        "e2e_clickhouse", "select count(*), trim_scale(sum(amount)), sum(tags[1]::int) from analytics.copy"
    )
    assert copied.strip().split("|") == whole.split("\t")


def test_plan_debug_and_read(project: Faulty, clickhouse_server: ClickHouseServer) -> None:
    document = json.loads(project.run("plan", "--json", code=0).output)
    (node,) = (node for node in document["nodes"] if node["unique_id"] == "model.faults.m")
    (scan,) = (scan for scan in node["scans"] if scan["connection"] == "web")
    assert scan["estimated_rows"] is not None
    assert "startsWith" not in scan["sql"]
    assert "\"kind\" <> 'view'" in scan["sql"]
    assert "DateTime64" in scan["sql"]
    for words in (("debug",), ("debug", "--target", "web")):
        said = project.run(*words, code=0).output
        assert f"ok    web (clickhouse)  ClickHouse {clickhouse_server.query('select version()')}" in said
        assert "read only" not in said
    assert clickhouse_server.query("show tables", "e2e_web") == "events"
    with dvt.read("web", "select 1 as one", profiles_dir=project.folder, profile="faults") as rows:
        assert rows.to_table().to_pylist() == [{"one": 1}]
