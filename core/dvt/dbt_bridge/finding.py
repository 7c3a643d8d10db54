"""What is said when a profile or an adapter is not found: the nearest name, the file, the package to install."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbt.config.profile import read_profile
from dbt_common.exceptions import DbtBaseException

from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.errors import ConfigurationError, MissingDriverError, nearest
from dvt.federation.registry import can_land, connection_spec, known_types

# dbt has no class of its own for this error.
_NO_PROFILE = "Could not find profile named"


def profile_finder(load_profile: Callable[..., Any]) -> Callable[..., Any]:
    """dbt's `load_profile`, which says only the name that it did not find."""

    def load(*args: Any, **more: Any) -> Any:
        try:
            return load_profile(*args, **more)
        except DbtBaseException as error:
            text = str(error)
            if _NO_PROFILE not in text:
                raise
            from dbt.flags import get_flags

            folder = Path(get_flags().PROFILES_DIR)
            with shown_by_dbt():
                raise not_found(text.split(_NO_PROFILE)[1].strip().strip("'"), folder) from error

    return load


def not_found(name: str, folder: Path) -> ConfigurationError:
    """The error for a profile that is not in the folder's profiles.yml.

    Args:
        name: The profile's name, empty when none is named.
        folder: Where profiles.yml was looked for.
    """
    where = folder / "profiles.yml"
    if not where.is_file():
        return ConfigurationError(
            f"there is no {where}", code="DVT108", remedy="Give --profiles-dir, or run `dvt init` to make a project"
        )
    known = [key for key in read_profile(str(folder)) if key != "config"]
    problem = f"unknown profile '{name}'" if name else "no profile is named"
    return ConfigurationError(
        f"{problem}: {nearest(name, known)}", code="DVT109", remedy=f"Name a profile of {where} in dbt_project.yml"
    )


def require_adapter(type_: str, connection: str) -> None:
    """Refuse a type for which no dbt adapter is installed.

    Args:
        type_: The output's type.
        connection: Name of the output.

    Raises:
        MissingDriverError: dvt knows which extra brings it.
        ConfigurationError: Nobody knows the type.
    """
    if has_adapter(type_):
        return
    if type_ in known_types():
        spec = connection_spec(type_)
        raise MissingDriverError(
            f"no dbt adapter for type {type_} is installed",
            connection=connection,
            remedy=f"Run: pip install 'dvt[{spec.extra}]'"
            if spec.extra and can_land(type_)
            else f"Run: pip install dbt-{type_}",
        )
    raise ConfigurationError(
        f"no adapter for type '{type_}': {nearest(type_, known_types())}",
        code="DVT106",
        connection=connection,
        remedy="Correct the type in profiles.yml, or install the dbt adapter that provides it",
    )


def has_adapter(type_: str) -> bool:
    """Whether a dbt adapter of that type is installed, or one of dvt's own stands in for it."""
    return _is_installed(f"dbt.adapters.{type_}")


def _is_installed(module: str) -> bool:
    import sys

    if module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False
