"""`--empty` and `--sample` reach the source: what the server's own log says that it was asked, and what landed."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.harness import Project
from servers.mariadb import MariaDBServer
from servers.postgres import PostgresServer

ROWS = 400  # one row for every six hours from 1 January 2026
WINDOW = ("--sample", "{start: '2026-01-11', end: '2026-01-21'}")
IN_WINDOW = "placed_at >= timestamp '2026-01-11 00:00:00' and placed_at < timestamp '2026-01-21 00:00:00'"
DBT_PROJECT = {"name": "shop", "version": "1.0", "profile": "shop", "models": {"+materialized": "table"}}
SOURCES = """\
sources:
  - name: crm
    config: {meta: {connection: crm}}
    schema: SCHEMA
    tables:
      - name: orders
        config: {event_time: placed_at}
  - name: erp
    config: {meta: {connection: erp}}
    schema: main
    tables:
      - name: people
        config: {event_time: born}
"""
PLAIN = "select id, placed_at from {{ source('crm', 'orders') }}"
JOINED = """\
with orders as (select * from {{ source('crm', 'orders') }}),
people as (select * from {{ source('erp', 'people') }})
select o.id, p.name from orders o left join people p on p.id = o.person_id
"""
COUNTED = "select count(*) as n, max(id) as last from {{ source('crm', 'orders') }}"
GROWING = """\
{{ config(materialized='incremental', unique_key='id') }}
select id, person_id from {{ source('crm', 'orders') }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
"""
SNAPSHOT = (
    "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols='all', target_schema='analytics') }}"
    " select id, person_id from {{ source('crm', 'orders') }}{% endsnapshot %}"
)


@dataclass
class Shop:
    """A project that lands on PostgreSQL and reads `orders` of a server and `people` of a SQLite file."""

    project: Project
    server: PostgresServer
    warehouse: str
    wanted: Callable[[str], str]

    def write(self, **files: str) -> None:
        for name, text in files.items():
            folder = self.project.folder / ("snapshots" if "{% snapshot" in text else "models")
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.sql").write_text(text)

    def landed(self, sql: str) -> str:
        return self.server.psql(self.warehouse, sql)

    def inputs(self, name: str) -> dict[str, dict[str, Any]]:
        """What a node read, by the source's name."""
        found = self.project.results()[name]["adapter_response"]["dvt"]
        return {read["relation"]: {"lane": found["lane"], **read} for read in found["inputs"]}

    def planned(self, *words: str) -> dict[str, dict[str, Any]]:
        document = json.loads(self.project.dvt("--quiet", "plan", "--json", *words))
        return {node["unique_id"].split(".")[2]: node for node in document["nodes"]}

    def logged(self) -> list[str]:
        """The reads of `orders` that the server was asked for since the last call, by its own log."""
        log = self.server.data.parent / "log"
        text, self._seen = log.read_text(errors="replace")[getattr(self, "_seen", 0) :], log.stat().st_size
        found = re.findall(r"(?:statement|execute [^:]*): (.*)", text)
        return [words for words in found if re.search(r'from "public"\."orders"', words, re.IGNORECASE)]


def make_shop(
    folder: Path, server: PostgresServer, crm: dict[str, Any], wanted: Callable[[str], str], env: dict[str, str]
) -> Shop:
    warehouse = server.create_database(f"dw_{uuid.uuid4().hex[:6]}")
    server.psql(warehouse, "create schema analytics")
    env = {"HOME": str(folder), "PG_PASSWORD": server.password, **env}
    landing = {**server.output(warehouse, "analytics"), "password": "{{ env_var('PG_PASSWORD') }}", "threads": 2}
    outputs = {"warehouse": landing, "crm": crm, "erp": {"type": "sqlite", "path": "erp.db"}}
    session = sqlite3.connect(folder / "erp.db")
    session.execute("create table people (id integer, name text, born timestamp)")
    session.executemany("insert into people values (?, ?, '2026-01-15 00:00:00')", [(n, f"p{n}") for n in range(5)])
    session.commit()
    session.close()
    (folder / "models").mkdir()
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(DBT_PROJECT))
    (folder / "profiles.yml").write_text(yaml.safe_dump({"shop": {"target": "warehouse", "outputs": outputs}}))
    (folder / "models" / "sources.yml").write_text(SOURCES.replace("SCHEMA", crm["schema"]))
    shop = Shop(Project(folder, env), server, warehouse, wanted)
    shop.write(plain=PLAIN, joined=JOINED, counted=COUNTED)
    return shop


@pytest.fixture
def shop(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Shop]:
    name = postgres_server.create_database(f"crm_{uuid.uuid4().hex[:6]}")
    made = (
        "create table orders as select g as id, g % 5 as person_id,"
        f" timestamp '2026-01-01' + g * interval '6 hours' as placed_at from generate_series(1, {ROWS}) g;"
        f" alter database {name} set log_statement to 'all';"
    )
    postgres_server.psql(name, made)
    crm = {**postgres_server.output(name), "password": "{{ env_var('PG_PASSWORD') }}"}
    shop = make_shop(tmp_path, postgres_server, crm, lambda sql: postgres_server.psql(name, sql), {})
    shop.logged()
    yield shop
    for database in (name, shop.warehouse):
        postgres_server.psql("postgres", f"drop database {database} (force)")


