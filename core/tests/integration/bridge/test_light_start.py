"""A project without federated nodes does not pay for the federation."""

from __future__ import annotations

import subprocess
import sys

_HEAVY = ("sqlglot", "pyarrow", "duckdb", "psycopg", "daff", "pandas")


def test_the_bridge_imports_no_engine_planner_or_driver() -> None:
    imported = f"print([name for name in {_HEAVY} if name in sys.modules])"
    code = "; ".join(["import sys, dvt.dbt_bridge.tasks, dvt.dbt_bridge.substitution", imported])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
