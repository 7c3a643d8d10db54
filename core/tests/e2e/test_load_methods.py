"""By which method a model's rows are loaded: what `dvt plan` says, and that a run does it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from fault.kit import PROJECT, Faulty
from servers.postgres import COPIED, PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
SOURCES = """\
sources:
  - {name: crm, config: {meta: {connection: crm}}, schema: main, tables: [{name: customers}]}
"""


def test_a_plan_says_by_which_method_and_why_not_the_first(postgres_server: PostgresServer, tmp_path: Path) -> None:
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("create table customers (id int, name text); insert into customers values (1, 'ä'), (2, null)")
    landing = postgres_server.output(postgres_server.create_database("load_methods_e2e"), dvt={"load_by": "buffered"})
    project = Faulty(tmp_path, {"crm": {"type": "sqlite", "path": str(path)}, "warehouse": landing}, secrets=[])
    model = "select id, name from {{ source('crm', 'customers') }}"
    project.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=model)
    project.write_profile("warehouse")
    document = json.loads(project.run("plan", "--json", code=0).output)
    jsonschema.validate(document, SCHEMA)
    (node,) = document["nodes"]
    passed = [{"method": method, "why": "dvt.load_by is buffered"} for method in sorted({COPIED, "copy_csv"})]
    assert node["loading"] == {"method": "insert", "passed_over": passed, "unknown_because": ""}
    said = project.run("plan", code=0).output
    assert "  loads    by insert\n           not by " in said
    assert "           not by copy_csv: dvt.load_by is buffered\n" in said
    project.run("run", code=0)
    schema = landing["schema"]
    found = postgres_server.psql("load_methods_e2e", f"select id, name is null from {schema}.m order by 1")
    assert found.split() == ["1|f", "2|t"]
