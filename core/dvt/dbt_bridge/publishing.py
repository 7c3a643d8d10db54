"""Landing on a folder of files: a rename, and none of what needs a database."""

from __future__ import annotations

import threading
from typing import Any

from dbt.artifacts.schemas.run import RunResult, RunStatus

from dvt.dbt_bridge.landing import Target, incremental_mode
from dvt.errors import UnsupportedError
from dvt.identifiers import Relation

_NEEDS_A_DATABASE = ("grants", "indexes", "pre_hook", "post_hook")


def publish_files(model: Any, target: Target, private: Relation, *, is_incremental: bool) -> RunResult:
    """Put a staged file in place.

    Args:
        model: The model's node.
        target: Where it lands.
        private: The staged file.
        is_incremental: Whether the rows come behind those that are there.

    Raises:
        UnsupportedError: The model's config asks for something that only a database has.
    """
    for name in _NEEDS_A_DATABASE:
        if model.config.get(name):
            raise UnsupportedError(f"a folder of files knows no {name}", remedy="Remove it from the model's config")
    mode = incremental_mode(model, target.loader.connection.type) if is_incremental else "table"
    if mode not in ("table", "append"):
        raise UnsupportedError(f"files take no {mode}", remedy="Use incremental_strategy: append, or a table")
    target.loader.publish(private, target.load_config(mode, full_refresh=False))
    return RunResult(
        node=model,
        status=RunStatus.Success,
        timing=[],
        thread_id=threading.current_thread().name,
        execution_time=0,
        message="OK",
        adapter_response={},
        failures=None,
        batch_results=None,
    )
