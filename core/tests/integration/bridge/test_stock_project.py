"""A dbt project that knows nothing of dvt runs unchanged: `dvt` does what `dbt` does, command by command."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.bridge.twins import Twins

pytestmark = pytest.mark.slow

_LATE = "{'order_id': 14, 'customer_id': 2, 'amount': 1.00, 'ordered_at': 2024-01-09, 'amount_cents': 100}"
_PROJECT = Path(__file__).parent / "stock_project"


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    return Twins(_PROJECT, tmp_path)


def test_commands_artifacts_and_tables(twins: Twins) -> None:
    assert twins.run("parse").code == 0
    assert twins.run("seed").code == 0
    # A test fails, another one warns.
    assert twins.run("build").code == 1
    statuses = twins.statuses()
    assert statuses["top_is_small"] == "fail"
    assert statuses["no_free_orders"] == "warn"
    assert statuses["order_log"] == statuses["customers_history"] == "success"
    twins.artifact("manifest.json")
    tables = twins.tables()
    assert "{'country': PT, 'name': Ana, 'revenue': 12.60, 'orders': 2}" in tables["main.revenue"]
    history = tables["main_history.customers_history"]
    assert any(row.startswith("{'customer_id': 3, 'name': NULL, 'country': DE") for row in history)

    # Incremental and snapshot, the second time, with a new row.
    without_tests = ("--exclude", "resource_type:test", "resource_type:unit_test")
    assert twins.run("build", *without_tests, "--vars", "late_order: true").code == 0
    assert _LATE in twins.tables()["main.order_log"]
    assert twins.run("run", "--full-refresh", "--select", "stg_orders", "order_log").code == 0
    assert _LATE not in twins.tables()["main.order_log"]


def test_commands_that_only_read(twins: Twins) -> None:
    twins.run("seed")
    twins.run("build")
    assert twins.run("docs", "generate").code == 0
    assert "model.stock.revenue" in twins.artifact("catalog.json")["nodes"]
    twins.artifact("manifest.json")
    assert twins.run("ls", "--output", "json").code == 0
    listed = twins.run("-q", "ls", "--selector", "marts_only", "--resource-type", "model")
    assert listed.lines == ["stock.marts.after_fragile", "stock.marts.order_log", "stock.marts.revenue"]
    assert twins.run("show", "--select", "revenue", "--limit", "2").code == 0
    assert twins.run("show", "--inline", "select count(*) as n from {{ ref('named') }}").code == 0
    assert twins.run("compile", "--select", "largest").code == 0
    assert "HELLO" in twins.run("run-operation", "shout", "--args", "{word: hello}").lines
    assert twins.run("source", "freshness").code == 0
    assert twins.artifact("sources.json")["results"][0]["status"] == "warn"
    twins.keep_state()
    unchanged = twins.run("ls", "--select", "state:modified", "--state", "state")
    assert unchanged.lines[-1].endswith("No nodes selected!")
    twins.edit("analyses/largest.sql", "select 1 as one")
    twins.edit("models/marts/after_fragile.sql", "select min(revenue) as top from {{ ref('fragile') }}")
    changed = twins.run("-q", "ls", "--select", "state:modified", "--state", "state", "--resource-type", "model")
    assert changed.lines == ["stock.marts.after_fragile"]


def test_failures_and_what_follows(twins: Twins) -> None:
    assert twins.run("seed").code == 0
    assert twins.run("run", "--vars", "break_it: true").code == 1
    assert twins.statuses()["fragile"] == "error"
    assert twins.statuses()["after_fragile"] == "skipped"
    # The vars are repeated, and only what failed is run again.
    assert twins.run("retry").code == 1
    assert _ran(twins) == {"fragile": "error", "after_fragile": "skipped"}
    twins.edit("models/marts/fragile.sql", "select country, revenue from {{ ref('revenue') }}")
    assert twins.run("retry").code == 0
    assert _ran(twins) == {"fragile": "success", "after_fragile": "success"}
    twins.edit("models/marts/fragile.sql", "select no_such_column from {{ ref('revenue') }}")
    assert twins.run("run", "--fail-fast").code == 1
    twins.statuses()
    twins.tables()


def test_commands_that_cannot_run(twins: Twins) -> None:
    assert twins.run("run", "--nope").code == 2
    assert twins.run("run", "--target", "nowhere").code == 2
    twins.edit("models/broken.sql", "select * from {{ ref('no_such_model') }}")
    assert twins.run("run").code == 2
    twins.edit("models/broken.sql", "select {{ unclosed")
    assert twins.run("build").code == 2
    twins.edit("models/broken.sql", None)
    assert twins.run("run", "--select", "no_such_model").code == 0


def _ran(twins: Twins) -> dict[str, str]:
    """Statuses without those of the hooks."""
    return {name: status for name, status in twins.statuses().items() if not name.startswith("stock-on-run")}
