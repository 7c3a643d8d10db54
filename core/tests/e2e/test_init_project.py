"""`dvt init`, then `dvt build`, at once; the result is compared with one that is computed without dvt."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import duckdb
import pytest
from e2e.harness import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("init")
    subprocess.run([sys.executable, "-m", "dvt", "init", "corner_shop"], cwd=folder, check=True)
    project = Project(folder / "corner_shop", {"HOME": str(folder)})
    project.dvt("build")
    return project


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
