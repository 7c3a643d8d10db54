"""Queries that are wrong: refused by `run` and by `plan` before a source is read, with the place and the remedy."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from fault.shop import EITHER_SOURCE, Shop

pytestmark = pytest.mark.postgres

CUSTOMERS = "{{ source('crm', 'customers') }}"
ORDERS = "{{ source('erp', 'orders') }}"
JOINED = f"from {CUSTOMERS} c\njoin {ORDERS} o on o.customer_id = c.id"
SOURCES = """\
sources:
  - name: erp
    config: {meta: {connection: erp}}
    schema: main
    tables: [{name: orders}, {name: order_lines}]
"""
# For each model its query and what has to be said of it.
WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "comma": (f"select c.id,\n  c.name,,\n  o.amount\n{JOINED}", ("DVT340", "line 2, column 10", '","')),
    "bracket": (f"select c.id\n{JOINED}\nwhere (c.id = 1", ("DVT340", "line 4, column 15", "cannot be parsed")),
    "quote": (f"select c.id,\n  'ä', 'abc\n{JOINED}", ("DVT340", "line 2, column 8", "unterminated")),
    "twice": (f"select 1 as a {JOINED}; select 2", ("DVT340", "holds 2 statements", "Leave one query")),
    "ambiguous": (f"select c.name,\n  id\n{JOINED}", ("DVT340", "line 2, column 3", 'Ambiguous .*"id"', "c.id")),
    "in_where": (f"select c.id\n{JOINED}\nwhere id > 1", ("DVT340", "line 4, column 7", "Ambiguous")),
    "column": (f"select c.id, amuont\n{JOINED}", ("DVT340", "line 1, column 14", "did you mean 'amount'")),
    "of_alias": (
        f"select c.id,\n c.nmae\n{JOINED}",
        ("DVT340", "line 2, column 2", "did you mean 'name'", "crm", "erp"),
    ),
    "of_using": (f"select 1 as a from {CUSTOMERS} join {ORDERS} using (idd)", ("DVT340", '"idd"', "did you mean 'id'")),
    "only": (f"select idd from {CUSTOMERS}", ("DVT340", "line 1, column 8", "did you mean 'id'", "customers")),
    "alias": (f"select x.id\n{JOINED}", ("DVT340", "line 1, column 8", '"x"')),
    "grouped": (f"select c.id, sum(o.amount) as a\n{JOINED}", ("DVT340", "line 1, column 8", "GROUP BY")),
    "function": (f"select my_own(c.name) as a\n{JOINED}", ("DVT340", "line 1, column 8", "my_own")),
    "types": (f"select c.id\n{JOINED}\nwhere date_trunc('day', c.name) = o.amount", ("DVT340", "line 4")),
    "plain_name": (
        f"select c.id from {CUSTOMERS} c, ordres",
        ("DVT340", "line 1, column", "did you mean 'orders'", "source"),
    ),
    "three_parts": (
        f"select c.id from {CUSTOMERS} c, c_erp.main.orderz",
        ("DVT340", "did you mean 'c_erp.main.orders'"),
    ),
    "there": ("select * from {{ source('crm', 'slow') }}", ("DVT320", "public.slow", "known|did you mean")),
    "there_too": ("select * from {{ source('erp', 'order_lines') }}", ("DVT320", "order_lines", "'orders'")),
    "names": (f"select c.id, o.id\n{JOINED}", ("DVT340", "'id' twice", "another name")),
}
# What a check over empty relations must not refuse.
RIGHT = {
    "pivoted": f"pivot (select c.name, o.amount {JOINED}) on name using sum(amount)",
    "summarized": f"summarize (select c.name, o.amount {JOINED})",
    "macro": f"select unnest(range(o.id::bigint)) as n, o.* exclude (amount) {JOINED}",
}


@pytest.fixture
def wrong(shop: Shop) -> Shop:
    """A project of wrong models; the source writes down what it is asked."""
    shop.source("drop view slow")
    shop.source(f"alter database {shop.crm.database} set log_statement to 'all'")
    session = sqlite3.connect(shop.project.folder / "erp.db")
    session.execute("create table orders (id integer, customer_id integer, amount real)")
    session.execute("insert into orders values (1, 1, 2.5), (2, 2, 3.5)")
    session.commit()
    session.close()
    (shop.project.folder / "models" / "m.sql").unlink()
    shop.project.write(models__erp__yml=SOURCES)
    return shop


def _told(output: str) -> dict[str, str]:
    """What was said of each model, with its line breaks taken out."""
    parts = re.split(r"(?:Failure in model|model\.faults\.)\s*", output)[1:]
    return {part.split()[0]: " ".join(part.split()) for part in parts}


def _reads(shop: Shop) -> list[str]:
    """Statements with which the source's rows were read, by the server's own log."""
    log = (shop.crm.server.data.parent / "log").read_text(errors="replace")
    return re.findall(r'(?:statement|execute [^:]*): (.*from "public"\."customers".*)', log, re.IGNORECASE)


def test_a_wrong_query_is_refused_before_anything_is_read(wrong: Shop) -> None:
    wrong.project.write(**{f"models__{name}__sql": query for name, (query, _) in WRONG.items()})
    before = len(_reads(wrong))
    for words in (("run",), ("plan",)):
        told = _told(wrong.project.run(*words, code=1).output)
        for name, (_, parts) in WRONG.items():
            for part in parts:
                assert re.search(part, told[name]), f"{words[0]}, {name}: {part} is not in\n{told[name]}"
            assert "Traceback" not in told[name]
            assert "sqlglot" not in told[name]
    assert len(_reads(wrong)) == before
    assert wrong.warehouse("select count(*) from pg_class where relnamespace = 'analytics'::regnamespace") == "0"
    wrong.check_clean()


def test_a_right_query_is_not_refused(wrong: Shop) -> None:
    wrong.project.write(**{f"models__{name}__sql": query for name, query in RIGHT.items()})
    before = len(_reads(wrong))
    wrong.project.run("plan", code=0)
    assert len(_reads(wrong)) == before
    wrong.project.run("run", code=0)
    assert len(_reads(wrong)) > before
    assert wrong.warehouse('select "Ann", "Bob" from analytics.pivoted') == "2.5|3.5"
    assert wrong.warehouse("select count(*) from analytics.summarized") == "2"
    assert wrong.warehouse("select n, id from analytics.macro order by 1, 2") == "0|1\n0|2\n1|2"


# A planner that guesses a collation, in a process of its own.
GUESSING = """
from dataclasses import replace
from dvt.connections import mysql, postgres
from dvt.connections.comparing import Comparing, Trust
guess = Comparing(equal=Trust.EXACT, unequal=Trust.EXACT, collation="dvt_guess")
for spec in (postgres.SPEC, mysql.SPEC, mysql.MARIADB_SPEC):
    families = {**spec.comparing.families, "text": (guess,)}
    object.__setattr__(spec, "comparing", replace(spec.comparing, families=families))
