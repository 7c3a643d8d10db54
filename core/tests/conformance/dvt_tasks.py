"""A pytest plugin that runs any dbt test suite through dvt: `pytest -p dvt_tasks --dvt-tasks ...`.

dbt's tests call `dbtRunner.invoke` in this process. With the option, each call is made inside `substituted()`, as the
`dvt` command and `dvtRunner` do it; no test is changed, and between calls dbt is stock.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--dvt-tasks`."""
    parser.addoption("--dvt-tasks", action="store_true", help="run dbt's commands through dvt's tasks")


def pytest_configure(config: pytest.Config) -> None:
    """Put dvt's tasks behind dbt's runner until pytest ends."""
    if not config.getoption("--dvt-tasks"):
        return
    from dbt.cli.main import dbtRunner

    from dvt.dbt_bridge.substitution import substituted

    stock = dbtRunner.invoke

    def invoke(self: Any, args: list[str], **kwargs: Any) -> Any:
        with substituted():
            return stock(self, args, **kwargs)

    patch = pytest.MonkeyPatch()
    patch.setattr(dbtRunner, "invoke", invoke)
    config.add_cleanup(patch.undo)


def pytest_report_header(config: pytest.Config) -> str:
    """Say whose tasks run."""
    return "tasks: dvt" if config.getoption("--dvt-tasks") else "tasks: stock dbt"
