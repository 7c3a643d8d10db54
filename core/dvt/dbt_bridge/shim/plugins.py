"""In-process dbt adapter plugins for engines that have no adapter for this dbt."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from dbt.adapters.base.plugin import AdapterPlugin

from dvt import __version__
from dvt.dbt_bridge.shim.table import DIALECT_PLACES

_INCLUDE = Path(__file__).parent / "include"


def provide_plugins() -> None:
    """Make dbt's adapter factory find a plugin for each engine that has none installed.

    dbt imports `dbt.adapters.<type>`; where no such module is installed, a synthetic one stands in `sys.modules`.
    """
    for type_ in DIALECT_PLACES:
        name = f"dbt.adapters.{type_}"
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            continue
        sys.modules[name] = _module(name, type_)
        for part in ("__about__", "__version__"):  # dbt reads the adapter's version from either
            about = ModuleType(f"{name}.{part}")
            about.__dict__["version"] = __version__
            sys.modules[about.__name__] = about


def is_shim_type(type_: str) -> bool:
    """Whether dbt's adapter of that type is one of dvt's own."""
    module = sys.modules.get(f"dbt.adapters.{type_}")
    return type_ in DIALECT_PLACES and getattr(module, "__spec__", None) is None and module is not None


def is_shim(adapter: Any) -> bool:
    """Whether an adapter is one of dvt's own."""
    return bool(getattr(adapter, "is_dvt_shim", False))


def _module(name: str, type_: str) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []

    def of_module(attribute: str) -> Any:
        if attribute != "Plugin":
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        module.__dict__["Plugin"] = _plugin(type_)
        return module.__dict__["Plugin"]

    module.__dict__["__getattr__"] = of_module  # made when dbt asks for it
    return module


def _plugin(type_: str) -> AdapterPlugin:
    from dvt.dbt_bridge.shim.adapter import adapter_class
    from dvt.dbt_bridge.shim.credentials import credentials_class

    return AdapterPlugin(
        adapter=adapter_class(type_),
        credentials=credentials_class(type_),
        include_path=str(_INCLUDE),
        project_name="dvt_shim",
    )
