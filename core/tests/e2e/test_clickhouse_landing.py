"""Models that land on ClickHouse, for which there is no dbt adapter here: tables, incremental ones, their mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.clickhouse import ClickHouseServer
from servers.postgres import PostgresServer

pytestmark = [pytest.mark.clickhouse, pytest.mark.postgres, pytest.mark.slow]

_DATABASE = "e2e_landing"
SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: crm, tables: [{name: customers}, {name: changes}]}
"""
TABLE = """\
select id, name, amount, case when id = 2 then null else [id, null] end as parts, moment
from {{ source('crm', 'customers') }} where id <> 2
"""
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'changes') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""


@pytest.fixture
def project(clickhouse_server: ClickHouseServer, postgres_server: PostgresServer, tmp_path: Path) -> Faulty:
    clickhouse_server.create_database(_DATABASE)
    database = postgres_server.create_database(_DATABASE)
    postgres_server.psql(
        database,
        "create schema crm; create table crm.customers (id int, name text, amount numeric(12, 2), moment timestamptz);"
        "insert into crm.customers values (1, 'Änn ''\\', 1.5, '2024-02-29 23:59:59.123456+00'), (2, '', null, null),"
        " (3, null, -0.01, '1999-12-31 12:00:00+02'); create table crm.changes (batch int, id int, name text);"
        "insert into crm.changes values (1, 1, 'one'), (1, 2, 'two'), (2, 2, 'TWO'), (2, 3, 'three')",
    )
    outputs = {"crm": postgres_server.output(database), "web": clickhouse_server.output(_DATABASE)}
    made = Faulty(tmp_path, outputs, secrets=[clickhouse_server.password])
    files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in _STRATEGIES}
    made.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__t__sql=TABLE, **files)
    made.write_profile("web")
    return made


_STRATEGIES = ("append", "merge", "delete_insert")


def test_models_land_on_clickhouse(
    project: Faulty, clickhouse_server: ClickHouseServer, postgres_server: PostgresServer
) -> None:
    def content(table: str) -> list[str]:
        return clickhouse_server.query(f"select * from {table} order by all", _DATABASE).split("\n")

    plan = json.loads(project.run("plan", "--json", code=0).output)
    landings = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
    assert landings["t"] == {"way": "one atomic step", "atomic": True}
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
    assert content("t") == [
        "1\tÄnn \\'\\\\\t1.5\t[1,NULL]\t2024-02-29 23:59:59.123456",
        "3\t\\N\t-0.01\t[3,NULL]\t1999-12-31 10:00:00.000000",
    ]
    assert content("append") == ["1\tone", "2\tTWO", "2\ttwo", "3\tthree"]
    assert content("merge") == content("delete_insert") == ["1\tone", "2\tTWO", "3\tthree"]
    tables = ["append", "delete_insert", "merge", "t"]
    assert clickhouse_server.query("show tables", _DATABASE).split("\n") == tables
    # No new rows change nothing; a doubled key, and a NULL that has no place, leave all as it was.
    postgres_server.psql(_DATABASE, "delete from crm.changes where batch = 2")
    project.run("run", "--select", "append", "merge", code=0)
    assert content("append") == ["1\tone", "2\tTWO", "2\ttwo", "3\tthree"]
    postgres_server.psql(_DATABASE, "insert into crm.changes values (2, 9, 'a'), (2, 9, 'b')")
    said = project.run("run", "--select", "merge", "delete_insert", code=1).output
    assert said.count("2 rows with the key id = 9") >= 2
    project.write(models__t__sql=TABLE.replace("where id <> 2", ""))
    message = project.run("run", "--select", "t", code=1).message()
    for word in ("DVT400", "node t", "connection web", "column parts", "cannot be NULL"):
        assert word in message
    assert content("merge") == content("delete_insert") == ["1\tone", "2\tTWO", "3\tthree"]
    assert len(content("t")) == 2
    assert clickhouse_server.query("show tables", _DATABASE).split("\n") == tables
    project.check_secrets()
