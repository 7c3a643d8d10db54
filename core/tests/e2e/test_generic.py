"""A project whose model joins a database read through a driver of choice with PostgreSQL, run as a user does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.joining import checked, customers_in_postgres, made, plain, source_says_what_it_should, sources
from fault.kit import Faulty
from servers.generic import generic_place
from servers.place import Place
from servers.postgres import PostgresServer

import dvt

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

SOURCES = sources(
    web=({"connection": "web", "schema": "public"}, checked("events")),
    crm=({"schema": "crm"}, plain("customers")),
)
MODEL = """\
select c.name, e.kind, count(*) as n, sum(e.amount) as amount, max(e.seen) as last_at
from {{ source('web', 'events') }} e join {{ source('crm', 'customers') }} c on c.id = e.customer
where e.seen >= timestamp '2024-01-02 00:00:00' and e.kind <> 'view'
group by 1, 2
"""
EXPECTED = """\
select 'c' || customer, kind, count(*), trim_scale(sum(amount)), max(seen) from events
where seen >= '2024-01-02' and kind <> 'view' and customer < 5 group by 1, 2 order by 1, kind collate "C"
"""
ANSWER = 'select name, kind, n, trim_scale(amount), last_at from analytics.m order by name, kind collate "C"'


@pytest.fixture(params=("odbc", "jdbc"))
def web(request: pytest.FixtureRequest) -> Place:
    place = generic_place(f"{request.param}-postgres", request, Path())
    place.execute(
        "create table events (seen timestamp, customer int, kind text, amount numeric(18, 2), other money);"
        "insert into events select timestamp '2024-01-01' + n * interval '1 minute', n % 7,"
        " (array['view', 'buy', 'it''s'])[n % 3 + 1], case when n % 5 > 0 then n / 8.0 end, 1"
        " from generate_series(1, 5000) n"
    )
    return place


@pytest.fixture
def project(web: Place, postgres_server: PostgresServer, tmp_path: Path) -> Faulty:
    outputs = {**customers_in_postgres(postgres_server, "e2e_generic"), "web": {**web.output, "schema": "public"}}
    return made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)


def test_a_join_with_postgres(project: Faulty, postgres_server: PostgresServer) -> None:
    project.run("run", code=0)
    assert postgres_server.psql("e2e_generic", ANSWER) == postgres_server.psql("generic", EXPECTED)
    source_says_what_it_should(project, "web.events")


def test_plan_debug_and_read(project: Faulty) -> None:
    document = json.loads(project.run("plan", "--json", code=0).output)
    (node,) = (node for node in document["nodes"] if node["unique_id"] == "model.faults.m")
    (scan,) = (scan for scan in node["scans"] if scan["connection"] == "web")
    assert "where" not in scan["sql"].lower()  # nothing is known of how a database compares
    assert '"other"' not in scan["sql"]
    said = project.run("debug", "--target", "web", code=0).output
    assert "ok    web (generic)" in said
    with dvt.read("web", "select 1 as one", profiles_dir=project.folder, profile="faults") as rows:
        assert rows.to_table().to_pylist() == [{"one": 1}]


MERGED = """\
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', meta={'connection': 'web'}) }}
select id, name from {{ source('crm', 'customers') }} {% if is_incremental() %} where id > 2 {% endif %}
"""
VIEW = "{{ config(materialized='view', meta={'connection': 'web'}) }} select name from {{ ref('i') }}"


def test_models_land_there(project: Faulty, web: Place, postgres_server: PostgresServer) -> None:
    table = "{{ config(meta={'connection': 'web'}) }} select id, name from {{ source('crm', 'customers') }}"
    project.write(models__n__sql=table, models__i__sql=MERGED, models__v__sql=VIEW)
    document = json.loads(project.run("plan", "--json", code=0).output)
    ways = {node["unique_id"][-1]: node["landing_way"] for node in document["nodes"]}
    assert ways["n"]["way"] == "drop and rename in one transaction"
    methods = {"odbc": "odbc_array_insert", "jdbc": "jdbc_batch"}
    by = methods["odbc" if "driver" in web.output else "jdbc"]
    loads = [node for node in document["nodes"] if node["landing"] == "web" and node["loading"]]
    assert {node["loading"]["method"] for node in loads} == {by}
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
        given = postgres_server.psql("e2e_generic", "select id, name from crm.customers order by 1")
        for name in ("n", "i"):
            assert postgres_server.psql("generic", f"select id, name from public.{name} order by 1") == given
        assert len(postgres_server.psql("generic", "select name from public.v").split()) == len(given.split())
    left = "select count(*) from pg_class where relname like '%__dvt_%'"
    assert postgres_server.psql("generic", left) == "0"
