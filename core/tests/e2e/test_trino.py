"""A project whose model joins Trino (a fake) with SQLite, run as a user does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from e2e.joining import catalogued, checked, customers_in_sqlite, made, plain, source_says_what_it_should, sources
from fault.kit import Faulty
from servers.trino import TrinoServer, running

import dvt

pytestmark = pytest.mark.slow

SOURCES = sources(
    web=({"connection": "web", "schema": "main"}, checked("events")),
    archive=({"connection": "web", "database": "cold", "schema": "main"}, plain("events")),
    crm=({"connection": "crm", "schema": "main"}, plain("customers")),
)
MODEL = """\
select c.name, e.kind, count(*) as n, sum(e.amount) as amount, max(e.seen) as last_at
from {{ source('web', 'events') }} e join {{ source('crm', 'customers') }} c on c.id = e.customer
where e.seen >= timestamptz '2024-01-02 00:00:00.000001+00' and e.kind <> 'view'
group by 1, 2
"""


@pytest.fixture
def server() -> Iterator[TrinoServer]:
    with running() as found:
        found.execute(
            "create table events (seen timestamp(6) with time zone, customer integer, kind varchar,"
            " amount decimal(18,2), tags array(varchar))",
            "insert into events select timestamp '2024-01-01 00:00:00 UTC' + i * interval '1' minute, i % 7,"
            " case i % 3 when 0 then 'view' when 1 then 'buy' else 'it''s' end,"
            " case when i % 5 <> 0 then i / 8.0 end, array[cast(i as varchar)] from range(5000) as r(i)",
        )
        yield found


@pytest.fixture
def project(server: TrinoServer, tmp_path: Path) -> Faulty:
    outputs = {**customers_in_sqlite(tmp_path, 5), "web": server.output()}
    return made(tmp_path, outputs, models__sources__yml=SOURCES, models__m__sql=MODEL)


def test_a_join_of_trino_with_sqlite(project: Faulty, server: TrinoServer) -> None:
    project.run("run", code=0)
    (scan,) = (sql for sql in server.statements() if "TIMESTAMP(6) WITH TIME ZONE" in sql and "LIMIT 0" not in sql)
    assert "CAST('2024-01-02 00:00:00.000001 UTC' AS TIMESTAMP(6) WITH TIME ZONE)" in scan
    assert "\"kind\" <> 'view'" in scan
    assert server.unfinished() == []
    expected = server.engine.run(
        "select 'c' || cast(customer as varchar), kind, count(*), cast(sum(amount) as varchar),"
        " cast(max(seen) as varchar)"
        " from events where seen > timestamp '2024-01-02 00:00:00 UTC' and kind <> 'view' and customer < 5"
        " group by 1, 2 order by 1, 2"
    ).fetchmany(100)
    with duckdb.connect(str(project.folder / "warehouse.duckdb"), read_only=True) as warehouse:
        warehouse.execute("set timezone = 'UTC'")
        found = warehouse.execute(
            "select name, kind, n, amount::varchar, last_at::varchar from analytics.m order by 1, 2"
        ).fetchall()
    assert found == expected
    assert len(found) == 10


def test_tests_freshness_and_catalogue(project: Faulty) -> None:
    source_says_what_it_should(project, "web.events")
    project.run("run", code=0)
    assert catalogued(project, "web.events")["amount"] == "decimal(18,2)"


def test_plan_debug_and_read(project: Faulty, server: TrinoServer) -> None:
    document = json.loads(project.run("plan", "--json", code=0).output)
    (node,) = (node for node in document["nodes"] if node["unique_id"] == "model.faults.m")
    (scan,) = (scan for scan in node["scans"] if scan["connection"] == "web")
    assert scan["estimated_rows"] is not None
    assert "\"kind\" <> 'view'" in scan["sql"]
    archive = "select count(*) as n from {{ source('archive', 'events') }}"
    server.engine.attach("cold")
    server.execute("create table cold.main.events (id integer)", "insert into cold.main.events values (1), (2)")
    project.write(models__cold__sql=archive)
    project.run("run", "--select", "cold", code=0)
    with duckdb.connect(str(project.folder / "warehouse.duckdb"), read_only=True) as warehouse:
        assert warehouse.execute("select n from analytics.cold").fetchall() == [(2,)]
    said = project.run("debug", code=0).output
    assert "ok    web (trino)  Trino 479-fake" in said
    assert "read only" not in said
    with dvt.read("web", "select 1 as one", profiles_dir=project.folder, profile="faults") as rows:
        assert rows.to_table().to_pylist() == [{"one": 1}]
