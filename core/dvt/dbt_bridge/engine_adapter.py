"""The adapter with which federated models are compiled: the engine's dialect, the owners' catalogues."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import agate
from dbt.adapters.contracts.connection import AdapterResponse
from dbt_common.clients.agate_helper import table_from_data_flat
from dbt_common.events.contextvars import get_node_info

from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.handles import PREFIX
from dvt.errors import NotAQueryError, PlanError, RelationNotFoundError
from dvt.types.duckdb_landing import duckdb_type

if TYPE_CHECKING:
    from dvt.dbt_bridge.bridge import Bridge
    from dvt.federation.plan.model import Input
    from dvt.federation.stream import RowStream

ENGINE_NAME = "__engine__"


def register_engine(bridge: Bridge) -> Any:
    """The engine's `DbtConnection`: an in-memory database for macros, with look-ups sent to the owners."""
    from dbt.adapters.factory import FACTORY, load_plugin

    credentials = load_plugin("duckdb").from_dict({"path": ":memory:", "schema": "main", "database": "memory"})
    base = FACTORY.get_plugin_by_name("duckdb").adapter
    return bridge.dbt_connections.register(ENGINE_NAME, credentials, _engine_adapter(base, bridge))


def _engine_adapter(base: type[Any], bridge: Bridge) -> type[Any]:
    class EngineAdapter(base):
        """dbt-duckdb's adapter; what concerns a handle is asked of the connection that owns it."""

        def get_columns_in_relation(self, relation: Any) -> list[Any]:
            found = _input_of(bridge, relation)
            if found is None:
                columns: list[Any] = super().get_columns_in_relation(relation)
                return columns
            with shown_by_dbt():
                described = bridge.session.describe(found)
            return [self.Column(column.name, duckdb_type(column.type, column.name)) for column in described]

        def get_relation(self, database: str, schema: str, identifier: str) -> Any:
            found = bridge.handles.find(database, schema, identifier)
            if found is None:
                return super().get_relation(database, schema, identifier)
            type_ = relation_type(bridge, found)
            if type_ is None:
                return None
            quoted = {"database": True, "schema": True, "identifier": True}
            return self.Relation.create(
                database=database, schema=schema, identifier=identifier, type=type_, quote_policy=quoted
            )

        def execute(
            self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None
        ) -> tuple[AdapterResponse, agate.Table]:
            # A statement without a handle concerns the engine's own scratch database (unit tests' fixtures).
            if f'"{PREFIX}' not in sql:
                response: tuple[AdapterResponse, agate.Table] = super().execute(sql, auto_begin, fetch, limit)
                return response
            with shown_by_dbt():
                if bridge.plan_only:
                    raise PlanError(
                        "a macro reads data while the model is compiled",
                        remedy="It is planned when it runs; `dvt compile` shows its SQL",
                    )
                node = get_node_info().get("node_name") or "run_query"
                try:
                    with bridge.session.query(sql, bridge.handles.inputs(), node=node) as run:
                        table = agate_table(run.stream, limit)
                except NotAQueryError as error:
                    from dvt.dbt_bridge.read_only import refused_of_macro

                    raise refused_of_macro(sql, bridge.handles.inputs()).at(node=node) from error
            return AdapterResponse(_message="OK", rows_affected=len(table.rows)), table

    EngineAdapter.__name__ = base.__name__
    return EngineAdapter


def _input_of(bridge: Bridge, relation: Any) -> Input | None:
    """The input behind a relation: a handle, or (in unit tests) the plain name of a node."""
    found = bridge.handles.find(relation.database, relation.schema, relation.identifier)
    if found is not None:
        return found
    wanted = (relation.database, relation.schema, relation.identifier)
    for node in (*bridge.manifest.sources.values(), *bridge.manifest.nodes.values()):
        if getattr(node, "identifier", None) and (node.database, node.schema, node.identifier) == wanted:
            handle = bridge.handles.of_node(node)
            return bridge.handles.find(handle.catalog, handle.schema, handle.name)
    return None


def relation_type(bridge: Bridge, found: Input) -> str | None:
    """ "table", "view" or None when the relation does not exist, by the owner's own word."""
    owner = bridge.dbt_connections.get(found.connection.name)
    relation = found.relation
    database = relation.database or owner.config.credentials.database
    known = owner.aside(lambda: owner.adapter.get_relation(database, relation.schema, relation.name))
    if known is not None:
        return str(known.type.value if hasattr(known.type, "value") else known.type)
    try:
        bridge.session.describe(found)
    except RelationNotFoundError:
        return None
    return "table"


def agate_table(stream: RowStream, limit: int | None = None) -> agate.Table:
    """A result as dbt's macros and `dvt show` take it; only for results that a person or a macro reads."""
    rows: list[dict[str, Any]] = []
    for batch in stream.batches():
        rows.extend(_python_rows(batch))
        if limit is not None and len(rows) >= limit:
            rows = rows[:limit]
            break
    return table_from_data_flat(rows, stream.schema.names)


def _python_rows(batch: Any) -> Iterable[dict[str, Any]]:
    from dvt.types.display import displayable

    rows: Iterable[dict[str, Any]] = displayable(batch).to_pylist()
    return rows
