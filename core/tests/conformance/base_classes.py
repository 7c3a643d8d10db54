"""Every base class of dbt-tests-adapter as a test class, found rather than listed, so that none is left out unseen."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import dbt.tests.adapter

# Areas that need something that neither adapter has: a Python or JavaScript runtime on the server, a cloud catalogue.
_WITHOUT = ("python_model", "catalog_integrations", "functions", "materialized_view")
_IMPLICIT = {
    "__module__",
    "__qualname__",
    "__doc__",
    "__dict__",
    "__weakref__",
    "__firstlineno__",
    "__static_attributes__",
}


def classes_for(module: str, own: Iterable[type[Any]] = ()) -> dict[str, type[Any]]:
    """Test classes for a module's namespace, by name: `Test_<area>_<base class>`.

    Args:
        module: Name of the module that takes them.
        own: Adapted subclasses, which stand in for the base classes of the same name.
    """
    adapted = {cls.__name__: cls for cls in own}
    found: dict[str, type[Any]] = {}
    for area, base in _bases():
        name = f"Test_{area}_{base.__name__}"
        cls = adapted.pop(name, None) or type(name, (base,), {"__module__": module})
        if name in found:
            raise ValueError(f"two base classes are called {name}")
        found[name] = cls
    if adapted:
        raise ValueError(f"adapts no base class: {sorted(adapted)}")
    return found


def _bases() -> Iterable[tuple[str, type[Any]]]:
    root = Path(dbt.tests.adapter.__path__[0])  # most of its folders are no packages: files it is
    for file in sorted(root.rglob("test_*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        if parts[0] not in _WITHOUT:
            module = importlib.import_module(".".join((dbt.tests.adapter.__name__, *parts)))
            yield from ((parts[0], cls) for cls in _tests_of(module))


def _tests_of(module: ModuleType) -> Iterable[type[Any]]:
    for cls in vars(module).values():
        if not isinstance(cls, type) or cls.__module__ != module.__name__:
            continue
        is_renaming_only = len(cls.__bases__) == 1 and cls.__bases__ != (object,) and not set(vars(cls)) - _IMPLICIT
        if not is_renaming_only and any(name.startswith("test_") for name in dir(cls)):
            yield cls
