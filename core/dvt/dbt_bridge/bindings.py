"""Which connection a node is bound to: `meta.connection`, checked when the project is parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dbt.node_types import NodeType

from dvt.connections.connection import Connection
from dvt.dbt_bridge.profiles import Connections
from dvt.dbt_bridge.shim.plugins import is_shim_type
from dvt.errors import ConfigurationError, DvtError, UnsupportedError, nearest
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.registry import can_land, known_types
from dvt.federation.settings import ENGINES
from dvt.federation.verifying.level import Verify

# Options of a node, flat scalars in `meta`; `target` is another word for `connection` on what lands.
NODE_OPTIONS = (
    *("dvt_path", "dvt_format", "dvt_layout", "dvt_partition_by"),
    *("dvt_pushdown", "dvt_direct", "dvt_verify", "dvt_engine"),
)
# Of what lies or lands in files, by the name that a `files` connection has for it.
FILE_OPTIONS = {
    "dvt_path": "path",
    "dvt_format": "format",
    "dvt_layout": "layout",
    "dvt_partition_by": "partition_by",
}
# Those with few values, in the order in which they are checked: what is one of them, and which there are.
_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "dvt_pushdown": (lambda given: Pushdown.of(given) is not None, "one of: off, safe, full"),
    "dvt_engine": (lambda given: given in ENGINES, f"one of: {', '.join(ENGINES)}"),
    "dvt_direct": (lambda given: isinstance(given, bool), "true or false"),
    "dvt_verify": (lambda given: Verify.of(given) is not None, "one of: count, sums, hash"),
}
_LANDING = (NodeType.Model, NodeType.Seed, NodeType.Snapshot)


def meta_of(node: Any) -> dict[str, Any]:
    """A node's `meta`, wherever this dbt keeps it."""
    config = getattr(node, "config", None)
    return {**(getattr(node, "meta", None) or {}), **(getattr(config, "meta", None) or {})}


def bound_connection(node: Any, default: str) -> str:
    """The name of the connection on which a node's relation lives."""
    if node.resource_type == NodeType.Source:
        return str(meta_of(node).get("connection") or default)
    if node.resource_type in _LANDING:
        meta = meta_of(node)
        return str(meta.get("connection") or meta.get("target") or default)
    return default


def bound_nodes(manifest: Any) -> Iterator[Any]:
    """Every node and source that has a relation of its own somewhere."""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if node.resource_type in (*_LANDING, NodeType.Source):
            yield node


def check_bindings(manifest: Any, connections: Connections) -> None:
    """Refuse unknown connections, options and missing drivers, with the file that names them.

    Raises:
        ConfigurationError: The first fault found, in the order of the manifest.
    """
    _check_default(connections)
    needed: dict[str, Any] = {}
    landings: set[str] = set()
    for node in bound_nodes(manifest):
        _check_options(node)
        name = bound_connection(node, connections.default_name)
        if name == connections.default_name:
            continue
        is_first_landing = node.resource_type in _LANDING and name not in landings
        if is_first_landing or name not in needed:
            needed[name] = node
        if is_first_landing:
            landings.add(name)
    for name, node in needed.items():
        try:
            connection = connections.get(name)
            connection.require_driver()
            if name in landings:
                require_landing(connection)
        except DvtError as error:
            raise error.at(node=f"{node.name} ({node.original_file_path})") from None


def _check_default(connections: Connections) -> None:
    name = connections.default_name
    if name not in connections.names or connections.rendered(name).get("type") not in known_types():
        return  # dbt's alone
    if is_shim_type(connections.get(name).type):
        require_landing(connections.get(name))
    if not connections.get(name).spec.runs_sql:
        raise ConfigurationError(
            "a folder of files cannot be the target: it runs no hooks and no tests",
            connection=name,
            remedy="Choose a database as the target, and give models `meta: {connection: " + name + "}`",
        )


def file_options_of(node: Any) -> dict[str, Any]:
    """What a node's meta says of its files."""
    return {own: given for key, own in FILE_OPTIONS.items() if (given := meta_of(node).get(key))}


def require_landing(connection: Connection) -> None:
    """Refuse a connection that is only read as a place to land.

    Raises:
        UnsupportedError: Nothing loads into its type.
    """
    if not can_land(connection.type):
        raise UnsupportedError(
            f"nothing can land on type {connection.type}: dvt only reads it",
            connection=connection.name,
            remedy="Let the model land on another connection",
        )


def _check_options(node: Any) -> None:
    for key in meta_of(node):
        if str(key).startswith("dvt_") and key not in NODE_OPTIONS:
            raise ConfigurationError(
                f"unknown option meta.{key}: {nearest(str(key), NODE_OPTIONS)}",
                code="DVT102",
                node=f"{node.name} ({node.original_file_path})",
                remedy="Correct or remove it",
            )
    for key, (is_one, takes) in _VALUES.items():
        given = meta_of(node).get(key)
        if given is not None and not is_one(given):
            raise ConfigurationError(
                f"option meta.{key} is {given!r}",
                code="DVT103",
                node=f"{node.name} ({node.original_file_path})",
                remedy=f"It takes {takes}",
            )


def engine_of(node: Any) -> str | None:
    """Which engine computes a model, by what the model says; None when it says nothing."""
    given = meta_of(node).get("dvt_engine")
    return given if given in ENGINES else None


def pushdown_of(node: Any) -> Pushdown | None:
    """How much of a query may move to sources, by what a model or a source says; None when it says nothing."""
    return Pushdown.of(meta_of(node).get("dvt_pushdown"))


def direct_of(node: Any) -> bool | None:
    """Whether the engine may be left out for a model, by what the model says; None when it says nothing."""
    given = meta_of(node).get("dvt_direct")
    return given if isinstance(given, bool) else None


def verify_of(node: Any) -> Verify:
    """How much of what a node lands is compared with what was sent."""
    return Verify.of(meta_of(node).get("dvt_verify")) or Verify.COUNT


def foreign(nodes: Iterable[Any], default: str) -> Iterator[tuple[str, Any]]:
    """The nodes that are bound to another connection than the default one, with its name."""
    for node in nodes:
        name = bound_connection(node, default)
        if name != default:
            yield name, node
