"""A model over sources read by Spark's `read.jdbc` and buffered: what plan, log and results say, and its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from fault.kit import PROJECT, Faulty
from servers.mariadb import MariaDBServer
from servers.pooler import pooler
from servers.postgres import PostgresServer
from servers.spark import missing, spark_home

pytestmark = [pytest.mark.spark, pytest.mark.postgres, pytest.mark.slow]

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
JARS = ["/usr/share/java/postgresql.jar", "/usr/share/java/mariadb-java-client.jar"]
SOURCES = """\
sources:
  - {name: crm, schema: public, config: {meta: {connection: crm}}, tables: [{name: customers}]}
  - {name: erp, schema: method_e2e, config: {meta: {connection: erp}}, tables: [{name: orders}]}
  - {name: web, schema: public, config: {meta: {connection: web}}, tables: [{name: visits}]}
"""
# One after the other: the second model's source is read by the Spark of the first.
OF_CRM = """\
select c.name, max(v.n) as visits from {{ source('crm', 'customers') }} c
join {{ source('web', 'visits') }} v on v.customer = c.id group by 1
"""
OF_ERP = """\
-- depends_on: {{ ref('of_crm') }}
select o.customer, sum(o.amount) as amount, max(o.at) as last_at, max(v.n) as visits
from {{ source('erp', 'orders') }} o join {{ source('web', 'visits') }} v on v.customer = o.customer group by 1
"""
ANSWERS = {
    "select name, visits from analytics.of_crm order by 1": (
        "select name, max(n) from customers c join visits v on v.customer = c.id group by 1 order by 1"
    ),
    # The orders are in PostgreSQL too, where the server itself answers.
    "select customer, trim_scale(amount), last_at, visits from analytics.of_erp order by 1": (
        "select o.customer, trim_scale(sum(amount)), max(at), max(n) from orders o"
        " join visits v on v.customer = o.customer group by 1 order by 1"
    ),
}


@pytest.fixture
def project(
    postgres_server: PostgresServer, mariadb_server: MariaDBServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Faulty]:
    monkeypatch.setattr("fault.kit._PATIENCE_S", 400)  # Spark starts in ten seconds, or a minute on a busy machine
    gone = [jar for jar in JARS if not Path(jar).is_file()]
    if why := missing() or (f"there is no {gone[0]}" if gone else ""):
        pytest.skip(why)
    database = postgres_server.create_database("method_e2e")
    postgres_server.psql(
        database,
        "create schema analytics; create table customers (id int primary key, name text);"
        "insert into customers select n, 'c' || n from generate_series(0, 19) n;"
        "create table visits as select n % 20 as customer, n from generate_series(1, 1000) n;"
        "create table orders as select n as id, n % 20 as customer, (n / 8.0)::numeric(12, 3) as amount,"
        " timestamp '2024-01-01' + n * interval '1 minute' as at from generate_series(1, 1000) n",
    )
    erp = mariadb_server.create_database("method_e2e")
    mariadb_server.execute(
        "create table orders (id int primary key, customer int, amount decimal(12, 3), at datetime(6));"
        "insert into orders select seq, seq % 20, seq / 8, timestamp '2024-01-01 00:00:00' + interval seq minute"
        " from seq_1_to_1000",
        erp,
    )
    by_spark = {"read_by": "jdbc", "jdbc": {"jars": JARS, "parts": 2}}
    with pooler(postgres_server.port, copy=("0A000", "no COPY here"), declare=("0A000", "no cursors here")) as before:
        web = {**postgres_server.output(database), "port": before.port}
        outputs = {
            "warehouse": postgres_server.output(database, "analytics"),
            "crm": postgres_server.output(database, dvt=by_spark),
            "erp": mariadb_server.output(erp, dvt=by_spark),
            "web": web,
        }
        made = Faulty(tmp_path, outputs, env={"SPARK_HOME": str(spark_home())})
        made.write(
            dbt_project__yml=PROJECT,
            models__sources__yml=SOURCES,
            models__of_crm__sql=OF_CRM,
            models__of_erp__sql=OF_ERP,
        )
        made.write_profile()
        yield made


def test_plan_run_and_results(project: Faulty, postgres_server: PostgresServer) -> None:
    planned = json.loads(project.run("plan", "--json", code=0).output)
    jsonschema.validate(planned, SCHEMA)
    scans = {scan["connection"]: scan for node in planned["nodes"] for scan in node["scans"]}
    shown = {name: (scan["read_by"], scan["method"]) for name, scan in scans.items()}
    spark = ("jdbc", "jdbc_spark")
    assert shown == {"crm": spark, "erp": spark, "web": ("native", "buffered")}
    assert scans["crm"]["remarks"][0] == "not a snapshot: 2 connections read a part each"
    assert scans["web"]["remarks"] == ["a result is held in memory as a whole"]
    assert scans["web"]["passed_over"] == [
        {"method": name, "why": f"the server refuses it: no {what} here (SQLSTATE 0A000)"}
        for name, what in (("copy_native", "COPY"), ("copy_streaming", "COPY"), ("cursor_streaming", "cursors"))
    ]

    log = project.run("run", code=0).output
    assert "web.visits was read by buffered (copy_native: the server refuses it: no COPY here" in log
    assert "crm.customers was read by jdbc_spark, 2 parts (streaming: dvt.read_by is jdbc;" in log
    for answer, expected in ANSWERS.items():
        assert postgres_server.psql("method_e2e", answer) == postgres_server.psql("method_e2e", expected)
    results = json.loads((project.folder / "target" / "run_results.json").read_text())["results"]
    inputs = {each["connection"]: each for result in results for each in result["adapter_response"]["dvt"]["inputs"]}
    methods = {name: each["method"] for name, each in inputs.items()}
    assert methods == {"crm": "jdbc_spark, 2 parts", "erp": "jdbc_spark, 2 parts", "web": "buffered"}
    assert inputs["web"]["passed_over"] == scans["web"]["passed_over"]


def test_the_plan_in_words(project: Faulty) -> None:
    project.outputs["crm"].pop("dvt")
    project.outputs["erp"]["dvt"] = {"read_by": "buffered"}
    project.write_profile()
    text = project.run("plan", code=0).output
    assert "by buffered; a result is held in memory as a whole\n" in text
    assert "not by copy_streaming: the server refuses it: no COPY here (SQLSTATE 0A000)\n" in text
    assert "not by cursor_streaming: dvt.read_by is buffered\n" in text