from dvt.cli.main import main
main()
"""


@EITHER_SOURCE
def test_a_filter_that_the_source_refuses_is_the_planners_fault(shop: Shop) -> None:
    """An error with its own code; the filter is named, and nothing lands without it."""
    shop.build_old()
    query = f"select id, name from {CUSTOMERS} where name <> 'Bob' and id > 0"
    shop.project.write(models__m__sql=query, guessing__py=GUESSING)
    for off, code in (("", 1), ("{{ config(meta={'dvt_pushdown': 'off'}) }} ", 0)):
        shop.project.write(models__m__sql=off + query)
        ended = _guessing(shop.project.folder, shop.project.env)
        assert ended.returncode == code, ended.stdout
        if code:
            said = " ".join(ended.stdout.split())
            for part in (
                "DVT341",
                "connection crm",
                "dvt_guess",
                "\"name\" <> 'Bob' [exact]",
                "meta.dvt_pushdown: off",
            ):
                assert part in said, said
            shop.check_whole()
    assert shop.warehouse("select id, name from analytics.m") == "1|Ann"
    results = json.loads((shop.project.folder / "target" / "run_results.json").read_text())["results"]
    assert results[0]["adapter_response"]["dvt"]["inputs"][0]["rows"] == 2


def _guessing(folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "guessing.py", "run"],
        cwd=folder,
        env={**os.environ, "DBT_PROFILES_DIR": str(folder), "NO_COLOR": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
