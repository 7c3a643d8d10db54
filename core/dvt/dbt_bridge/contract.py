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
from dvt.dbt_bridge.contract_surface import SURFACE
from dvt.errors import ConfigurationError

SUPPORTED = ((1, 10), (1, 12))  # from, up to and including
# dbt 2 has no Python tasks to substitute. It comes under several names, and may lie over the files of a dbt-core.
_OTHER_DISTRIBUTIONS = ("dbt", "dbt-oss")


@lru_cache
def check_dbt(unused: frozenset[str] = frozenset()) -> None:
    """Refuse a dbt-core that the bridge was not made for.

    Args:
        unused: Modules that the command at hand does not need; they are not imported for the check.

    Raises:
        ConfigurationError: dbt-core is missing, of an unsupported version, or without a method that the bridge needs.
    """
    found = _installed("dbt-core")
    if found is None:
        others = [f"{name} {other} is" for name in _OTHER_DISTRIBUTIONS if (other := _installed(name))]
        raise _unsupported(f"{(others or ['no dbt-core is'])[0]} installed")
    numbers = tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in found.split(".")[:2])
    if not SUPPORTED[0] <= numbers <= SUPPORTED[1]:
        raise _unsupported(f"dbt-core {found} is installed")
    if not _has_tasks():
        over = "".join(
            f" (under dbt's files lie those of {n} {v})" for n in _OTHER_DISTRIBUTIONS if (v := _installed(n))
        )
        raise _unsupported(f"dbt-core {found} has no Python tasks{over}")
    for module, names in SURFACE.items():
        if module in unused:
            continue
        for name, parameters in names.items():
            _check(found, module, name, parameters)


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _has_tasks() -> bool:
    try:
        return importlib.util.find_spec("dbt.task") is not None
    except ModuleNotFoundError:  # there is no `dbt` at all, or it is no package
        return False


def _check(found: str, module: str, name: str, parameters: str) -> None:
    try:
        target = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
    except (ImportError, AttributeError) as error:
        raise _unsupported(f"dbt-core {found} has no {module}.{name}") from error
    if parameters and not _takes(target, parameters):
        raise _unsupported(f"{module}.{name} of dbt-core {found} takes other arguments")


def _takes(target: object, parameters: str) -> bool:
    """Whether a callable has these parameters, and needs no more than them."""
    by_position, _, by_keyword = parameters.partition("*")
    names = by_position.split()
    is_open = names[-1:] == ["..."]
    if is_open:
        names.pop()
    signature = inspect.signature(target)  # type: ignore[arg-type]
    if list(signature.parameters)[: len(names)] != names:
        return False
    try:
        bind = signature.bind_partial if is_open else signature.bind
        bind(*names, **dict.fromkeys(by_keyword.split()))
    except TypeError:
        return False
    return True


def _unsupported(what: str) -> ConfigurationError:
    low, high = (".".join(map(str, bound)) for bound in SUPPORTED)
    return ConfigurationError(
        f"{what}, and dvt {__version__} works with dbt-core {low} to {high}",
        code="DVT101",
        remedy="Run: pip install 'dbt-core>=1.10,<1.12'",
    )
