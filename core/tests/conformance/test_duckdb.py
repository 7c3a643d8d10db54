"""dbt's own adapter tests on dbt-duckdb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from base_classes import classes_for
from dbt.tests.adapter.basic.expected_catalog import base_expected_catalog, expected_references_catalog, no_stats
from dbt.tests.adapter.basic.test_docs_generate import BaseDocsGenerate, BaseDocsGenReferences
from dbt.tests.adapter.constraints import test_constraints as constraints

_TYPES = {
    "id_type": "INTEGER",
    "text_type": "VARCHAR",
    "time_type": "TIMESTAMP",
    "view_type": "VIEW",
    "table_type": "BASE TABLE",
    "model_stats": no_stats(),
}


@pytest.fixture(scope="class")
def dbt_profile_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A database file of each class's own."""
    folder: Path = tmp_path_factory.mktemp("duckdb")
    return {"type": "duckdb", "threads": 4, "path": str(folder / "conformance.duckdb")}


@pytest.fixture(scope="class")
def profile_user() -> None:
    """A file has no users."""


class DocsGenerate(BaseDocsGenerate):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any) -> Any:
        return base_expected_catalog(project, role=None, **_TYPES)


class DocsGenReferences(BaseDocsGenReferences):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any) -> Any:
        return expected_references_catalog(project, role=None, bigint_type="BIGINT", **_TYPES)


class _ColumnsEqual:
    """The error messages name DuckDB's types."""

    @pytest.fixture
    def int_type(self) -> str:
        return "INT"

    @pytest.fixture
    def string_type(self) -> str:
        return "VARCHAR"

    @pytest.fixture
    def data_types(self) -> list[list[str]]:
        return [["1", "int", "INT"], ["'1'", "VARCHAR", "VARCHAR"], ["true", "bool", "BOOL"]]


class _Enforcement:
    @pytest.fixture(scope="class")
    def expected_error_messages(self) -> list[str]:
        return ["NOT NULL constraint failed"]


_CONSTRAINTS = {
    "BaseTableConstraintsColumnsEqual": _ColumnsEqual,
    "BaseViewConstraintsColumnsEqual": _ColumnsEqual,
    "BaseIncrementalConstraintsColumnsEqual": _ColumnsEqual,
    "BaseConstraintsRollback": _Enforcement,
    "BaseIncrementalConstraintsRollback": _Enforcement,
}
_ADAPTED = {
    "Test_basic_BaseDocsGenerate": DocsGenerate,
    "Test_basic_BaseDocsGenReferences": DocsGenReferences,
    **{
        f"Test_constraints_{name}": type(name, (mixin, getattr(constraints, name)), {"__module__": __name__})
        for name, mixin in _CONSTRAINTS.items()
    },
}

globals().update(classes_for(__name__, _ADAPTED))
