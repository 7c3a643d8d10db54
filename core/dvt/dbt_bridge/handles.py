"""Handles: the names under which relations of all connections stand in the engine's SQL."""

from __future__ import annotations

import threading
from typing import Any

from dvt.connections.connection import Connection
from dvt.dbt_bridge.bindings import bound_connection, file_options_of, pushdown_of
from dvt.dbt_bridge.profiles import Connections
from dvt.federation.engines.base import Handle
from dvt.federation.plan.model import Input
from dvt.identifiers import Relation

PREFIX = "c_"
_NO_SCHEMA = "main"


class HandleBook:
    """Gives every relation its handle and finds the relation of a handle again, exactly.

    A handle is `c_<connection>`, the relation's schema (with the database before it when that is not the
    connection's own), and its name. No text is searched: dbt's resolvers put handles where `ref`, `source` and `this`
    stand.

    Args:
        connections: The profile's outputs.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._inputs: dict[Handle, Input] = {}
        self._lock = threading.RLock()

    def of_node(self, node: Any) -> Handle:
        """The handle of a node's or source's relation, entered in the book."""
        name = bound_connection(node, self._connections.default_name)
        handle = self.of_parts(name, node.database, node.schema, node.identifier)
        with self._lock:
            known = self._inputs[handle]
            label = f"{node.source_name}.{node.name}" if hasattr(node, "source_name") else node.name
            self._inputs[handle] = Input(
                handle=handle,
                connection=known.connection,
                relation=known.relation,
                source_name=label,
                declared={c.name: c.data_type for c in node.columns.values() if c.data_type},
                file_options=file_options_of(node),
                pushdown=pushdown_of(node) if hasattr(node, "source_name") else None,
            )
        return handle

    def of_parts(self, connection_name: str, database: str | None, schema: str | None, name: str) -> Handle:
        """The handle of any relation on a connection, entered in the book."""
        connection = self._connections.get(connection_name)
        other = database if _is_other_database(connection, database) else None
        text = schema or _NO_SCHEMA
        handle = Handle(PREFIX + connection_name, f"{other}.{text}" if other else text, name)
        with self._lock:
            if handle not in self._inputs:
                relation = Relation(name, schema or None, other)
                self._inputs[handle] = Input(handle, connection, relation, source_name=str(relation))
        return handle

    def find(self, catalog: str | None, schema: str | None, name: str | None) -> Input | None:
        """The input behind the three parts of a name, None when they are no handle."""
        if not catalog or not name or not catalog.startswith(PREFIX):
            return None
        connection = catalog[len(PREFIX) :]
        if connection not in self._connections.names:
            return None
        with self._lock:
            known = self._inputs.get(Handle(catalog, schema or _NO_SCHEMA, name))
            return known or self._inputs[self.of_parts(connection, None, schema, name)]

    def inputs(self) -> list[Input]:
        """All inputs entered so far."""
        with self._lock:
            return list(self._inputs.values())


def _is_other_database(connection: Connection, database: str | None) -> bool:
    """Whether a node's database is one that has to be named beside the connection's own."""
    if database and connection.spec.catalogue_settings:
        own = connection.first(*connection.spec.catalogue_settings)
        return own is None or database.lower() != str(own).lower()
    if not database or connection.type != "duckdb":
        return False
    own = connection.first("database") or connection.path("path").stem
    return database != own
