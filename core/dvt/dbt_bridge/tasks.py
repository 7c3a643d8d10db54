"""The one mixin that stands in front of dbt's task classes, and what it substitutes for the time of an invocation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dbt.adapters.factory import get_adapter
from dbt.node_types import NodeType
from dbt_common.clients.agate_helper import merge_tables

from dvt import signals
from dvt.dbt_bridge.bridge import Bridge
from dvt.dbt_bridge.failures import naming, reaching, shown_by_dbt
from dvt.dbt_bridge.lanes import choose_runner
from dvt.dbt_bridge.overlays import shallow
from dvt.dbt_bridge.planning import announce_shared


class Invocation:
    """State shared by the substituted classes of one invocation."""

    def __init__(self) -> None:
        self.bridge: Bridge | None = None

    def bridge_for(self, config: Any, manifest: Any) -> Bridge:
        """The bridge of a task; a new one when the manifest is another."""
        if self.bridge is None or self.bridge.manifest is not manifest:
            self.close()
            self.bridge = Bridge(config, manifest)
        return self.bridge

    def close(self) -> None:
        """End the session of the last task."""
        if self.bridge is not None:
            self.bridge.close()
            self.bridge = None


class FederatedTaskMixin:
    """Gives each node the runner of its lane; native nodes on the default connection get dbt's own, untouched."""

    invocation: Invocation
    config: Any
    manifest: Any

    @property
    def bridge(self) -> Bridge:
        """The invocation's bridge."""
        return self.invocation.bridge_for(self.config, self.manifest)

    def get_runner_type(self, node: Any) -> Any:
        """The stock runner, or a subclass of it that works elsewhere."""
        stock = super().get_runner_type(node)  # type: ignore[misc]
        with shown_by_dbt(node):
            return choose_runner(self.bridge, stock, node)

    def get_model_schemas(self, adapter: Any, selected_uids: Iterable[str]) -> Any:
        """The schemas of the default connection only; the others are made by their own adapters."""
        elsewhere = {uid for nodes in self._elsewhere(selected_uids).values() for uid in nodes}
        return super().get_model_schemas(adapter, set(selected_uids) - elsewhere)  # type: ignore[misc]

    def before_run(self, adapter: Any, selected_uids: Any) -> Any:
        """Make schemas and fill relation caches on every connection that something lands on."""
        for name, nodes in self._elsewhere(selected_uids).items():
            target = self.bridge.dbt_connections.get(name)
            relations = {
                target.adapter.Relation.create_from(target.config, node).without_identifier() for node in nodes.values()
            }
            with shown_by_dbt(), naming(name, phase="prepare"), target.adapter.connection_named("master"):
                self.create_schemas(target.adapter, relations)  # type: ignore[attr-defined]
                target.adapter.set_relations_cache(list(nodes.values()), required_schemas=relations)
        with shown_by_dbt(), reaching(self.bridge.connections.default_name):
            status = super().before_run(adapter, selected_uids)  # type: ignore[misc]
        announce_shared(self.bridge, selected_uids)
        return status

    def populate_adapter_cache(self, adapter: Any, required_schemas: Any = None) -> None:
        """Fill the default adapter's cache from the nodes that live there."""
        full = self.manifest
        own = shallow(full)
        default = self.bridge.connections.default_name
        router = self.bridge.router
        own.nodes = {uid: node for uid, node in full.nodes.items() if router.connection_name(node) == default}
        self.manifest = own
        try:
            # The bridge belongs to the full manifest; nothing below asks for it.
            super().populate_adapter_cache(adapter, required_schemas)  # type: ignore[misc]
        finally:
            self.manifest = full

    def _elsewhere(self, selected_uids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Selected nodes that land on another connection, by its name and their ids."""
        found: dict[str, dict[str, Any]] = {}
        default = self.bridge.connections.default_name
        for uid in selected_uids:
            node = self.manifest.nodes.get(uid)
            if node is None or not node.is_relational or node.is_ephemeral_model or node.resource_type == NodeType.Test:
                continue
            name = self.bridge.router.connection_name(node)
            if name != default:
                found.setdefault(name, {})[uid] = node
        return found

    def run_queue(self, pool: Any) -> None:
        """Run the nodes. A signal is taken up at once: dbt writes its results before it cancels.

        Repeated meanwhile, it would end the command with everything still running.
        """
        try:
            super().run_queue(pool)  # type: ignore[misc]
        except (KeyboardInterrupt, SystemExit):
            signals.ending()
            raise

    def _cancel_connections(self, pool: Any) -> None:
        """Cancel on every connection and in the engine, then as dbt does on the default one."""
        # First of all, as dbt does: what ends because it is cancelled is no result of its node.
        pool.close()
        pool.terminate()
        self.bridge.cancel()
        for target in self.bridge.dbt_connections.opened():
            if target.name != self.bridge.connections.default_name and target.adapter.is_cancelable():
                with target.adapter.connection_named("master"):
                    list(target.adapter.cancel_open_connections())
        super()._cancel_connections(pool)  # type: ignore[misc]

    def run(self) -> Any:
        """Run, and end the session whatever happens."""
        try:
            with shown_by_dbt():
                return super().run()  # type: ignore[misc]
        finally:
            self.invocation.close()


class CatalogTaskMixin(FederatedTaskMixin):
    """`docs generate`: one catalogue out of all connections."""

    def run(self) -> Any:
        """Answer dbt's one catalogue query with the catalogues of every connection that holds a node."""
        adapter = get_adapter(self.config)
        stock = adapter.get_filtered_catalog
        bridge = self.bridge
        default = bridge.connections.default_name

        def from_all(nodes: Any, used_schemas: Any, relations: Any = None) -> Any:
            by_connection: dict[str, list[Any]] = {default: []}
            for node in nodes:
                by_connection.setdefault(bridge.router.connection_name(node), []).append(node)
            tables, errors = [], []
            for name, own in by_connection.items():
                target = bridge.dbt_connections.get(name)
                schemas = frozenset((node.database, node.schema) for node in own)
                wanted = (
                    None
                    if relations is None
                    else {target.adapter.Relation.create_from(target.config, node) for node in own}
                )
                if name == default:
                    table, failures = stock(own, schemas, wanted)
                else:
                    with target.adapter.connection_named("generate_catalog"):
                        table, failures = target.adapter.get_filtered_catalog(own, schemas, wanted)
                tables.append(table)
                errors += failures
            filled = [table for table in tables if len(table.rows)]
            return merge_tables(filled) if filled else tables[0], errors

        adapter.get_filtered_catalog = from_all
        try:
            return super().run()
        finally:
            del adapter.get_filtered_catalog
