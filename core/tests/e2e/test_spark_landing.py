"""Models that land on Spark and on Hive (a real Spark, by both of its protocols): tables, views, incremental ones."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers.spark import TOKEN, SparkServer

pytest.importorskip("pyspark")

pytestmark = [pytest.mark.slow, pytest.mark.spark]

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""
TABLE = (
    "{{ config(meta={'connection': 'NAME'}) }} select id, name from {{ source('crm', 'customers') }} where batch = 1"
)
CHANGES = """\
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', meta={'connection': 'NAME'}) }}
select id, name from {{ source('crm', 'customers') }}
{% if is_incremental() %} where batch = 1 + (select min(id) from {{ this }}) {% else %} where batch = 1 {% endif %}
"""
VIEW = "{{ config(materialized='view', meta={'connection': 'NAME'}) }} select id from {{ ref('t_NAME') }}"
_NAMES = ("lake", "hive")


def test_models_land_on_spark_and_hive(tmp_path: Path, spark_server: SparkServer) -> None:
    """One project for both, since each command of it costs seconds."""
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "create table customers (batch int, id int, name text);"
            "insert into customers values (1, 1, 'Änn '' \"\\ \t\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
        )
    schema = spark_server.database("e2e_landing")
    outputs = {
        "crm": {"type": "sqlite", "path": str(path)},
        "lake": spark_server.output(schema=schema),
        "hive": spark_server.hive_output(schema=schema),
    }
    project = Faulty(tmp_path, outputs, secrets=[TOKEN])
    files = {
        f"models__{kind}_{name}__sql": text.replace("NAME", name)
        for name in _NAMES
        for kind, text in (("t", TABLE), ("m", CHANGES), ("v", VIEW))
    }
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
    project.write_profile("lake")
    plan = json.loads(project.run("plan", "--json", code=0).output)
    ways = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
    assert ways["t_lake"] == {"way": "drop and rename, one after the other", "atomic": False}
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
    first = [(1, "Änn ' \"\\ \t\n,x"), (2, "")]
    where = schema
    for name in _NAMES:
        for table, last in ((f"t_{name}", None), (f"m_{name}", "new")):
            found = spark_server.query(f"select id, name from {where}.{table} order by id")
            assert found == [*first, (3, last)]
        assert spark_server.query(f"select count(*) from {where}.v_{name}") == [(3,)]
    tables = {row[1] for row in spark_server.query(f"show tables in {where}")}
    assert tables == {f"{kind}_{name}" for kind in "tmv" for name in _NAMES}
    project.check_secrets()
