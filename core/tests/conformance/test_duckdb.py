"""dbt's own adapter tests on dbt-duckdb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from base_classes import classes_for


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A database file of each class's own."""
    folder: Path = tmp_path_factory.mktemp("duckdb")
    return {"type": "duckdb", "threads": 4, "path": str(folder / "conformance.duckdb")}


globals().update(classes_for(__name__))
