"""After parse: give nodes on other connections the database, schema and names of that connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbt.node_types import NodeType
from dbt.parser.base import RelationUpdate

from dvt.dbt_bridge.bindings import bound_nodes, check_bindings, foreign

if TYPE_CHECKING:
    from dvt.dbt_bridge.adapters import DbtConnections
    from dvt.dbt_bridge.profiles import Connections


def rebind(manifest: Any, connections: Connections, dbt_connections: DbtConnections) -> None:
    """Recompute database, schema, alias and relation name of what is bound to another connection.

    dbt fills them from the default target. Running it twice changes nothing more.

    Raises:
        ConfigurationError: A node names a connection, option or driver that does not exist.
    """
    check_bindings(manifest, connections)
    updates: dict[str, dict[str, Any]] = {}
    for name, node in foreign(bound_nodes(manifest), connections.default_name):
        target = dbt_connections.get(name)
        if node.resource_type == NodeType.Source:
            if getattr(node, "unrendered_database", None) is None:
                node.database = target.config.credentials.database
        else:
            if name not in updates:
                overlay = target.manifest(manifest)
                updates[name] = {
                    part: RelationUpdate(target.config, overlay, part) for part in ("database", "schema", "alias")
                }
            for part, update in updates[name].items():
                update(node, getattr(node.config, part, None))
        node.relation_name = str(target.adapter.Relation.create_from(target.config, node))
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if node.database == "":  # an engine without a database above the schema; the catalogue's key is then None
            node.database = None
