"""`dvt plan` on the project of `dvt init`: its document against the schema, its figures against the files' own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import jsonschema
import pytest
from e2e.harness import Project

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
MODEL = """
select o.amount, o.order_id, v.customer_id
from {{ source('erp', 'orders') }} o join {{ source('web', 'page_views') }} v using (customer_id)
where o.order_id <= 40 and v.customer_id in (1, 2, 3, 4, 5) and upper(v.customer_id::text) <> 'X'
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("plan")
    subprocess.run([sys.executable, "-m", "dvt", "init", "shop"], cwd=folder, check=True)
    project = Project(folder / "shop", {"HOME": str(folder)})
    (project.folder / "models" / "few.sql").write_text(MODEL)
    session = sqlite3.connect(project.folder / "data" / "erp.db")
    session.execute("analyze")
    session.close()
    return project


def planned(project: Project, *words: str, code: int = 0) -> dict[str, dict]:
    output = project.dvt("plan", "--json", *words, code=code)
    document = json.loads(output)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    assert document["version"] == 1
    assert document["analyzed"] is ("--analyze" in words)
    return {node["unique_id"].split(".")[2]: node for node in document["nodes"]}


def count(project: Project, table: str) -> int:
    return int(project.sqlite("data/erp.db", f"select count(*) from {table}")[0])


def test_the_document_is_of_its_schema(project: Project) -> None:
    nodes = planned(project)
    assert nodes["countries"]["lane"] == "native"
    orders, products = nodes["best_sellers"]["scans"]
    assert orders["estimated_rows"] == count(project, "orders")
    assert products["estimated_rows"] == count(project, "products")
    assert nodes["best_sellers"]["actual"] is orders["actual"] is None


