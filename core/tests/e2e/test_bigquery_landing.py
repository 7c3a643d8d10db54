"""Models that land on an emulated BigQuery, for which there is no dbt adapter here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.bigquery import TOKEN, BigQueryServer

pytestmark = [pytest.mark.bigquery, pytest.mark.slow]

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""
TABLE = "select id, name from {{ source('crm', 'customers') }} where batch = 1"
MERGED = """\
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
select id, name from {{ source('crm', 'customers') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view') }} select id from {{ ref('t') }}"


def test_models_land_on_bigquery(bigquery_server: BigQueryServer, tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "create table customers (batch int, id int, name text);"
            "insert into customers values (1, 1, 'Änn '' \"\\N \t\n,x'), (1, 2, ''), (1, 3, '\\N'), (2, 3, null)"
        )
    server = bigquery_server
    outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(dataset="landed")}
    project = Faulty(tmp_path, outputs, secrets=[TOKEN])
    files = {"models__t__sql": TABLE, "models__m__sql": MERGED, "models__v__sql": VIEW}
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
    project.write_profile("web")
    plan = json.loads(project.run("plan", "--json", code=0).output)
    ways = [node["landing_way"]["way"] for node in plan["nodes"] if node.get("landing_way")]
    assert ways[:2] == ["one atomic step"] * 2
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
    first = [["1", "Änn ' \"\\N \t\n,x"], ["2", ""], ["3", "\\N"]]
    for table, expected in (("t", first), ("m", [*first[:2], ["3", None]])):
        assert server.query(f"select id, name from landed.{table} order by 1") == expected
    assert server.query("select id from landed.v order by 1") == [["1"], ["2"], ["3"]]
    names = server.query("select table_name from landed.INFORMATION_SCHEMA.TABLES order by 1")
    assert names == [["m"], ["t"], ["v"]]
    project.check_secrets()
