"""Models that land on Databricks (a fake), for which there is no dbt adapter here: tables, incremental ones, a view."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty

pytest.importorskip("databricks.sql")

from servers.databricks import TOKEN, VOLUME, output, running
from servers.databricks_service import Warehouse

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}, {name: changes}]}
"""
TABLE = "select id, name as \"full name\" from {{ source('crm', 'customers') }}"
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'changes') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view') }} select id from {{ ref('t') }}"
_STRATEGIES = ("append", "merge", "delete_insert")


def test_models_land_on_databricks(tmp_path: Path) -> None:
    with running() as lake:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (id int, name text);"
                "create table changes (batch int, id int, name text);"
                "insert into customers values (1, 'Änn '' \"\\ \n,x'), (2, ''), (3, null);"
                "insert into changes values (1, 1, 'one'), (1, 2, 'two'), (2, 2, 'TWO'), (2, 3, 'three')"
            )
        web = output(lake, schema="analytics", dvt={"volume": VOLUME})
        project = Faulty(tmp_path, {"crm": {"type": "sqlite", "path": str(path)}, "web": web}, secrets=[TOKEN])
        files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in _STRATEGIES}
        files |= {"models__t__sql": TABLE, "models__v__sql": VIEW}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")

        said = project.run("plan", "--json", code=0).output
        plan = json.loads(said[said.index("{") :])  # the connector warns first, of the stand-in's short waits
        landings = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
        assert landings["t"] == {"way": "one atomic step", "atomic": True}
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        assert _rows(lake, "t") == [(1, "Änn ' \"\\ \n,x"), (2, ""), (3, None)]
        assert _rows(lake, "append") == [(1, "one"), (2, "TWO"), (2, "two"), (3, "three")]
        merged = [(1, "one"), (2, "TWO"), (3, "three")]
        assert _rows(lake, "merge") == _rows(lake, "delete_insert") == merged
        assert _rows(lake, "v") == [(1,), (2,), (3,)]
        assert _tables(lake) == ["append", "delete_insert", "merge", "t", "v"]
        # A doubled key leaves all as it was.
        with closing(sqlite3.connect(path)) as db:
            db.executescript("delete from changes where batch = 2; insert into changes values (2, 9, 'a'), (2, 9, 'b')")
        said = project.run("run", "--select", "merge", "delete_insert", code=1).output
        assert said.count("rows with the key id = ") >= 2
        assert _rows(lake, "merge") == _rows(lake, "delete_insert") == merged
        assert _tables(lake) == ["append", "delete_insert", "merge", "t", "v"]
        assert lake.volumes.put
        assert not lake.volumes.files
        project.check_secrets()


def _rows(lake: Warehouse, name: str) -> list[tuple[object, ...]]:
    return lake.engine.run(f"select * from analytics.`{name}` order by 1, 2 nulls last"
                           if name != "v" else "select * from analytics.v order by 1").fetchmany(99)  # fmt: skip


def _tables(lake: Warehouse) -> list[str]:
    sql = "select table_name from information_schema.tables where table_schema = 'analytics' order by 1"
    return [row[0] for row in lake.engine.run(sql).fetchmany(99)]
