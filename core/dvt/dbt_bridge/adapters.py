"""More than one connection inside one dbt process: a config and an adapter instance for each profile output."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dbt.adapters.factory import FACTORY, get_adapter
from dbt.config.profile import Profile
from dbt.context.providers import generate_runtime_macro_context
from dbt.context.query_header import generate_query_header_context
from dbt.mp_context import get_mp_context
from dbt_common.context import _INVOCATION_CONTEXT_VAR, get_invocation_context

from dvt.dbt_bridge.macros import OWN_PACKAGE, package_macros, plugin_macros
from dvt.dbt_bridge.overlays import with_macros

T = TypeVar("T")

_ALIAS = "@"


class DbtConnection:
    """What dbt's runners need to work on one connection.

    Args:
        name: The output's name.
        config: A `RuntimeConfig` whose credentials are that output's.
        adapter: The adapter instance.
        macros: Macros that this adapter brings and the manifest has not.
    """

    def __init__(self, name: str, config: Any, adapter: Any, macros: dict[str, Any]) -> None:
        self.name = name
        self.config = config
        self.adapter = adapter
        self._macros = macros
        self._overlays: dict[int, tuple[Any, Any]] = {}

    def manifest(self, manifest: Any) -> Any:
        """The manifest as this connection's adapter has to see it."""
        cached = self._overlays.get(id(manifest))
        if cached is None or cached[0] is not manifest:
            cached = (manifest, with_macros(manifest, self._macros))
            self._overlays[id(manifest)] = cached
        return cached[1]

    def aside(self, work: Callable[[], T]) -> T:
        """Metadata work on this adapter from inside a node's thread.

        `connection_named` is not re-entrant and adapters key connections by thread, so it runs on a thread of its own.
        """
        context = get_invocation_context()

        def run() -> T:
            _INVOCATION_CONTEXT_VAR.set(context)
            with self.adapter.connection_named(f"dvt_{self.name}"):
                return work()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(run).result()


class DbtConnections:
    """Opens a `DbtConnection` for an output on first use, and registers it with dbt's adapter factory.

    Args:
        config: The invocation's `RuntimeConfig`.
        manifest: The invocation's manifest.
        rendered: Renders an output by name, without the `dvt:` options.
    """

    def __init__(self, config: Any, manifest: Any, rendered: Callable[[str], dict[str, Any]]) -> None:
        self._config = config
        self._manifest = manifest
        self._rendered = rendered
        self._open: dict[str, DbtConnection] = {}
        self._lock = threading.RLock()

    def get(self, name: str) -> DbtConnection:
        """The connection of an output; the default target's is dbt's own."""
        with self._lock:
            if name not in self._open:
                self._open[name] = self._default() if name == self._config.target_name else self._another(name)
            return self._open[name]

    def opened(self) -> list[DbtConnection]:
        """The connections that were used so far."""
        with self._lock:
            return list(self._open.values())

    def _default(self) -> DbtConnection:
        own = package_macros(self._config, OWN_PACKAGE)
        return DbtConnection(self._config.target_name, self._config, get_adapter(self._config), own)

    def _another(self, name: str) -> DbtConnection:
        output = {key: value for key, value in self._rendered(name).items() if key != "threads"}
        credentials = Profile._credentials_from_profile(output, self._config.profile_name, name)
        return self.register(name, credentials)

    def register(self, name: str, credentials: Any, adapter_class: type[Any] | None = None) -> DbtConnection:
        """An adapter instance beside the default one.

        dbt's factory keys adapters by credential type, so two PostgreSQL outputs would collide: each gets an alias as
        its type. The config is a copy of the default one, which avoids rendering dbt_project.yml for another target.
        """
        type_ = credentials.type
        alias = f"{type_}{_ALIAS}{name}"
        plugin = FACTORY.get_plugin_by_name(type_)
        base = type(credentials)
        credentials.__class__ = type(
            base.__name__, (base,), {"type": property(lambda _: alias), "__module__": base.__module__}
        )
        config = self._config_for(name, type_, credentials, plugin)
        with FACTORY.lock:
            FACTORY.plugins[alias] = plugin
            made = (_own_environment(adapter_class or plugin.adapter))(config, get_mp_context())
            FACTORY.adapters[alias] = made
        known = {macro.package_name for macro in self._manifest.macros.values()}
        connection = DbtConnection(name, config, made, plugin_macros(config, type_, known))
        overlay = connection.manifest(self._manifest)
        made.set_macro_context_generator(generate_runtime_macro_context)
        made.set_macro_resolver(overlay)
        made.connections.set_query_header(generate_query_header_context(config, overlay))
        return connection

    def _config_for(self, name: str, type_: str, credentials: Any, plugin: Any) -> Any:
        config = copy.copy(self._config)
        # {{ target.type }} stays the adapter's own type, not the alias.
        config.to_target_dict = lambda: {**type(config).to_target_dict(config), "type": type_}
        config.credentials = credentials
        config.target_name = name
        quoting = (self._config.unrendered.project_dict or {}).get("quoting") or {}
        policy = plugin.adapter.Relation.get_default_quote_policy()
        given = {key: value for key, value in quoting.items() if key in ("database", "schema", "identifier")}
        config.quoting = policy.replace_dict(given).to_dict(omit_none=True)
        return config


def _own_environment(adapter_class: type[Any]) -> type[Any]:
    """dbt-duckdb keeps its database in a class attribute and closes it when credentials change; give each its own."""
    manager = adapter_class.ConnectionManager
    if not hasattr(manager, "_ENV"):
        return adapter_class
    own = type(manager.__name__, (manager,), {"_ENV": None, "_LOCK": threading.RLock()})
    return type(adapter_class.__name__, (adapter_class,), {"ConnectionManager": own})
