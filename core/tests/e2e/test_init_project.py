"""`dvt init`, then `dvt build`, at once; the result is compared with one that is computed without dvt."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal

import duckdb
import pytest
from e2e.harness import Project


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("init")
    subprocess.run([sys.executable, "-m", "dvt", "init", "corner_shop"], cwd=folder, check=True)
    return Project(folder / "corner_shop", {"HOME": str(folder)})


@pytest.fixture(scope="module")
def plan_before(fresh: Project) -> str:
    """What `dvt plan` prints before anything was built."""
    return fresh.dvt("plan", "--json")


@pytest.fixture(scope="module")
def project(fresh: Project, plan_before: str) -> Project:
    fresh.dvt("build")
    return fresh


def test_a_plan_before_the_first_run_is_one_json_document_in_the_order_of_the_run(plan_before: str) -> None:
    nodes = {node["unique_id"]: node for node in json.loads(plan_before)["nodes"]}
    order = [name for name in nodes if not name.startswith("test.")]
    assert order.index("seed.corner_shop.countries") < order.index("model.corner_shop.revenue_by_country")
    assert not any(node["error"] for node in nodes.values())
    joined = nodes["model.corner_shop.revenue_by_country"]
    assert joined["inputs"] == ["erp", "warehouse", "web"]
    assert "reads countries, which is not there yet: its scans are planned when it is" in joined["notes"]
    sold = nodes["model.corner_shop.best_sellers"]["scans"]
    assert [scan["sql"] for scan in sold] == [
        'SELECT "product_id", "quantity", "amount" FROM "main"."orders"',
        'SELECT "product_id", "name", "category" FROM "main"."products"',
    ]


def test_a_plan_that_names_a_missing_source_fails(project: Project) -> None:
    model = project.folder / "models" / "wrong.sql"
    model.write_text("select * from {{ source('web', 'page_views') }}, {{ source('erp', 'products') }}")
    sources = project.folder / "models" / "sources.yml"
    before = sources.read_text()
    sources.write_text(before.replace("- name: products", "- name: products\n        identifier: gone"))
    try:
        assert "DVT320" in project.dvt("plan", "--select", "wrong", code=1)
    finally:
        sources.write_text(before)
        model.unlink()


def _orders(project: Project) -> list[tuple[str, str, str]]:
    """Country, product and amount in cents of every order, as SQLite gives them."""
    lines = project.sqlite(
        "data/erp.db",
        "select c.country, p.name, cast(round(o.amount * 100) as integer), o.order_id from orders o"
        " join customers c on c.customer_id = o.customer_id join products p on p.product_id = o.product_id",
    )
    return [tuple(line.split("|")[:3]) for line in lines]


def test_every_node_passed(project: Project) -> None:
    results = project.results()
    assert len(results) == 11
    assert {result["status"] for result in results.values()} == {"success", "pass"}


def test_revenue_by_country(project: Project) -> None:
    names = dict(line.split(",") for line in (project.folder / "seeds/countries.csv").read_text().split()[1:])
    countries = dict(
        line.split("|") for line in project.sqlite("data/erp.db", "select customer_id, country from customers")
    )
    views: dict[str, int] = {}
    viewers = duckdb.sql(f"select customer_id from '{project.folder}/data/web/page_views/*.parquet'").fetchall()
    for (customer,) in viewers:
        views[countries[str(customer)]] = views.get(countries[str(customer)], 0) + 1
    expected = []
    for country in names:
        cents = [int(amount) for where, _, amount in _orders(project) if where == country]
        expected.append(f"{names[country]}|{len(cents)}|{Decimal(sum(cents)) / 100:.2f}|{views[country]}")
    found = project.duckdb(
        "select country_name, order_count, revenue, view_count from revenue_by_country", "warehouse.duckdb"
    )
    assert len(found) == 8
    assert found == sorted(expected)


def test_best_sellers(project: Project) -> None:
    cents: dict[str, int] = {}
    for _, product, amount in _orders(project):
        cents[product] = cents.get(product, 0) + int(amount)
    found = project.duckdb("select product, revenue from best_sellers", "warehouse.duckdb")
    assert found == sorted(f"{product}|{Decimal(total) / 100:.2f}" for product, total in cents.items())


def test_a_second_build_gives_the_same(project: Project) -> None:
    before = project.duckdb("from revenue_by_country", "warehouse.duckdb")
    project.dvt("build")
    assert project.duckdb("from revenue_by_country", "warehouse.duckdb") == before
