"""Plugins by packaging entry point: a third party adds an engine without touching this repository."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from dvt.connections.spec import ConnectionSpec
    from dvt.federation.engines.base import BaseEngine
    from dvt.federation.extractors.base import BaseExtractor
    from dvt.federation.loaders.base import BaseLoader

EXTRACTORS, LOADERS, ENGINES = "dvt.extractors", "dvt.loaders", "dvt.engines"
CONNECTIONS = "dvt.connections"  # optional: the specs by themselves, so that parsing imports no extractor


@cache
def _plugins(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def known_types() -> tuple[str, ...]:
    """The connection types that have an extractor, sorted."""
    return tuple(sorted(_plugins(EXTRACTORS)))


def can_land(type_: str) -> bool:
    """Whether something loads into connections of a type; others are only read."""
    return type_ in _plugins(LOADERS)


def _load(group: str, name: str, what: str) -> Any:
    plugins = _plugins(group)
    if name not in plugins:
        raise ConfigurationError(
            f"no {what} for type '{name}': {nearest(name, plugins)}",
            code="DVT106",
            remedy="Correct the type in profiles.yml, or install the plugin that provides it",
        )
    return plugins[name].load()


def extractor_class(type_: str) -> type[BaseExtractor]:
    """The extractor plugin of a connection type.

    Raises:
        ConfigurationError: There is none.
    """
    found: type[BaseExtractor] = _load(EXTRACTORS, type_, "extractor")
    return found


def new_extractor(connection: Connection) -> BaseExtractor:
    """An extractor of a connection, by the engine's own client or over JDBC; nothing is contacted.

    Raises:
        ConfigurationError: The type has none, or not the way that the connection asks for.
    """
    from dvt.connections.jdbc_ways import why_jdbc

    if why := why_jdbc(connection):
        from dvt.federation.extractors.jdbc import JdbcExtractor

        return JdbcExtractor(connection, why)
    found = extractor_class(connection.type)
    wanted = connection.options.get("read_by")
    if wanted in ("streaming", "buffered") and wanted not in found.kinds:
        raise ConfigurationError(
            f"type {connection.type} has no {wanted} method",
            code="DVT103",
            connection=connection.name,
            remedy="Remove dvt.read_by",
        )
    return found(connection)


def loader_class(type_: str) -> type[BaseLoader]:
    """The loader plugin of a connection type.

    Raises:
        ConfigurationError: There is none.
    """
    found: type[BaseLoader] = _load(LOADERS, type_, "loader")
    return found


def engine_class(name: str) -> type[BaseEngine]:
    """The compute engine of that name.

    Raises:
        ConfigurationError: There is none.
    """
    found: type[BaseEngine] = _load(ENGINES, name, "engine")
    return found


def connection_spec(type_: str) -> ConnectionSpec:
    """What an output of that type may hold.

    Raises:
        ConfigurationError: No extractor is there for the type.
    """
    if type_ in _plugins(CONNECTIONS):
        found: ConnectionSpec = _plugins(CONNECTIONS)[type_].load()
        return found
    return extractor_class(type_).spec_for(type_)


def open_connection(name: str, output: Mapping[str, Any], root: Path | None = None) -> Connection:
    """A checked connection from a rendered profile output. Nothing is contacted.

    Raises:
        ConfigurationError: The type, a key or an option is unknown, or a key is missing.
    """
    type_ = str(output.get("type", ""))
    try:
        spec = connection_spec(type_)
    except ConfigurationError as error:
        raise error.at(connection=name) from None
    return Connection.from_output(name, output, spec, root)
