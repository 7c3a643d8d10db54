"""Models that land on Trino (a fake), for which there is no dbt adapter here: tables, views, incremental ones."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.trino import Behaviour, TrinoServer, running

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""
TABLE = "select id, name from {{ source('crm', 'customers') }} where batch = 1"
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'customers') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view') }} select id from {{ ref('t') }}"
_STRATEGIES = ("append", "merge", "delete_insert")


def test_models_land_on_trino(tmp_path: Path) -> None:
    with running(Behaviour(connector="iceberg"), tls_folder=tmp_path) as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ \t\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
            )
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(schema="analytics")}
        project = Faulty(tmp_path, outputs, secrets=[server.password])
        files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in _STRATEGIES}
        files |= {"models__t__sql": TABLE, "models__v__sql": VIEW}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")
        plan = json.loads(project.run("plan", "--json", code=0).output)
        landings = {node["unique_id"].split(".")[-1]: node.get("landing_way") for node in plan["nodes"]}
        assert landings["t"] == {"way": "drop and rename, one after the other", "atomic": False}
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        first = [(1, "Änn ' \"\\ \t\n,x"), (2, "")]
        assert _content(server, "t") == [*first, (3, None)]
        assert _content(server, "append") == [*first, (3, "new"), (3, None)]
        assert _content(server, "merge") == _content(server, "delete_insert") == [*first, (3, "new")]
        tables = "select table_name, table_type from information_schema.tables where table_schema = 'analytics'"
        assert sorted(server.engine.run(tables).fetchmany(99)) == [
            *((name, "BASE TABLE") for name in ("append", "delete_insert", "merge", "t")),
            ("v", "VIEW"),
        ]
        project.check_secrets()


def _content(server: TrinoServer, table: str) -> list[tuple[int, str | None]]:
    return server.engine.run(f'select id, name from "analytics"."{table}" order by 1, 2').fetchmany(100)
