"""Models that land on an emulated Snowflake, for which there is no dbt adapter here."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fault.kit import PROJECT, Faulty
from servers.snowflake import SnowflakeServer

pytestmark = [pytest.mark.snowflake, pytest.mark.slow]

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
VIEW = "{{ config(materialized='view') }} select ID from {{ ref('t') }}"


def test_models_land_on_snowflake(snowflake_server: SnowflakeServer, tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "create table customers (batch int, id int, name text);"
            "insert into customers values (1, 1, 'Änn '' \"\\N \t\n,x'), (1, 2, ''), (1, 3, '\\N'), (2, 3, null)"
        )
    server = snowflake_server
    outputs: dict[str, Any] = {"crm": {"type": "sqlite", "path": str(path)}, "web": server.output(schema="landed")}
    project = Faulty(tmp_path, outputs, secrets=[outputs["web"]["password"]])
    files = {"models__t__sql": TABLE, "models__m__sql": MERGED, "models__v__sql": VIEW}
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
    project.write_profile("web")
    server.statements()
    for _ in range(2):  # the second time over what is there
        project.run("run", code=0)
    # The emulator does not care: in Snowflake a name in quotes that is not in capitals is another one.
    sent = [re.sub(r"(?s)/\*.*?\*/|'[^']*'", "", sql) for sql in server.statements()]
    assert [sql for sql in sent if '"LANDED"."T"' in sql]
    assert not [sql for sql in sent if re.search(r'"\w*[a-z]\w*"', sql)]
    first = [("1", "Änn ' \"\\N \t\n,x"), ("2", ""), ("3", "\\N")]
    for table, expected in (("T", first), ("M", [*first[:2], ("3", None)])):
        found = server.query(f"select ID::varchar as I, NAME from LANDED.{table} order by 1")
        assert [(row["I"], row["NAME"]) for row in found] == expected
    assert [row["N"] for row in server.query("select ID::varchar as N from LANDED.V order by 1")] == ["1", "2", "3"]
    left = server.query("select table_name as N from information_schema.tables where table_schema = 'LANDED'")
    assert not [row["N"] for row in left if "DVT_" in row["N"]]
    assert server.stages() == []
    project.check_secrets()
