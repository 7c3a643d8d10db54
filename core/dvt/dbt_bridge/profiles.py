"""Connections from profiles.yml, rendered by dbt's own renderer, one output at a time and only when asked for."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, nearest
from dvt.federation.registry import open_connection

_LOG = logging.getLogger(__name__)


class Connections:
    """The outputs of one profile as connections.

    Args:
        outputs: The raw outputs.
        render: Renders one output by name.
        default: Name of the default target.
        root: Folder against which relative paths are resolved.
        where: The file that messages name.
    """

    def __init__(
        self,
        outputs: Mapping[str, Any],
        render: Callable[[str], dict[str, Any]],
        default: str,
        root: Path,
        where: Path,
    ) -> None:
        self.names = tuple(outputs)
        self.default_name = default
        self.where = where
        self._render = render
        self._root = root
        self._found: dict[str, Connection] = {}
        self._lock = threading.RLock()

    def rendered(self, name: str) -> dict[str, Any]:
        """One output with its Jinja rendered.

        Raises:
            ConfigurationError: There is no such output.
        """
        if name not in self.names:
            raise ConfigurationError(
                f"unknown connection '{name}': {nearest(name, self.names)}",
                code="DVT107",
                remedy=f"Use an output of {self.where}",
            )
        return self._render(name)

    def get(self, name: str) -> Connection:
        """A connection by the name of its output.

        Raises:
            ConfigurationError: The output is unknown, or a key or option in it is.
        """
        with self._lock:
            if name not in self._found:
                self._found[name] = open_connection(name, self.rendered(name), self._root)
                for line in self._found[name].unread():
                    _LOG.warning("%s", line)
            return self._found[name]


def load_connections(
    *,
    profiles_dir: str | Path | None = None,
    profile: str | None = None,
    project_dir: str | Path | None = None,
    target: str | None = None,
    cli_vars: Mapping[str, Any] | None = None,
) -> Connections:
    """The connections of a profile, outside a dbt invocation.

    Args:
        profiles_dir: Folder of profiles.yml; DBT_PROFILES_DIR, then the project folder, then ~/.dbt when None.
        profile: Profile name; when None the project's, or the only one there is.
        project_dir: The project folder; the current one when None.
        target: Name of the default output; the profile's own when None.
        cli_vars: Variables for `var()` in the profile.
    """
    from dbt.config.profile import read_profile
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    from dvt.dbt_bridge.finding import not_found

    set_invocation_context(dict(os.environ))  # where `env_var()` looks
    root = Path(project_dir or ".").resolve()
    folder = _profiles_folder(profiles_dir, root)
    where = folder / "profiles.yml"
    if not where.is_file():
        raise not_found("", folder)
    try:
        raw = {key: value for key, value in read_profile(str(folder)).items() if key != "config"}
    except DbtBaseException as error:
        raise ConfigurationError(_said(error), code="DVT108", remedy=f"Correct {where}") from error
    name = profile or _project_profile(root) or (next(iter(raw)) if len(raw) == 1 else None)
    if name is None or name not in raw:
        raise not_found(name or "", folder)
    return _connections(raw, name, target, dict(cli_vars or {}), root, where)


def connections_of(config: Any) -> Connections:
    """The connections of a dbt invocation, from its `RuntimeConfig`."""
    from dbt.config.profile import read_profile
    from dbt.flags import get_flags

    folder = Path(get_flags().PROFILES_DIR)
    raw = read_profile(str(folder))
    root = Path(config.project_root)
    where = folder / "profiles.yml"
    if config.profile_name not in raw:  # a profile made in memory has its target and nothing else
        return Connections({}, lambda _: {}, config.target_name, root, where)
    return _connections(raw, config.profile_name, config.target_name, config.cli_vars, root, where)


def _connections(
    raw: dict[str, Any], profile: str, target: str | None, cli_vars: dict[str, Any], root: Path, where: Path
) -> Connections:
    from dbt.config.profile import Profile
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.exceptions import DbtBaseException

    outputs = (raw[profile] or {}).get("outputs") or {}
    renderer = ProfileRenderer(cli_vars)

    def render(name: str) -> dict[str, Any]:
        try:
            return dict(Profile.render_profile(raw[profile], profile, name, renderer)[1])
        except DbtBaseException as error:
            raise ConfigurationError(_said(error), connection=name, remedy=f"Correct {where}") from error

    default = target or renderer.render_value(raw[profile].get("target", "default"))
    return Connections(outputs, render, str(default), root, where)


def _said(error: BaseException) -> str:
    """dbt's words in one line, without the kind of error in front."""
    text = " ".join(str(error).split())
    while text.split(" Error ")[0] in ("Runtime", "Parsing", "Compilation"):
        text = text.split(" Error ", 1)[1]
    return text


def _profiles_folder(given: str | Path | None, root: Path) -> Path:
    if given:
        return Path(given).resolve()
    if os.environ.get("DBT_PROFILES_DIR"):
        return Path(os.environ["DBT_PROFILES_DIR"]).resolve()
    return root if (root / "profiles.yml").is_file() else Path.home() / ".dbt"


def _project_profile(root: Path) -> str | None:
    import yaml

    project = root / "dbt_project.yml"
    if not project.is_file():
        return None
    loaded = yaml.safe_load(project.read_text(encoding="utf-8")) or {}
    name = loaded.get("profile")
    return str(name) if name else None
