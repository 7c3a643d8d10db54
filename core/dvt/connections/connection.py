"""A connection: one profile output, rendered, checked and with its secrets wrapped."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvt.connections.landing_ways import Way
from dvt.connections.secrets import Secret, wrapped
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConfigurationError, MissingDriverError, nearest

# Keys that dbt itself reads from any output.
_DBT_KEYS = frozenset({"type", "threads", "dvt"})


@dataclass(frozen=True)
class Connection:
    """One profile output as extractors and loaders take it.

    Args:
        name: Name of the output.
        spec: The engine's facts.
        settings: The output's keys; secret ones are `Secret`.
        options: Every option of the engine with its value.
        root: Folder against which relative paths are resolved.
    """

    name: str
    spec: ConnectionSpec
    settings: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)

    @classmethod
    def from_output(
        cls, name: str, output: Mapping[str, Any], spec: ConnectionSpec, root: Path | None = None
    ) -> Connection:
        """Check a rendered profile output against the engine's spec.

        Raises:
            ConfigurationError: A key is unknown or missing, or an option is.
        """
        known = {*spec.settings, *(key for key, _ in spec.unread)}
        for key in output:
            if key not in _DBT_KEYS and key not in known:
                raise ConfigurationError(
                    f"unknown key '{key}' for type {spec.type}: {nearest(str(key), known)}",
                    code="DVT104",
                    connection=name,
                    remedy="Correct or remove it in profiles.yml",
                )
        for wanted in spec.required:
            alternatives = (wanted,) if isinstance(wanted, str) else wanted
            if not any(output.get(key) not in (None, "") for key in alternatives):
                raise ConfigurationError(
                    f"key '{' or '.join(alternatives)}' is missing for type {spec.type}",
                    code="DVT105",
                    connection=name,
                    remedy="Add it to the output in profiles.yml",
                )
        settings = {
            key: wrapped(value) if key in spec.secret_settings and value is not None else value
            for key, value in output.items()
            if key not in _DBT_KEYS
        }
        options = spec.check_options(output.get("dvt"), name)
        return cls(name, spec, settings, options, root or Path.cwd())

    @property
    def type(self) -> str:
        """The engine, as the profile names it."""
        return self.spec.type

    @property
    def dialect(self) -> str:
        """sqlglot's name of the engine's dialect."""
        return self.spec.dialect if self.spec.dialect_of is None else self.spec.dialect_of(self)

    def landing(self, file_options: Mapping[str, Any] | None = None) -> Way:
        """How a table is replaced here, by the options of one that lands in files."""
        chosen = self.spec.landing_of
        return self.spec.landing if chosen is None else chosen(self, file_options or {})

    @property
    def place(self) -> tuple[Any, ...]:
        """Equal for two connections that reach the same server and database, whatever their names."""
        return (self.spec.dialect, *self.spec.place({**self.settings, "__root__": self.root, "__name__": self.name}))

    def unread(self) -> list[str]:
        """What the output says to no effect, a line for each key."""
        given = [(key, why) for key, why in self.spec.unread if self.settings.get(key) is not None]
        return [f"connection {self.name}: '{key}' has no effect: {why}" for key, why in given]

    def first(self, *keys: str, default: Any = None) -> Any:
        """The first of several keys that is set: `first("dbname", "database")`."""
        for key in keys:
            value = self.settings.get(key)
            if value not in (None, ""):
                return value
        return default

    def secret(self, *keys: str) -> str | None:
        """The value of a secret key, for a driver's connect call only."""
        value = self.first(*keys)
        return value.reveal() if isinstance(value, Secret) else value

    def path(self, key: str) -> Path:
        """A path setting, resolved against the root."""
        return (self.root / str(self.settings[key])).resolve()

    @property
    def has_driver(self) -> bool:
        """Whether the engine's own client is installed, or none is needed."""
        return not self.spec.drivers or any(_is_importable(module) for module in self.spec.drivers)

    def require_driver(self) -> str | None:
        """The first importable driver module of the engine, None when it needs none.

        Raises:
            MissingDriverError: No driver is installed; the message names the extra.
        """
        for module in self.spec.drivers:
            if _is_importable(module):
                return module
        if not self.spec.drivers:
            return None
        raise MissingDriverError(
            f"no driver for type {self.type} is installed ({' or '.join(self.spec.drivers)})",
            connection=self.name,
            remedy=f"Run: pip install 'dvt[{self.spec.extra}]'",
        )


def _is_importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package of a dotted name is missing
        return False