@pytest.mark.postgres
@pytest.mark.parametrize("level", ["safe", "off"])
def test_an_empty_run_asks_for_no_rows(shop: Shop, level: str) -> None:
    (shop.project.folder / "dvt.yml").write_text(f"pushdown: {level}\n")
    shop.project.dvt("run", "--empty")
    asked = shop.logged()
    assert len(asked) >= 1
    assert [words for words in asked if "limit 0" not in words.lower()] == []
    for name in ("plain", "joined", "counted"):
        assert {read["rows"] for read in shop.inputs(name).values()} == {0}, name
    assert shop.inputs("joined").keys() == {"crm.orders", "erp.people"}
    assert shop.inputs("plain")["crm.orders"]["lane"] == ("federated" if level == "off" else "direct")
    assert shop.landed("select count(*) from analytics.plain") == "0"
    assert shop.landed("select count(*) from analytics.joined") == "0"
    assert shop.landed("select n, last is null from analytics.counted") == "0|t"
    types = "select attname, format_type(atttypid, atttypmod) from pg_attribute where attnum > 0 and attrelid ="
    assert shop.landed(f"{types} 'analytics.plain'::regclass order by attnum") == (
        "id|integer\nplaced_at|timestamp without time zone"
    )
    # The same project without the flag, so that the log is known to see what is read.
    shop.project.dvt("run")
    assert any("limit 0" not in words.lower() for words in shop.logged())
    assert shop.landed("select count(*) from analytics.joined") == str(ROWS)


@pytest.mark.postgres
def test_an_empty_build_with_a_snapshot_and_a_watermark(shop: Shop) -> None:
    """What is there stays, and the watermark is still read of the landing."""
    shop.write(growing=GROWING, kept=SNAPSHOT)
    shop.project.dvt("build")
    shop.wanted("insert into orders select 1000, 1, timestamp '2026-06-01'")
    shop.logged()
    shop.project.dvt("build", "--empty")
    assert [words for words in shop.logged() if "limit 0" not in words.lower()] == []
    rows = "select count(*) from analytics.{}"
    assert shop.landed(rows.format("growing")) == shop.landed(rows.format("kept")) == str(ROWS)
    assert shop.landed(rows.format("plain")) == "0"
    shop.project.dvt("build", "--select", "growing", "kept")
    assert shop.landed(rows.format("growing")) == shop.landed(rows.format("kept")) == str(ROWS + 1)


@pytest.mark.postgres
def test_the_plan_tells_what_is_left_at_the_source(shop: Shop) -> None:
    nodes = shop.planned("--empty")
    scans = {scan["connection"]: scan for scan in nodes["joined"]["scans"]}
    assert scans["crm"]["sql"] == 'SELECT "id", "person_id" FROM "public"."orders" LIMIT 0'
    assert scans["erp"]["sql"].endswith(" LIMIT 0")
    assert [scan["limit"] for scan in scans.values()] == [0, 0]
    assert [c["condition"] for c in scans["crm"]["conditions"]] == ["no rows"]
    assert nodes["plain"]["lane"] == "direct"
    (scan,) = shop.planned(*WINDOW)["counted"]["scans"]
    assert "'2026-01-11 00:00:00'" in scan["sql"]
    assert [(c["pushed"], c["exact"]) for c in scan["conditions"]] == [(True, True), (True, True)]
    assert shop.logged() == []
    assert "LIMIT 0" in shop.project.dvt("plan", "--empty")


@pytest.mark.postgres
@pytest.mark.parametrize("type_", ["timestamp", "timestamptz", "date"])
def test_a_sample_asks_for_its_window(shop: Shop, type_: str) -> None:
    shop.wanted(f"set timezone to 'UTC'; alter table orders alter placed_at type {type_}")
    shop.logged()
    shop.project.dvt("run", *WINDOW)
    asked = shop.logged()
    assert asked
    assert [words for words in asked if not ("2026-01-11" in words and "2026-01-21" in words)] == []
    ids = "select string_agg(id::text, ',' order by id) from orders where "
    check_window(shop, shop.wanted("set timezone to 'UTC'; " + ids + IN_WINDOW))


def check_window(shop: Shop, ids: str) -> None:
    """The window's rows were read and landed, and no others.

    Args:
        shop: Where.
        ids: The window's ids by the source's own word, with commas.
    """
    few = ids.count(",") + 1
    assert 1 < few < ROWS / 5
    for name in ("plain", "joined", "counted"):
        assert shop.inputs(name)["crm.orders"]["rows"] == few, name
    for name in ("plain", "joined"):
        assert shop.landed(f"select string_agg(id::text, ',' order by id) from analytics.{name}") == ids
    # SQLite is not asked for the window, whose texts compare in another way; the engine keeps it all the same.
    assert shop.landed("select count(*) from analytics.joined where name is null") == "0"
    assert shop.landed("select n from analytics.counted") == str(few)


@pytest.mark.mysql
def test_a_sample_and_an_empty_run_of_mariadb(
    tmp_path: Path, postgres_server: PostgresServer, mariadb_server: MariaDBServer
) -> None:
    name = mariadb_server.create_database(f"crm_{uuid.uuid4().hex[:6]}")
    rows = f"select seq, seq % 5, timestamp'2026-01-01 00:00:00' + interval seq * 6 hour from seq_1_to_{ROWS}"
    made = f"create table orders (id int, person_id int, placed_at datetime); insert into orders {rows}"
    mariadb_server.execute(made, name)
    crm = {**mariadb_server.output(name), "schema": name, "password": "{{ env_var('MARIA_PASSWORD') }}"}
    env = {"MARIA_PASSWORD": mariadb_server.password}
    shop = make_shop(tmp_path, postgres_server, crm, lambda sql: mariadb_server.query(sql, name).strip(), env)
    shop.project.dvt("run", "--empty")
    for node in ("plain", "joined", "counted"):
        assert {read["rows"] for read in shop.inputs(node).values()} == {0}, node
    assert all(s["sql"].endswith("LIMIT 0") for node in shop.planned("--empty").values() for s in node["scans"])
    shop.project.dvt("run", *WINDOW)
    check_window(shop, shop.wanted(f"select group_concat(id order by id) from orders where {IN_WINDOW}"))
