"""Models that land on Redshift (PostgreSQL behind a proxy, moto's S3), for which there is no dbt adapter here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fault.kit import PROJECT, Faulty
from servers import s3
from servers.postgres import PostgresServer
from servers.redshift import running

pytest.importorskip("redshift_connector")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

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
VIEW = "{{ config(materialized='view') }} select count(*) as n from {{ ref('m') }}"


def test_models_land_on_redshift(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = "e2e_redshift_to"
    with s3.running() as url, running(postgres_server, database, url) as server:
        path = tmp_path / "crm.sqlite"
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "create table customers (batch int, id int, name text);"
                "insert into customers values (1, 1, 'Änn '' \"\\ %s\n,x'), (1, 2, ''), (1, 3, null), (2, 3, 'new')"
            )
        options = {"load_through": f"s3://{s3.BUCKET}/in", "load_role": "default"}
        web = server.output(schema="analytics", dvt=options)
        outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": web}
        project = Faulty(tmp_path, outputs, secrets=["s3cret-of-moto"])
        files = {
            "models__t__sql": TABLE,
            "models__m__sql": MERGED,
            "models__v__sql": VIEW,
        }
        project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
        project.write_profile("web")
        plan = json.loads(project.run("plan", "--json", code=0).output)
        landings = {node["unique_id"].split(".")[-1]: node.get("landing_way") for node in plan["nodes"]}
        assert landings["t"] == {"way": "drop and rename in one transaction", "atomic": True}
        for _ in range(2):  # the second time over what is there
            project.run("run", code=0)
        first = "1:Änn ' \"\\ %s\n,x;2:;3:NULL"
        for table, expected in (("t", first), ("m", first.replace("NULL", "new"))):
            sql = f"select string_agg(id || ':' || coalesce(name, 'NULL'), ';' order by id) from analytics.{table}"
            assert postgres_server.psql(database, sql) == expected
        assert postgres_server.psql(database, "select n from analytics.v") == "3"
        assert len([sql for sql in server.copies.statements if "iam_role default" in sql]) == 4
        sql = "select string_agg(relname, ',' order by relname) from pg_class c join pg_namespace n on"
        where = "n.oid = c.relnamespace where nspname = 'analytics' and relkind in ('r', 'v')"
        assert postgres_server.psql(database, f"{sql} {where}") == "m,t,v"
        assert s3.keys() == []
        project.check_secrets()
