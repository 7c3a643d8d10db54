"""Substituting dbt's task classes for the time of one invocation.

dbt imports each task inside the click command that runs it, so replacing the attribute on the task's module is
enough; identity checks on those globals (`type(self) is ShowTask`) stay true, and after the block dbt is stock again.
dbt does not support two invocations at once in one process, and neither does this.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator, Sequence
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
# Modules that cost a start (they import daff), and the commands for which alone dbt imports them.
_COSTLY = {
    "dbt.task.test": ("test", "build", "retry"),
    "dbt.task.build": ("build", "retry"),
    "dbt.task.retry": ("retry",),
}
_USAGE_STATISTICS = "DBT_SEND_ANONYMOUS_USAGE_STATS"
_lock = threading.RLock()
_active: _Substitution | None = None


@contextmanager
def substituted(words: Sequence[str] | None = None) -> Iterator[None]:
    """Within the block, dbt's commands federate.

    Args:
        words: The command line; modules of commands that do not stand in it are left alone. None: every command.
    """
    global _active
    unused = frozenset(
        module for module, commands in _COSTLY.items() if words is not None and not set(words) & set(commands)
    )
    check_dbt(unused)
    with _lock:
        if _active is not None:  # already federating, for example a nested invoke
            _active.cover(unused)
            yield
            return
        substitution = _active = _Substitution()
        try:
            substitution.cover(unused)
            from dvt.dbt_bridge.log_lines import told_by_dbt

            with _without_usage_statistics(), told_by_dbt():
                yield
        finally:
            substitution.undo()
            _active = None


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


class _Substitution:
    """What was put into dbt's modules, and what stood there."""

    def __init__(self) -> None:
        from dvt.dbt_bridge.tasks import Invocation

        self._replaced: list[tuple[Any, str, Any]] = []
        self._swapped: dict[type[Any], type[Any]] = {}
        self._covered: set[str] = set()
        self._invocation = Invocation()

    def cover(self, unused: frozenset[str]) -> None:
        """Substitute in every module that is not yet done, but for those that the command does not use."""
        wanted = {*_TASKS, "dbt.task.retry"} - unused - self._covered
        # All modules first: BuildTask has to be built on the stock RunTask.
        modules = {name: importlib.import_module(name) for name in wanted}
        if not self._covered:
            self._surroundings()
        for module in _TASKS:
            if module in wanted:
                self._task(modules[module], _TASKS[module])
        if "dbt.task.run" in wanted:
            run = modules["dbt.task.run"]
            self._replace(run, "MicrobatchBatchRunner", _batch_runner(run.MicrobatchBatchRunner, self._invocation))
        if "dbt.task.retry" in wanted:
            self._retry(modules["dbt.task.retry"])
        self._covered |= wanted

    def undo(self) -> None:
        """Make dbt stock again."""
        for owner, name, original in reversed(self._replaced):
            setattr(owner, name, original)

    def _replace(self, owner: Any, name: str, new: Any) -> None:
        self._replaced.append((owner, name, vars(owner)[name]))
        setattr(owner, name, new)

    def _task(self, module: Any, name: str) -> None:
        from dvt.dbt_bridge.tasks import CatalogTaskMixin, FederatedTaskMixin

        original = getattr(module, name)
        mixin = CatalogTaskMixin if name == "GenerateTask" else FederatedTaskMixin
        namespace = {"invocation": self._invocation, "__module__": __name__}
        self._swapped[original] = type(name, (mixin, original), namespace)
        self._replace(module, name, self._swapped[original])

    def _retry(self, retry: Any) -> None:
        swapped = self._swapped
        self._replace(retry, "TASK_DICT", {key: swapped.get(task, task) for key, task in retry.TASK_DICT.items()})
        for name, value in list(vars(retry).items()):
            if isinstance(value, type) and value in swapped:
                self._replace(retry, name, swapped[value])

    def _surroundings(self) -> None:
        from dbt.config.profile import Profile
        from dbt.parser.manifest import ManifestLoader

        from dvt.dbt_bridge.endings import quieter
        from dvt.dbt_bridge.finding import profile_finder
        from dvt.dbt_bridge.seed_formats import with_bytes, with_formats
        from dvt.dbt_bridge.shim.plugins import provide_plugins

        provide_plugins()
        self._replace(ManifestLoader, "get_full_manifest", _rebinding_loader(vars(ManifestLoader)["get_full_manifest"]))
        read_files = importlib.import_module("dbt.parser.read_files")
        for name, wrapped in (("get_file_types_for_project", with_formats), ("load_seed_source_file", with_bytes)):
            self._replace(read_files, name, wrapped(getattr(read_files, name)))
        requires = importlib.import_module("dbt.cli.requires")
        self._replace(requires, "fire_event", quieter(requires.fire_event))
        self._replace(requires, "load_profile", profile_finder(requires.load_profile))
        self._replace(Profile, "_credentials_from_profile", _without_options(Profile._credentials_from_profile))


def _batch_runner(stock: type[Any], invocation: Any) -> type[Any]:
    """dbt makes batch runners by their global name; this class makes the one of the node's lane instead."""
    from dvt.dbt_bridge.lanes import choose_runner

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
