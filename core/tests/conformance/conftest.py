"""Fixtures for dbt's own tests: dbt's project fixtures, a PostgreSQL server, and the choice of a subset."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt.tests.fixtures.project import *  # noqa: F403 - dbt publishes its fixtures as a module to take whole
from servers.postgres import postgres_server

__all__ = ["postgres_server"]

pytest_plugins = ["dvt_tasks"]

# What dvt hardly touches, on the slower of the two databases: SQL functions one by one, and seeds.
_LEFT_OUT = {"test_postgres": ("utils", "simple_seed")}


@pytest.fixture(scope="class")
def logs_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """dbt's own fixture writes logs into the repository."""
    folder = str(tmp_path_factory.mktemp("logs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_LOG_PATH", folder)
        yield folder


@pytest.fixture(scope="class")
def test_data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the data files beside the base class: dbt's own fixture looks beside the test module."""
    base = next(cls for cls in request.cls.__mro__ if cls.__module__.startswith("dbt.tests.adapter"))
    data = Path(inspect.getfile(base)).parent / "data"
    folder = tmp_path_factory.mktemp("beside") / "data"
    if data.is_dir():  # where there are none, the tests make the folder themselves
        shutil.copytree(data, folder)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--subset`."""
    parser.addoption("--subset", action="store_true", help="run only what continuous integration has time for")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is not in the subset."""
    if not config.getoption("--subset"):
        return
    left_out = [item for item in items if _is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not _is_left_out(item)]


def _is_left_out(item: pytest.Item) -> bool:
    module = getattr(item, "module", None)
    area = item.nodeid.partition("::Test_")[2]
    return module is not None and area.startswith(_LEFT_OUT.get(module.__name__.rpartition(".")[2], ()) or "\0")
