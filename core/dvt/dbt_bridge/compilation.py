"""Compiling a node in the engine's dialect, with a handle wherever it reads or is a relation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbt import selected_resources
from dbt.clients import jinja
from dbt.compilation import Compiler
from dbt.context.base import contextproperty
from dbt.context.providers import (
    ModelContext,
    RuntimeDatabaseWrapper,
    RuntimeProvider,
    RuntimeRefResolver,
    RuntimeSourceResolver,
)
from dbt.contracts.graph.manifest import Disabled
from dbt.contracts.graph.nodes import GenericTestNode
from dbt.exceptions import TargetNotFoundError

from dvt.dbt_bridge.engine_adapter import relation_type
from dvt.dbt_bridge.overlays import with_private_ephemerals

if TYPE_CHECKING:
    from dvt.dbt_bridge.bridge import Bridge

_QUOTED = {"database": True, "schema": True, "identifier": True}
# Adapter methods by which macros ask about the landing itself, not about an input.
_ABOUT_LANDING = frozenset({"check_schema_exists", "list_relations", "get_missing_columns"})


class FederatedCompiler(Compiler):
    """dbt's compiler on the engine's adapter.

    Args:
        bridge: The invocation's bridge.
        landing: `DbtConnection` on which the node lands; `{{ target }}` is about it.
    """

    def __init__(self, bridge: Bridge, landing: Any) -> None:
        super().__init__(bridge.engine.config)
        self._bridge = bridge
        self._landing = landing

    def compile_node(self, node: Any, manifest: Any, *args: Any, **kwargs: Any) -> Any:
        """Compile a node; its ephemeral ancestors are compiled anew, for it alone."""
        overlay = with_private_ephemerals(self._bridge.engine.manifest(manifest), node)
        with self._bridge.engine.adapter.connection_named(f"dvt_engine_{node.unique_id}"):
            return super().compile_node(node, overlay, *args, **kwargs)

    def relation_of(self, relation_class: Any, node: Any, **extra: Any) -> Any:
        """The handle of a node as a relation of the engine's adapter."""
        handle = self._bridge.handles.of_node(node)
        return self._relation(relation_class, handle, **extra)

    def _relation(self, relation_class: Any, handle: Any, **extra: Any) -> Any:
        return relation_class.create(
            database=handle.catalog, schema=handle.schema, identifier=handle.name, quote_policy=_QUOTED, **extra
        )

    def deferred(self, relation_class: Any, node: Any, **extra: Any) -> Any | None:
        """The handle of the relation that a node is deferred to, None when it is not deferred."""
        elsewhere = getattr(node, "defer_relation", None)
        args = self.config.args
        if not elsewhere or not getattr(args, "defer", False):
            return None
        is_preferred = args.favor_state and node.unique_id not in selected_resources.SELECTED_RESOURCES
        handle = self._bridge.handles.of_node(node)
        own = self._bridge.handles.find(handle.catalog, handle.schema, handle.name)
        if not is_preferred and own is not None and relation_type(self._bridge, own) is not None:
            return None
        name = self._bridge.router.connection_name(node)
        other = self._bridge.handles.of_parts(name, elsewhere.database, elsewhere.schema, elsewhere.identifier)
        return self._relation(relation_class, other, **extra)

    def _create_node_context(self, node: Any, manifest: Any, extra_context: dict[str, Any]) -> dict[str, Any]:
        context = _context_class(self, node)(node, self.config, manifest, _provider(self), None).to_dict()
        context["target"] = self._landing.config.to_target_dict()
        context.update(extra_context)
        if isinstance(node, GenericTestNode):
            jinja.add_rendered_test_kwargs(context, node)
        return dict(context)

    @property
    def landing_adapter(self) -> Any:
        """The adapter of the connection on which the node lands."""
        return self._landing.adapter


def _context_class(compiler: FederatedCompiler, node: Any) -> type[Any]:
    class FederatedContext(ModelContext):
        @contextproperty()
        def this(self) -> Any:
            if not node.is_relational or node.resource_type == "test":
                return None
            return compiler.relation_of(self.db_wrapper.Relation, node)

    return FederatedContext


def _provider(compiler: FederatedCompiler) -> Any:
    class Ref(RuntimeRefResolver):
        def create_relation(self, target_model: Any) -> Any:
            if target_model.is_ephemeral_model:
                return super().create_relation(target_model)
            extra = {"limit": self.resolve_limit, "event_time_filter": self.resolve_event_time_filter(target_model)}
            deferred = compiler.deferred(self.Relation, target_model, **extra)
            return deferred or compiler.relation_of(self.Relation, target_model, **extra)

    class Source(RuntimeSourceResolver):
        def resolve(self, source_name: str, table_name: str) -> Any:
            found = self.manifest.resolve_source(source_name, table_name, self.current_project, self.model.package_name)
            if found is None or isinstance(found, Disabled):
                raise TargetNotFoundError(
                    node=self.model,
                    target_name=f"{source_name}.{table_name}",
                    target_kind="source",
                    disabled=isinstance(found, Disabled),
                )
            limit, window = self.resolve_limit, self.resolve_event_time_filter(found)
            return compiler.relation_of(self.Relation, found, limit=limit, event_time_filter=window)

    class Database(RuntimeDatabaseWrapper):
        def __getattr__(self, name: str) -> Any:
            if name in _ABOUT_LANDING:
                return getattr(compiler.landing_adapter, name)
            return super().__getattr__(name)

    class Provider(RuntimeProvider):
        ref = Ref
        source = Source
        DatabaseWrapper = Database

    return Provider()
