"""Substituting dbt's task classes for the time of one invocation.

dbt imports each task inside the click command that runs it, so replacing the attribute on the task's module is
enough; identity checks on those globals (`type(self) is ShowTask`) stay true, and after the block dbt is stock again.
dbt does not support two invocations at once in one process, and neither does this.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dvt.dbt_bridge.contract import check_dbt

_TASKS = {
    "dbt.task.run": "RunTask",
    "dbt.task.build": "BuildTask",
    "dbt.task.test": "TestTask",
    "dbt.task.seed": "SeedTask",
    "dbt.task.snapshot": "SnapshotTask",
    "dbt.task.show": "ShowTask",
    "dbt.task.compile": "CompileTask",
    "dbt.task.docs.generate": "GenerateTask",
    "dbt.task.freshness": "FreshnessTask",
    "dbt.task.clone": "CloneTask",
}
_USAGE_STATISTICS = "DBT_SEND_ANONYMOUS_USAGE_STATS"
_lock = threading.RLock()
_depth = 0


@contextmanager
def substituted() -> Iterator[None]:
    """Within the block, dbt's commands federate."""
    global _depth
    check_dbt()
    with _lock:
        if _depth:  # already federating, for example a nested invoke
            yield
            return
        _depth += 1
        undo: list[tuple[Any, str, Any]] = []
        try:
            _substitute(undo)
            with _without_usage_statistics():
                yield
        finally:
            for owner, name, original in reversed(undo):
                setattr(owner, name, original)
            _depth -= 1


@contextmanager
def _without_usage_statistics() -> Iterator[None]:
    """dvt sends none; dbt's own stay off unless the user asks for them by name."""
    if _USAGE_STATISTICS in os.environ:
        yield
        return
    os.environ[_USAGE_STATISTICS] = "false"
    try:
        yield
    finally:
        os.environ.pop(_USAGE_STATISTICS, None)


def _substitute(undo: list[tuple[Any, str, Any]]) -> None:
    from dbt.config.profile import Profile
    from dbt.parser.manifest import ManifestLoader

    from dvt.dbt_bridge.endings import quieter
    from dvt.dbt_bridge.finding import profile_finder
    from dvt.dbt_bridge.shim.plugins import provide_plugins
    from dvt.dbt_bridge.tasks import CatalogTaskMixin, FederatedTaskMixin, Invocation

    def replace(owner: Any, name: str, new: Any) -> None:
        undo.append((owner, name, vars(owner)[name]))
        setattr(owner, name, new)

    provide_plugins()
    invocation = Invocation()
    # All modules first: BuildTask has to be built on the stock RunTask.
    modules = {module: importlib.import_module(module) for module in _TASKS}
    swapped: dict[type[Any], type[Any]] = {}
    for module, name in _TASKS.items():
        original = getattr(modules[module], name)
        mixin = CatalogTaskMixin if name == "GenerateTask" else FederatedTaskMixin
        namespace = {"invocation": invocation, "__module__": __name__}
        swapped[original] = type(name, (mixin, original), namespace)
        replace(modules[module], name, swapped[original])
    _substitute_retry(swapped, replace)
    run = modules["dbt.task.run"]
    replace(run, "MicrobatchBatchRunner", _batch_runner(run.MicrobatchBatchRunner, invocation))
    replace(ManifestLoader, "get_full_manifest", _rebinding_loader(vars(ManifestLoader)["get_full_manifest"]))
    requires = importlib.import_module("dbt.cli.requires")
    replace(requires, "fire_event", quieter(requires.fire_event))
    replace(requires, "load_profile", profile_finder(requires.load_profile))
    replace(Profile, "_credentials_from_profile", _without_options(Profile._credentials_from_profile))


def _substitute_retry(swapped: dict[type[Any], type[Any]], replace: Any) -> None:
    retry = importlib.import_module("dbt.task.retry")
    replace(retry, "TASK_DICT", {key: swapped.get(task, task) for key, task in retry.TASK_DICT.items()})
    for name, value in list(vars(retry).items()):
        if isinstance(value, type) and value in swapped:
            replace(retry, name, swapped[value])


def _batch_runner(stock: type[Any], invocation: Any) -> type[Any]:
    """dbt makes batch runners by their global name; this class makes the one of the node's lane instead."""
    from dvt.dbt_bridge.tasks import choose_runner

    class Routed(stock):
        def __new__(cls, config: Any, adapter: Any, node: Any, *args: Any, **kwargs: Any) -> Any:
            bridge = invocation.bridge
            chosen = stock if bridge is None else choose_runner(bridge, stock, node)
            made = object.__new__(chosen)
            if not isinstance(made, Routed):  # Python calls __init__ only for instances of the class
                made.__init__(config, adapter, node, *args, **kwargs)
            return made

    Routed.__name__ = stock.__name__
    return Routed


def _rebinding_loader(original: Any) -> Any:
    from dvt.dbt_bridge.bridge import Bridge
    from dvt.dbt_bridge.failures import shown_by_dbt
    from dvt.dbt_bridge.rebind import rebind

    def get_full_manifest(cls: Any, /, config: Any, **kwargs: Any) -> Any:
        manifest = original.__func__(cls, config, **kwargs)
        with shown_by_dbt():
            bridge = Bridge(config, manifest)
            bridge.settings()  # a fault in dvt.yml is one of the project
            rebind(manifest, bridge.connections, bridge.dbt_connections)
            bridge.require_drivers()
        return manifest

    return classmethod(get_full_manifest)


def _without_options(original: Any) -> Any:
    from dvt.dbt_bridge.failures import shown_by_dbt
    from dvt.dbt_bridge.finding import require_adapter
    from dvt.dbt_bridge.shim.credentials import wrapped_output
    from dvt.dbt_bridge.shim.plugins import is_shim_type

    def _credentials_from_profile(profile: dict[str, Any], profile_name: str, target_name: str) -> Any:
        if is_shim_type(str(profile.get("type"))):
            with shown_by_dbt():
                profile = wrapped_output(profile)
        else:
            if profile.get("type"):
                with shown_by_dbt():
                    require_adapter(str(profile["type"]), target_name)
            profile.pop("dvt", None)
        return original(profile, profile_name, target_name)

    return staticmethod(_credentials_from_profile)
