"""Models that land on Athena (our service, moto's S3 and Glue), for which there is no dbt adapter here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty

pytest.importorskip("moto")

from servers.athena import with_glue

pytestmark = pytest.mark.slow

SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""
TABLE = "select id, name from {{ source('crm', 'customers') }} where batch = 1"
CHANGED = """\
{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id') }}
select id, name from {{ source('crm', 'customers') }}
{% if is_incremental() %} where batch = 2 {% else %} where batch = 1 {% endif %}
"""


def test_models_land_on_athena(tmp_path: Path) -> None:
    with with_glue() as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ %s\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
            )
        lake = server.output(schema="analytics")
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "lake": lake}
        project = Faulty(tmp_path, outputs, secrets=["s3cret-of-moto"])
        files = {"models__t__sql": TABLE, "models__m__sql": CHANGED}
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("lake")
        plan = json.loads(project.run("plan", "--json", code=0).output)
        landings = {node["unique_id"].split(".")[-1]: node.get("landing_way") for node in plan["nodes"]}
        assert landings["t"] == {"way": "one atomic step", "atomic": True}
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        first = [(1, "Änn ' \"\\ %s\n,x"), (2, ""), (3, None)]
        for table, expected in (("t", first), ("m", [*first[:2], (3, "new")])):
            with server.hive.read(f'select id, name from "analytics"."{table}" order by 1') as read:
                assert server.sql.run(read).fetchmany(9) == expected
        assert sorted(server.hive.names("analytics")) == ["m", "t"]
        project.check_secrets()
