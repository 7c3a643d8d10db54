"""Models that land on Exasol (a fake), for which there is no dbt adapter here: tables, incremental ones, mistakes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty

pytest.importorskip("pyexasol")

from servers.exasol import ExasolServer, running

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}, {name: changes}]}
"""
TABLE = "select id, name from {{ source('crm', 'customers') }} where batch = 1"
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='STRATEGY', unique_key='id') }}
select id, name from {{ source('crm', 'changes') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view') }} select \"id\" from {{ ref('t') }}"
_STRATEGIES = ("append", "merge", "delete_insert")


def test_models_land_on_exasol(tmp_path: Path) -> None:
    with running() as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "create table changes (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ \n,x'), (1, 3, null), (2, 4, '');"
                "insert into changes values (1, 1, 'one'), (1, 2, 'two'), (2, 2, 'TWO'), (2, 3, 'three')"
            )
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(schema="analytics")}
        project = Faulty(tmp_path, outputs, secrets=[server.password])
        files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in _STRATEGIES}
        files |= {"models__t__sql": TABLE, "models__v__sql": VIEW}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")

        plan = json.loads(project.run("plan", "--json", code=0).output)
        landings = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
        assert landings["t"] == {"way": "drop and rename in one transaction", "atomic": True}
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        assert _content(server, "t") == [("1", "Änn ' \"\\ \n,x"), ("3", None)]
        assert _content(server, "append") == [("1", "one"), ("2", "TWO"), ("2", "two"), ("3", "three")]
        merged = [("1", "one"), ("2", "TWO"), ("3", "three")]
        assert _content(server, "merge") == _content(server, "delete_insert") == merged
        assert _tables(server) == ["append", "delete_insert", "merge", "t"]
        # A doubled key, and an empty text, leave all as it was.
        with closing(sqlite3.connect(path)) as db:
            db.executescript("delete from changes where batch = 2; insert into changes values (2, 9, 'a'), (2, 9, 'b')")
        said = project.run("run", "--select", "merge", "delete_insert", code=1).output
        assert said.count("rows with the key id = ") >= 2
        project.write(models__t__sql=TABLE.replace(" where batch = 1", ""))
        message = project.run("run", "--select", "t", code=1).message()
        for word in ("DVT400", "node t", "connection web", "column name", "no empty texts"):
            assert word in message
        assert _content(server, "merge") == _content(server, "delete_insert") == merged
        assert len(_content(server, "t")) == 2
        assert _tables(server) == ["append", "delete_insert", "merge", "t"]
        project.check_secrets()


def _content(server: ExasolServer, table: str) -> list[tuple[str | None, ...]]:
    sql = f'select cast("id" as varchar(9)) as a, "name" as b from "analytics"."{table}" order by 1, 2'
    return server.engine.run(sql).fetchmany(100)


def _tables(server: ExasolServer) -> list[str]:
    sql = "select TABLE_NAME from EXA_ALL_TABLES where TABLE_SCHEMA = 'analytics' order by 1"
    return [name for (name,) in server.engine.run(sql).fetchmany(100)]
