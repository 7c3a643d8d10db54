"""The router: where a node's inputs live and where it lands decide its lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dbt.node_types import NodeType

from dvt.connections.connection import Connection
from dvt.dbt_bridge.bindings import bound_connection
from dvt.dbt_bridge.profiles import Connections
from dvt.errors import ConfigurationError
from dvt.federation.plan.router import Lane, route


@dataclass(frozen=True)
class Route:
    """A node's lane.

    Args:
        lane: Native on `connection`, or federated and landing on it.
        connection: Name of the output.
        inputs: Names of the connections that the node reads, through ephemeral parents.
    """

    lane: Lane
    connection: str
    inputs: tuple[str, ...]

    @property
    def is_federated(self) -> bool:
        """Whether the node is computed by the engine."""
        return self.lane is Lane.FEDERATED


class Router:
    """Routes nodes of one manifest. Routes are cached; the manifest does not change while a task runs.

    Args:
        manifest: dbt's manifest.
        connections: The profile's outputs.
        force_federated: Federate every model and snapshot that has inputs; dbt's own tests use it as an oracle.
    """

    def __init__(self, manifest: Any, connections: Connections, *, force_federated: bool = False) -> None:
        self._manifest = manifest
        self._connections = connections
        self._force = force_federated
        self._cache: dict[str, Route] = {}

    @property
    def is_forced(self) -> bool:
        """Whether nodes are federated that need not be."""
        return self._force

    def connection_name(self, node: Any) -> str:
        """The connection on which a node's relation lives."""
        return bound_connection(node, self._connections.default_name)

    def inputs(self, node: Any) -> tuple[str, ...]:
        """The connections of all relations that a node reads, through ephemeral parents, sorted."""
        parents = (self._manifest.nodes.get(uid) or self._manifest.sources[uid] for uid in self.input_ids(node))
        return tuple(sorted({self.connection_name(parent) for parent in parents}))

    def input_ids(self, node: Any) -> tuple[str, ...]:
        """The ids of all relations that a node reads, through ephemeral parents, sorted."""
        found: set[str] = set()
        seen: set[str] = set()
        todo = list(getattr(getattr(node, "depends_on", None), "nodes", []))
        while todo:
            uid = todo.pop()
            parent = self._manifest.nodes.get(uid) or self._manifest.sources.get(uid)
            if parent is None or uid in seen:
                continue
            seen.add(uid)
            if getattr(parent, "is_ephemeral_model", False):
                todo += parent.depends_on.nodes
            else:
                found.add(uid)
        return tuple(sorted(found))

    def route(self, node: Any) -> Route:
        """The lane of a node."""
        key = node.unique_id
        # An inline query has a new node each time under the same id.
        if node.resource_type == NodeType.SqlOperation:
            return self._route(node)
        if key not in self._cache:
            self._cache[key] = self._route(node)
        return self._cache[key]

    def _route(self, node: Any) -> Route:
        kind = node.resource_type
        default = self._connections.default_name
        if kind == NodeType.Unit:
            model = self._manifest.nodes.get(node.depends_on.nodes[0])
            return self.route(model) if model is not None else Route(Lane.NATIVE, default, ())
        if kind == NodeType.Source:
            own = self.connection_name(node)
            return Route(self._lane(own, (own,)), own, (own,))
        inputs = self.inputs(node)
        if kind in (NodeType.Model, NodeType.Snapshot):
            own = self.connection_name(node)
            is_forced = self._force and bool(inputs)
            return Route(Lane.FEDERATED if is_forced else self._lane(own, inputs), own, inputs)
        if kind == NodeType.Seed:
            own = self.connection_name(node)
            return Route(Lane.NATIVE, own, ())
        if kind == NodeType.Test:
            return self._route_test(node, inputs)
        if kind in (NodeType.SqlOperation, NodeType.Analysis) and inputs:
            return Route(*self._single(inputs), inputs)
        return Route(Lane.NATIVE, default, inputs)

    def _route_test(self, node: Any, inputs: tuple[str, ...]) -> Route:
        default = self._connections.default_name
        lane, where = self._single(inputs)
        # A test's failing rows are never written to a connection that is not the default target.
        if lane is Lane.NATIVE and where != default and getattr(node.config, "store_failures", None):
            return Route(Lane.FEDERATED, default, inputs)
        return Route(lane, where, inputs)

    def _single(self, inputs: tuple[str, ...]) -> tuple[Lane, str]:
        """Where something without a landing runs: on the one connection of its inputs, else in the engine."""
        default = self._connections.default_name
        if not inputs:
            return Lane.NATIVE, default
        for candidate in (default, *inputs):
            if (candidate != default or default in inputs) and self._lane(candidate, inputs) is Lane.NATIVE:
                return Lane.NATIVE, candidate
        return Lane.FEDERATED, default

    def _lane(self, landing: str, inputs: tuple[str, ...]) -> Lane:
        default = self._connections.default_name
        if landing == default and all(name == default for name in inputs) and not self._is_fileset(default):
            return Lane.NATIVE  # whatever the default's type: nothing of ours is in the way
        return route(self._get(landing), [self._get(name) for name in inputs])

    def _is_fileset(self, name: str) -> bool:
        try:
            return not self._connections.get(name).spec.runs_sql
        except ConfigurationError:  # a type that dvt has no extractor for is dbt's alone
            return False

    def _get(self, name: str) -> Connection:
        return self._connections.get(name)
