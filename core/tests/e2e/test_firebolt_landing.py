"""Models that land on Firebolt (a fake), for which there is no dbt adapter here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty

pytest.importorskip("firebolt.db")

from servers.firebolt import running

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""
TABLE = "select id, name from {{ source('crm', 'customers') }} where batch = 1"
CHANGED = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'customers') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view') }} select id from {{ ref('t') }}"


def test_models_land_on_firebolt(tmp_path: Path) -> None:
    with running() as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ \t\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
            )
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(schema="analytics")}
        project = Faulty(tmp_path, outputs)
        files = {f"models__{name}__sql": CHANGED.replace("STRATEGY", strategy)
                 for name, strategy in (("m", "merge"), ("d", "delete+insert"))}  # fmt: skip
        files |= {"models__t__sql": TABLE, "models__v__sql": VIEW}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")
        plan = json.loads(project.run("plan", "--json", code=0).output)
        ways = [node["landing_way"]["way"] for node in plan["nodes"] if node["landing_way"]]
        assert ways == ["drop and rename in one transaction"] * 3
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        first = [(1, "Änn ' \"\\ \t\n,x"), (2, ""), (3, None)]
        changed = [*first[:2], (3, "new")]
        for table, expected in (("t", first), ("m", changed), ("d", changed)):
            sql = f'select id, name from "analytics"."{table}" order by 1'
            assert server.sql.run(sql).fetchmany(9) == expected
        assert server.sql.run("select id from analytics.v order by 1").fetchmany(9) == [(1,), (2,), (3,)]
        sql = "select table_name from information_schema.tables where table_schema = 'analytics' order by 1"
        assert server.sql.run(sql).fetchmany(9) == [("d",), ("m",), ("t",), ("v",)]
