"""Which runner class a node gets: dbt's own, the same on another connection, or the federated one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dbt.adapters.factory import get_adapter
from dbt.node_types import NodeType

from dvt.dbt_bridge.bindings import require_landing
from dvt.dbt_bridge.seed_formats import format_of
from dvt.dbt_bridge.shim.plugins import is_shim

if TYPE_CHECKING:
    from dvt.dbt_bridge.bridge import Bridge

# By names, because a project without federated nodes shall not pay for importing the federation.
_FEDERATED = {
    "ModelRunner": "runners.FederatedModel",
    "MicrobatchBatchRunner": "runners.FederatedBatch",
    "SnapshotRunner": "runners.FederatedSnapshot",
    "CompileRunner": "runners.FederatedCompile",
    "ShowRunner": "checks.FederatedShow",
    "TestRunner": "checks.FederatedTest",
    "FreshnessRunner": "checks.FilesFreshness",
}
# Runners that work on the landing alone, whatever feeds the node.
_ALWAYS_NATIVE = ("CloneRunner", "MicrobatchModelRunner")


def choose_runner(bridge: Bridge, stock: Any, node: Any) -> Any:
    """The runner class for a node.

    Args:
        bridge: The invocation's bridge.
        stock: The class that dbt would use; None for nodes that are not run.
        node: The node.
    """
    if stock is None:
        return None
    kind = stock.__name__ if stock.__module__.startswith("dbt.task.") else ""
    route = bridge.router.route(node)
    default = bridge.connections.default_name
    is_federated = route.is_federated and kind not in _ALWAYS_NATIVE
    if is_federated and node.resource_type == NodeType.Unit:
        # Fixtures are the inputs: the whole test runs in the engine.
        return _placed(stock, bridge, bridge.engine)
    if is_federated and kind in _FEDERATED:
        return _placed(_named(_FEDERATED[kind]), bridge, bridge.dbt_connections.get(route.connection))
    if kind == "SeedRunner" and (name := _seed_runner(bridge, route.connection, node)):
        return _placed(_named(name), bridge, bridge.dbt_connections.get(route.connection))
    if route.connection == default and not (kind == "ModelRunner" and is_shim(get_adapter(bridge.config))):
        return stock
    target = bridge.dbt_connections.get(route.connection)
    if kind in ("ModelRunner", "MicrobatchBatchRunner") and is_shim(target.adapter):
        from dvt.dbt_bridge.runners import NativeOnShim

        base = NativeOnShim if kind == "ModelRunner" else type("Batch", (NativeOnShim, stock), {})
        return _placed(base, bridge, target)
    return _placed(stock, bridge, target)


def _seed_runner(bridge: Bridge, connection: str, node: Any) -> str:
    """The runner of a seed on a connection, empty for dbt's own."""
    known = bridge.connections
    if format_of(node.original_file_path) is not None:
        known.get(connection).require_driver()
        require_landing(known.get(connection))
        return "data_seed.DataSeed"
    if connection not in known.names or known.rendered(connection).get("type") not in ("postgres", "files"):
        return ""
    found = known.get(connection)
    if not found.spec.runs_sql:
        return "seeding.FilesSeed"
    # Here the stock adapter sends rows as statements with values, and COPY gives the same table.
    return "seeding.BulkSeed" if found.has_driver else ""


def _named(runner: str) -> Any:
    module, name = runner.split(".")
    return getattr(importlib.import_module(f"dvt.dbt_bridge.{module}"), name)


def _placed(base: type[Any], bridge: Bridge, connection: Any) -> type[Any]:
    """A runner class bound to a connection."""
    from dvt.dbt_bridge.materializing import OnConnection

    bases = (base,) if issubclass(base, OnConnection) else (OnConnection, base)
    return type(base.__name__, bases, {"bridge": bridge, "connection": connection})
