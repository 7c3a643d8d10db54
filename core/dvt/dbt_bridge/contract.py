"""The start-up check: is this a dbt-core that the bridge can hook?

The bridge overrides a narrow set of dbt's methods. A release that changed one of them is refused in one line instead
of being run wrongly.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from dvt import __version__
from dvt.errors import ConfigurationError

SUPPORTED = ((1, 10), (1, 13))  # from, up to and including

# module, dotted name, leading parameters that the bridge relies on
_SIGNATURES = (
    ("dbt.task.runnable", "GraphRunnableTask.get_runner_type", ("self", "node")),
    ("dbt.task.runnable", "GraphRunnableTask.before_run", ("self", "adapter", "selected_uids")),
    ("dbt.task.runnable", "GraphRunnableTask.get_model_schemas", ("self", "adapter", "selected_uids")),
    ("dbt.task.runnable", "GraphRunnableTask.create_schemas", ("self", "adapter", "required_schemas")),
    ("dbt.task.runnable", "GraphRunnableTask.populate_adapter_cache", ("self", "adapter", "required_schemas")),
    ("dbt.task.runnable", "GraphRunnableTask._cancel_connections", ("self", "pool")),
    ("dbt.task.base", "BaseRunner.__init__", ("self", "config", "adapter", "node", "node_index", "num_nodes")),
    ("dbt.task.base", "BaseRunner.run_with_hooks", ("self", "manifest")),
    ("dbt.task.run", "ModelRunner.execute", ("self", "model", "manifest")),
    ("dbt.task.run", "MicrobatchBatchRunner.__init__", ("self", "config", "adapter", "node")),
    ("dbt.task.test", "TestRunner.execute_data_test", ("self", "data_test", "manifest")),
    ("dbt.task.show", "ShowRunner.execute", ("self", "compiled_node", "manifest")),
    ("dbt.task.freshness", "FreshnessRunner.execute", ("self", "compiled_node", "manifest")),
    ("dbt.cli.requires", "fire_event", ("e", "level")),
    ("dbt.compilation", "Compiler.__init__", ("self", "config")),
    ("dbt.compilation", "Compiler._create_node_context", ("self", "node", "manifest", "extra_context")),
    ("dbt.context.providers", "ModelContext.__init__", ("self", "model", "config", "manifest", "provider")),
    ("dbt.context.providers", "RuntimeRefResolver.create_relation", ("self", "target_model")),
    ("dbt.context.providers", "RuntimeSourceResolver.resolve", ("self", "source_name", "table_name")),
    ("dbt.config.profile", "Profile.render_profile", ("raw_profile", "profile_name", "target_override", "renderer")),
    ("dbt.config.profile", "Profile._credentials_from_profile", ("profile", "profile_name", "target_name")),
    ("dbt.parser.manifest", "ManifestLoader.get_full_manifest", ("config",)),
)


@lru_cache(maxsize=1)
def check_dbt() -> None:
    """Refuse a dbt-core that the bridge was not made for.

    Raises:
        ConfigurationError: dbt-core is missing, of an unsupported version, or without a method that the bridge needs.
    """
    try:
        found = version("dbt-core")
    except PackageNotFoundError:
        raise _unsupported("no dbt-core is installed") from None
    numbers = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in found.split(".")[:2])
    if not SUPPORTED[0] <= numbers <= SUPPORTED[1]:
        raise _unsupported(f"dbt-core {found} is installed")
    if importlib.util.find_spec("dbt.task") is None:
        raise _unsupported(f"dbt-core {found} has no Python tasks")
    for module, name, wanted in _SIGNATURES:
        _check_signature(found, module, name, wanted)


def _check_signature(found: str, module: str, name: str, wanted: tuple[str, ...]) -> None:
    try:
        target = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
        parameters = tuple(inspect.signature(target).parameters)  # type: ignore[arg-type]
    except (ImportError, AttributeError) as error:
        raise _unsupported(f"dbt-core {found} has no {module}.{name}") from error
    if parameters[: len(wanted)] != wanted:
        raise _unsupported(f"{module}.{name} of dbt-core {found} takes other arguments")


def _unsupported(what: str) -> ConfigurationError:
    low, high = (".".join(map(str, bound)) for bound in SUPPORTED)
    return ConfigurationError(
        f"{what}, and dvt {__version__} works with dbt-core {low} to {high}",
        code="DVT101",
        remedy="Run: pip install 'dbt-core>=1.10,<1.12'",
    )
