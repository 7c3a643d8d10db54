"""Models that land on Vertica (a fake), for which there is no dbt adapter here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty

pytest.importorskip("vertica_python")

from servers.vertica import running

pytestmark = pytest.mark.slow

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


def test_models_land_on_vertica(tmp_path: Path) -> None:
    with running() as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ \t\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
            )
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(schema="analytics")}
        project = Faulty(tmp_path, outputs, secrets=[server.password])
        files = {"models__t__sql": TABLE, "models__m__sql": MERGED}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")
        plan = json.loads(project.run("plan", "--json", code=0).output)
        assert [node["landing_way"]["way"] for node in plan["nodes"]] == ["one atomic step"] * 2
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        first = [(1, "Änn ' \"\\ \t\n,x"), (2, ""), (3, None)]
        for table, expected in (("t", first), ("m", [*first[:2], (3, "new")])):
            sql = f'select id, name from "analytics"."{table}" order by 1'
            assert server.sql.run(sql).fetchmany(9) == expected
        sql = "select table_name from v_catalog.tables where table_schema = 'analytics' order by 1"
        assert server.sql.run(sql).fetchmany(9) == [("m",), ("t",)]
        project.check_secrets()
