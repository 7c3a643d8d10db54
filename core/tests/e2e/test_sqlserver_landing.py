"""Models that land on SQL Server (wire fake), for which there is no dbt adapter here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.postgres import PostgresServer
from servers.sqlserver import SqlServerFake, missing

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_DATABASE = "e2e_sqlserver_landing"
SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: crm, tables: [{name: customers}, {name: changes}]}
"""
TABLE = "select id, name, amount, ratio, moment from {{ source('crm', 'customers') }} where id <> 2"
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'changes') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
# They run on SQL Server itself.
OVER = "with wanted as (select id, name from {{ ref('merge') }}) select id, name from wanted where id > 1"
STRATEGIES = ("append", "merge", "delete_insert")


@pytest.fixture
def server() -> Iterator[SqlServerFake]:
    if why := missing():
        pytest.skip(why)
    with closing(SqlServerFake()) as fake:
        yield fake


@pytest.fixture
def project(server: SqlServerFake, postgres_server: PostgresServer, tmp_path: Path) -> Faulty:
    database = postgres_server.create_database(_DATABASE)
    postgres_server.psql(
        database,
        "create schema crm; create table crm.customers"
        " (id int, name text, amount numeric(12, 2), ratio float, moment timestamptz);"
        "insert into crm.customers values (1, 'Änn ''\\ 😀', 1.5, 0.1, '2024-02-29 23:59:59.123456+00'),"
        " (2, '', null, 'nan', null), (3, null, -0.01, null, '1999-12-31 12:00:00+02');"
        "create table crm.changes (batch int, id int, name text);"
        "insert into crm.changes values (1, 1, 'one'), (1, 2, 'two'), (2, 2, 'TWO'), (2, 3, 'three')",
    )
    made = Faulty(tmp_path, {"crm": postgres_server.output(database), "web": server.output()})
    files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in STRATEGIES}
    made.write(
        dbt_project__yml=PROJECT,
        models__sources__yml=SOURCES,
        models__t__sql=TABLE,
        models__over__sql="{{ config(materialized='table') }}\n" + OVER,
        models__seen__sql="{{ config(materialized='view') }}\n" + OVER,
        **files,
    )
    made.write_profile("web")
    return made


def test_models_land_on_sqlserver(project: Faulty, server: SqlServerFake, postgres_server: PostgresServer) -> None:
    def content(table: str) -> list[str]:
        return server.ask(f"select concat(id, ' ', name) from {table} order by 1")

    plan = json.loads(project.run("plan", "--json", code=0).output)
    landings = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
    assert landings["t"] == {"way": "drop and rename in one transaction", "atomic": True}
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
    assert server.ask("select concat(id, '|', name, '|', amount, '|', ratio, '|', moment) from t order by id") == [
        "1|Änn '\\ 😀|1.50|0.1|2024-02-29 23:59:59.123456 +00:00",
        "3||-0.01||1999-12-31 10:00:00.000000 +00:00",
    ]
    assert server.ask("select count(*) from t where name is null") == ["1"]
    assert content("append") == ["1 one", "2 TWO", "2 two", "3 three"]
    assert content("merge") == content("delete_insert") == ["1 one", "2 TWO", "3 three"]
    assert content("over") == content("seen") == ["2 TWO", "3 three"]
    there = sorted([*STRATEGIES, "over", "seen", "t"])
    assert sorted(server.tables()) == there
    # A doubled key, and a number that has no place, leave all as it was.
    postgres_server.psql(_DATABASE, "insert into crm.changes values (2, 9, 'a'), (2, 9, 'b')")
    said = project.run("run", "--select", "merge", "delete_insert", code=1).output
    assert said.count("2 rows with the key id = 9") >= 2
    project.write(models__t__sql=TABLE.replace("where id <> 2", ""))
    message = project.run("run", "--select", "t", code=1).message()
    for word in ("DVT400", "node t", "connection web", "column ratio", "neither NaN nor infinities"):
        assert word in message
    assert content("merge") == content("delete_insert") == ["1 one", "2 TWO", "3 three"]
    assert server.ask("select count(*) from t") == ["2"]
    assert sorted(server.tables()) == there
