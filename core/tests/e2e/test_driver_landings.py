"""Models that land on engines of which there is no server here: in their drivers' places stand doubles.

Each process that imports a driver gets a double of its own, filled with the same rows; at its end it writes down what
is in its tables.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fault.kit import PROJECT, Faulty
from servers import db2_driver, oracle_driver, teradata_driver

pytestmark = pytest.mark.slow

# What every double begins with: tables of an earlier run.
FILLED = """
for name in ("append", "merge", "delete_insert"):
    double.execute(f"create {TABLE} {{place(name)}} ({ID}, {NAME})")
    double.execute(f"insert into {{place(name)}} values (1, 'one')")
    double.execute(f"insert into {{place(name)}} values (2, 'two')")

import atexit, json, os
from pathlib import Path

@atexit.register
def _written_down():
    if not double.was_asked:
        return  # another process of the command's
    found = {{name: double.content(name) for name in double.listed()}}
    Path(os.environ["DVT_TEST_FOUND"], f"{{os.getpid()}}.json").write_text(json.dumps(found))
"""
ORACLE = """
import oracledb
from servers.oracle_writing import OracleWritingDouble
double = OracleWritingDouble()
oracledb.connect = double.connect

def place(name):
    return f'"KIT"."{name.upper()}"'
"""
DB2 = """
from servers.db2_driver import members
from servers.db2_writing import Db2WritingDouble
double = Db2WritingDouble()
globals().update(members(double)["ibm_db_dbi"])

def place(name):
    return f'"KIT"."{name}"'
"""
TERADATA = """
from servers.teradata_driver import members
from servers.teradata_writing import TeradataWritingDouble
double = TeradataWritingDouble()
globals().update(members(double)["teradatasql"])

def place(name):
    return f'"kit"."{name}"'
"""
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
VIEW = "{{ config(materialized='view') }} select COLUMN from {{ ref('t') }}"
_STRATEGIES = ("append", "merge", "delete_insert")


@dataclass(frozen=True)
class Engine:
    """An engine.

    Args:
        way: Its landing way, and whether that is atomic.
        module: What makes its double.
        file: The module's file; one that the command begins with where the vendor's module stays.
        filled: Words of its CREATE TABLE: before the name, and for the two columns.
        output: A profile output.
        secret: Its password.
        column: How a view says a column.
        empty: Words of the error for an empty text; none where it arrives.
    """

    way: tuple[str, bool]
    module: str
    file: str
    filled: tuple[str, str, str]
    output: dict[str, Any]
    secret: str
    column: str = '"id"'
    empty: str = ""


ENGINES = {
    "oracle": Engine(
        ("DELETE and INSERT in one transaction", True),
        ORACLE,
        "late_start.py",
        ("table", '\\"ID\\" NUMBER(19,0)', '\\"NAME\\" VARCHAR2(4000)'),
        oracle_driver.output(schema="kit"),
        oracle_driver.PASSWORD,
        "id",
        "no empty texts",
    ),
    "db2": Engine(
        ("drop and rename in one transaction", True),
        DB2,
        "ibm_db_dbi.py",
        ("table", '\\"id\\" BIGINT', '\\"name\\" VARCHAR(32672)'),
        dict(db2_driver.db2_place(db2_driver.Db2Double()).output),
        db2_driver.PASSWORD,
    ),
    "teradata": Engine(
        ("DELETE and INSERT in one transaction", True),
        TERADATA,
        "teradatasql.py",
        ("table", '\\"id\\" BIGINT', '\\"name\\" VARCHAR(32000)'),
        dict(teradata_driver.teradata_place(teradata_driver.TeradataDouble()).output),
        teradata_driver.PASSWORD,
    ),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> Faulty:
    pytest.importorskip("oracledb")
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    words = dict(zip(("TABLE", "ID", "NAME"), engine.filled, strict=True))
    (drivers / engine.file).write_text(engine.module + FILLED.format(**words))
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "create table customers (batch int, id int, name text);"
            "create table changes (batch int, id int, name text);"
            "insert into customers values (1, 1, 'Änn '' \"\\ \n,x'), (1, 3, null), (2, 4, '');"
            "insert into changes values (1, 9, 'nine'), (2, 2, 'TWO'), (2, 3, 'three')"
        )
    outputs = {"crm": {"type": "sqlite", "path": str(path)}, "web": engine.output}
    folder, found = tmp_path / "project", tmp_path / "found"
    folder.mkdir()
    found.mkdir()
    env = {"DVT_TEST_LATE_PATH": f"{drivers}:{Path(__file__).parents[1]}", "DVT_TEST_FOUND": str(found)}
    made = Faulty(folder, outputs, env, [engine.secret])
    files = {f"models__{name}__sql": CHANGES.replace("STRATEGY", name.replace("_", "+")) for name in _STRATEGIES}
    files |= {"models__t__sql": TABLE, "models__v__sql": VIEW.replace("COLUMN", engine.column)}
    made.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, **files)
    made.write_profile("web")
    return made


def _found(project: Faulty) -> dict[str, list[Any]]:
    """What the last command left in its tables."""
    (file,) = sorted(Path(project.env["DVT_TEST_FOUND"]).glob("*.json"), key=lambda path: path.stat().st_mtime)[-1:]
    found = {name.lower(): sorted(rows, key=str) for name, rows in json.loads(file.read_text()).items()}
    file.unlink()
    return found


def test_models_land(project: Faulty, engine: Engine) -> None:
    plan = json.loads(project.run("plan", "--json", code=0).output)
    landings = {node["unique_id"].split(".")[-1]: node["landing_way"] for node in plan["nodes"]}
    assert landings["t"] == {"way": engine.way[0], "atomic": engine.way[1]}
    assert "Traceback" not in (said := project.run("run", code=0).output), said
    found = _found(project)
    assert found.pop("v") == [[1], [3]], found
    changed = [[1, "one"], [2, "TWO"], [3, "three"]]
    assert found == {
        "t": [[1, "Änn ' \"\\ \n,x"], [3, None]],
        "append": [[1, "one"], [2, "TWO"], [2, "two"], [3, "three"]],
        "merge": changed,
        "delete_insert": changed,
    }
    project.check_secrets()


def test_mistakes_leave_all_as_it_was(project: Faulty, engine: Engine) -> None:
    with closing(sqlite3.connect(project.outputs["crm"]["path"])) as db:
        db.executescript("delete from changes where batch = 2; insert into changes values (2, 9, 'a'), (2, 9, 'b')")
    project.write(models__t__sql=TABLE.replace(" where batch = 1", ""))
    said = project.run("run", "--exclude", "append", "v", code=1).output
    assert said.lower().count("rows with the key id = ") >= 2
    found = _found(project)
    before = [[1, "one"], [2, "two"]]
    assert (found["merge"], found["delete_insert"]) == (before, before)
    if engine.empty:
        assert engine.empty in " ".join(said.split())
        assert "column name" in said
        assert set(found) == {"append", "merge", "delete_insert"}
    else:
        assert found["t"] == [[1, "Änn ' \"\\ \n,x"], [3, None], [4, ""]]
    project.check_secrets()
