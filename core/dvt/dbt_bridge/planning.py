"""Planning nodes before they run: for `dvt plan`, and to find the scans that several nodes of a run have in common."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from dbt.node_types import NodeType
from dbt_common.exceptions import DbtBaseException

from dvt.errors import DvtError

if TYPE_CHECKING:
    from dvt.dbt_bridge.bridge import Bridge
    from dvt.federation.plan.model import QueryPlan

_SHARING = (NodeType.Model, NodeType.Snapshot, NodeType.Test)


def plan_node(bridge: Bridge, node: Any) -> QueryPlan:
    """What a federated node will read. Sources are asked for columns, not for rows; the node itself is not changed.

    Raises:
        PlanError: The node's SQL cannot be planned, or a macro in it reads data while it is compiled.
    """
    sql, inputs = compiled_sql(bridge, node), bridge.handles.inputs()
    return bridge.session.plan(sql, inputs, bridge.pushdown(node), direct=bridge.direct(node))


def compiled_sql(bridge: Bridge, node: Any, *, reads_data: bool = False) -> str:
    """A federated node's query in the engine's SQL; the node itself is not changed.

    Args:
        bridge: The invocation's bridge.
        node: The node.
        reads_data: Whether a macro may read data while it is compiled.

    Raises:
        PlanError: A macro reads data, and may not.
    """
    from dvt.dbt_bridge.compilation import FederatedCompiler

    private = copy.copy(node)
    private.compiled, private.compiled_code = False, None
    private.extra_ctes, private.extra_ctes_injected = [], False
    target = bridge.dbt_connections.get(bridge.router.route(node).connection)
    compiler = FederatedCompiler(bridge, target)
    guard = nullcontext() if reads_data else _reading_no_data(bridge)
    with guard, target.adapter.connection_named(f"plan_{node.unique_id}"):
        compiled = compiler.compile_node(private, target.manifest(bridge.manifest), {}, False)
    return str(compiled.compiled_code)


def announce_shared(bridge: Bridge, selected: Iterable[str]) -> None:
    """Tell the session which scans several nodes of this run will read, so that each is read once.

    Only nodes are planned early whose inputs this run does not write, and only when another one reads the same
    relation. A node that cannot be planned early says so itself when it runs.
    """
    chosen = set(selected)
    early = [node for uid in chosen if (node := bridge.manifest.nodes.get(uid)) and _is_early(bridge, node, chosen)]
    readers = Counter(uid for node in early for uid in set(bridge.router.input_ids(node)))
    for node in early:
        if any(readers[uid] > 1 for uid in bridge.router.input_ids(node)):
            try:
                bridge.session.announce(plan_node(bridge, node))
            except (DvtError, DbtBaseException):
                continue  # reported by the node itself, with its name and place


def _is_early(bridge: Bridge, node: Any, chosen: set[str]) -> bool:
    if node.resource_type not in _SHARING or getattr(node, "is_ephemeral_model", False):
        return False
    if node.config.get("incremental_strategy") == "microbatch" or not bridge.router.route(node).is_federated:
        return False
    return not any(uid in chosen for uid in bridge.router.input_ids(node))


@contextmanager
def _reading_no_data(bridge: Bridge) -> Iterator[None]:
    was, bridge.plan_only = bridge.plan_only, True
    try:
        yield
    finally:
        bridge.plan_only = was
