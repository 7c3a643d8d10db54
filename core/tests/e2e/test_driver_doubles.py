"""A project whose model joins Db2 with Teradata, run as a user does; in their drivers' places stand doubles.

Each process that imports a driver gets a double of its own, filled with the same rows.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from fault.kit import PROJECT, Faulty
from servers import db2_driver, teradata_driver

pytestmark = pytest.mark.slow

DB2 = """\
from servers.db2_driver import Db2Double, members
double = Db2Double()
double.execute('create table "KIT"."CUSTOMERS" (ID INTEGER, NAME VARCHAR(20), SINCE TIMESTAMP(6), OPENS TIME)')
rows = ", ".join(f"({n}, 'c{n}', '2020-01-0{n + 1} 00:00:00', '09:00:00')" for n in range(5))
double.execute('insert into "KIT"."CUSTOMERS" values ' + rows)
globals().update(members(double)["ibm_db_dbi"])
"""
TERADATA = """\
from servers.teradata_driver import TeradataDouble, members
double = TeradataDouble()
double.execute('create multiset table "kit"."orders"'
               ' (id INTEGER, customer INTEGER, code CHAR(5), amount DECIMAL(12,2))')
rows = ", ".join(f"({n}, {n % 7}, 'n{n % 3}', {n})" for n in range(1, 5001))
double.execute('insert into "kit"."orders" values ' + rows)
double.execute("insert into DBC.StatsV values ('kit', 'orders', 100000)")
double.execute("insert into DBC.TablesV values ('kit', 'orders', 'T')")
globals().update(members(double)["teradatasql"])
"""
SOURCES = """\
sources:
  - name: erp
    config: {meta: {connection: erp}}
    schema: KIT
    tables:
      - name: CUSTOMERS
        columns: [{name: ID, data_tests: [not_null, unique]}]
  - name: edw
    config: {meta: {connection: edw}}
    schema: kit
    tables:
      - name: orders
        columns: [{name: code, data_tests: [not_null]}]
"""
MODEL = """\
select c."NAME" as name, o.code, count(*) as n, sum(o.amount) as amount, max(c."SINCE") as since
from {{ source('edw', 'orders') }} o join {{ source('erp', 'CUSTOMERS') }} c on c."ID" = o.customer
where o.id > 10 and o.code <> 'n2'
group by 1, 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Faulty:
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    (drivers / "ibm_db_dbi.py").write_text(DB2)
    (drivers / "teradatasql.py").write_text(TERADATA)
    tests = Path(__file__).parents[1]
    outputs = {
        "warehouse": {"type": "duckdb", "path": str(tmp_path / "w.duckdb"), "schema": "analytics"},
        "erp": dict(db2_driver.db2_place(db2_driver.Db2Double()).output),
        "edw": dict(teradata_driver.teradata_place(teradata_driver.TeradataDouble()).output),
    }
    folder = tmp_path / "project"
    folder.mkdir()
    secrets = [db2_driver.PASSWORD, teradata_driver.PASSWORD]
    made = Faulty(folder, outputs, {"DVT_TEST_LATE_PATH": f"{drivers}:{tests}"}, secrets)
    made.write(dbt_project__yml=PROJECT, models__sources__yml=SOURCES, models__m__sql=MODEL)
    made.write_profile()
    return made


def test_a_join_of_db2_with_teradata(project: Faulty) -> None:
    project.run("run", code=0)
    with duckdb.connect(project.outputs["warehouse"]["path"], read_only=True) as db:
        found = db.execute("select name, code, n, amount, since::varchar from analytics.m order by 1, 2").fetchall()
    expected: dict[tuple[str, str], list[int]] = {}
    for number in range(11, 5001):
        if number % 7 < 5 and number % 3 != 2:
            expected.setdefault((f"c{number % 7}", f"n{number % 3}"), []).append(number)
    assert [(name, code, n, int(amount), since) for name, code, n, amount, since in found] == [
        (name, code, len(numbers), sum(numbers), f"2020-01-0{int(name[1]) + 1} 00:00:00")
        for (name, code), numbers in sorted(expected.items())
    ]
    assert "Done. PASS=3" in project.run("test", code=0).output
    project.run("docs", "generate", code=0)
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text())
    orders = catalog["sources"]["source.faults.edw.orders"]["columns"]
    assert {name: column["type"] for name, column in orders.items()} == {
        "id": "INTEGER",
        "customer": "INTEGER",
        "code": "CHAR",
        "amount": "DECIMAL(12,2)",
    }


def test_plan_and_debug(project: Faulty) -> None:
    document = json.loads(project.run("plan", "--json", code=0).output)
    (node,) = (node for node in document["nodes"] if node["unique_id"] == "model.faults.m")
    scans = {scan["connection"]: scan["sql"] for scan in node["scans"]}
    assert '"id" > 10' in scans["edw"]
    assert "n2" not in scans["edw"]  # texts are not told apart there
    said = project.run("debug", code=0).output
    assert "ok    erp (db2)  Db2 11.05.0900" in said
    assert "ok    edw (teradata)  Teradata 17.20.03.22" in said