def test_a_schema_that_forgets_a_field_is_found_out(project: Project) -> None:
    document = json.loads(project.dvt("plan", "--json", "--select", "few"))
    document["nodes"][0]["scans"][0]["more"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_estimates_follow_the_filters(project: Project) -> None:
    (few,) = planned(project, "--select", "few").values()
    orders, views = few["scans"]
    # IN implies nothing on the orders but through the join: both sides get it, then half of the rows are left.
    files = f"'{project.folder}/data/web/page_views/*.parquet'"
    views_rows = duckdb.sql(f"select count(*) from {files}").fetchall()[0][0]
    assert views["estimated_rows"] == round(views_rows / 2)
    assert [(c["pushed"], c["code"]) for c in views["conditions"]] == [(True, ""), (False, "P10")]
    assert orders["estimated_rows"] == round(count(project, "orders") / 2 / 3)
    assert orders["estimated_bytes"] > 0
    text = project.dvt("plan", "--select", "few")
    assert f"           about {orders['estimated_rows']} rows, " in text
    assert f"           pushed {views['conditions'][0]['condition']}\n" in text


def test_analyze_reads_and_lands_nothing(project: Project) -> None:
    before = sorted(path.name for path in project.folder.iterdir())
    nodes = planned(project, "--select", "few", "best_sellers", "countries", "--analyze")
    assert nodes["countries"]["notes"] == ["not run: --analyze reads federated and direct queries"]
    orders, views = nodes["few"]["scans"]
    erp = project.folder / "data" / "erp.db"
    session = sqlite3.connect(erp)
    wanted = "order_id <= 40 and customer_id in (1, 2, 3, 4, 5)"
    rows = session.execute(f"select customer_id from orders where {wanted}").fetchall()
    session.close()
    files = f"'{project.folder}/data/web/page_views/*.parquet'"
    seen = duckdb.sql(f"select customer_id from {files} where customer_id in (1, 2, 3, 4, 5)").fetchall()
    assert orders["actual"]["rows"] == len(rows)
    assert views["actual"]["rows"] == len(seen)
    assert nodes["few"]["actual"]["rows"] == sum(seen.count(row) for row in rows)
    assert orders["actual"]["bytes"] >= 8 * len(rows)
    assert nodes["few"]["actual"]["seconds"] >= 0
    assert nodes["best_sellers"]["actual"]["rows"] == count(project, "products")
    assert not (project.folder / "target" / "run_results.json").exists()
    warehouse = project.folder / "warehouse.duckdb"
    if warehouse.exists():
        with duckdb.connect(str(warehouse)) as landed:
            assert landed.execute("select count(*) from duckdb_tables()").fetchone() == (0,)
    assert [name for name in before if name not in {path.name for path in project.folder.iterdir()}] == []


def test_analyze_as_text_and_its_errors(project: Project) -> None:
    text = project.dvt("plan", "--select", "best_sellers", "revenue_by_country", "--analyze")
    rows = count(project, "products")
    assert f"           read {rows} rows, " in text
    assert "  result   " in text
    assert "  note     reads countries, which is not there yet: its scans are planned when it is" in text
    broken = project.folder / "models" / "broken.sql"
    broken.write_text(MODEL + " and o.amount::text::date > current_date")
    try:
        (node,) = planned(project, "--select", "broken", "--analyze", code=1).values()
        assert "DVT" in node["error"]
        assert node["scans"] == []
    finally:
        broken.unlink()


def test_analyze_reads_a_direct_query_in_its_lane(project: Project) -> None:
    model = project.folder / "models" / "straight.sql"
    model.write_text("select order_id, customer_id from {{ source('erp', 'orders') }} where order_id <= 40")
    try:
        (node,) = planned(project, "--select", "straight", "--analyze").values()
    finally:
        model.unlink()
    assert node["lane"] == "direct"
    (scan,) = node["scans"]
    wanted = int(project.sqlite("data/erp.db", "select count(*) from orders where order_id <= 40")[0])
    assert scan["actual"]["rows"] == node["actual"]["rows"] == wanted
    assert scan["estimated_rows"] == round(count(project, "orders") / 3)


FULL = "{{ config(meta={'dvt_pushdown': 'full'}, materialized='table') }} "
GROUPS = (
    FULL
    + """
select p.category, count(*) as orders_ from {{ source('erp', 'orders') }} o
join {{ source('erp', 'products') }} p using (product_id) where o.quantity >= 2 group by 1
"""
)
CHOSEN = (
    FULL
    + """
with o as (select * from {{ source('erp', 'orders') }}), p as (select * from {{ source('erp', 'products') }})
select o.order_id, p.name as product from o join p on p.product_id = o.product_id
"""
)


def test_joins_and_groups_of_one_connection_run_there(project: Project) -> None:
    models = {project.folder / "models" / "grouped.sql": GROUPS, project.folder / "models" / "chosen.sql": CHOSEN}
    for file, sql in models.items():
        file.write_text(sql)
    try:
        nodes = planned(project, "--select", "grouped", "chosen", "--analyze")
        text = project.dvt("plan", "--select", "grouped")
        project.dvt("run", "--select", "grouped", "chosen")
    finally:
        for file in models:
            file.unlink()
    join = "from orders o join products p using (product_id)"
    by_category = f"select p.category, count(*) {join} where o.quantity >= 2 group by 1"
    (scan,) = nodes["grouped"]["scans"]
    assert (nodes["grouped"]["lane"], scan["relation"]) == ("federated", "main.orders, main.products")
    assert "GROUP BY" in scan["sql"]
    assert [c["code"] for c in scan["conditions"]][:2] == ["P50", "P51"]
    assert f"  engine   {nodes['grouped']['engine_sql']}" in text
    answers = project.sqlite("data/erp.db", by_category)
    assert scan["actual"]["rows"] == len(answers)
    (scan,) = nodes["chosen"]["scans"]
    assert (nodes["chosen"]["lane"], nodes["chosen"]["engine_sql"]) == ("direct", "")
    assert scan["actual"]["rows"] == nodes["chosen"]["actual"]["rows"] == count(project, "orders")
    with duckdb.connect(str(project.folder / "warehouse.duckdb"), read_only=True) as landed:
        rows = landed.execute("select category || '|' || orders_ from grouped").fetchall()
        assert sorted(row for (row,) in rows) == sorted(answers)
        pairs = landed.execute("select order_id || '|' || product from chosen").fetchall()
    assert sorted(pair for (pair,) in pairs) == sorted(
        project.sqlite("data/erp.db", f"select o.order_id, p.name {join}")
    )


def test_what_spark_computes_and_what_it_does_not(project: Project) -> None:
    """The plan asks no Spark: what is not carried is found in the query."""
    model = project.folder / "models" / "by_spark.sql"
    model.write_text("{{ config(meta={'dvt_engine': 'spark'}) }}" + MODEL)
    (planned_node,) = planned(project, "--select", "by_spark").values()
    assert planned_node["notes"][0] == "computed by the engine spark"
    model.write_text(model.read_text().replace("select o.amount", "select sha256(o.amount::varchar) as amount"))
    (refused,) = planned(project, "--select", "by_spark", code=1).values()
    assert "cannot be computed by Spark: it does not carry the function" in refused["error"]
    assert "function sha256" in refused["error"]
    model.write_text("{{ config(meta={'dvt_engine': 'sparkle'}) }}" + MODEL)
    assert "It takes one of: duckdb, spark, auto" in project.dvt("plan", "--select", "by_spark", code=2)
    model.unlink()
