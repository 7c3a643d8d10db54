"""Putting a staged private relation in place, through dbt's materializations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbt.context.providers import generate_runtime_model_context

from dvt.dbt_bridge.failures import naming
from dvt.dbt_bridge.landing import Landing, Target, incremental_mode, is_plain, uses_own_macro
from dvt.dbt_bridge.publishing import publish_files
from dvt.dbt_bridge.shim.plugins import is_shim
from dvt.dbt_bridge.wrapping import select_from
from dvt.errors import UnsupportedError
from dvt.identifiers import Relation, private_name

if TYPE_CHECKING:
    from dvt.dbt_bridge.adapters import DbtConnection
    from dvt.dbt_bridge.bridge import Bridge


class OnConnection:
    """A stock runner that works on another connection: only config, adapter and macros differ."""

    bridge: Bridge
    connection: DbtConnection

    def __init__(self, config: Any, adapter: Any, node: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(self.connection.config, self.connection.adapter, node, *args, **kwargs)  # type: ignore[call-arg]

    def run_with_hooks(self, manifest: Any) -> Any:
        """Run with the macros that this connection's adapter brings."""
        return super().run_with_hooks(self.connection.manifest(manifest))  # type: ignore[misc]


class Lands(OnConnection):
    """Puts a private relation in place of the node's own, through dbt's materializations."""

    config: Any
    adapter: Any

    def materialize(self, model: Any, manifest: Any, target: Target, private: Relation) -> Any:
        """Land what was staged: whole tables by `dvt_land`, everything else by the adapter's own macro."""
        if not target.loader.spec.runs_sql:
            return publish_files(model, target, private, is_incremental=self._appends(model))
        materialized = model.config.materialized
        kind = self.adapter.type()
        if uses_own_macro(manifest, self.config.project_name, materialized, kind):
            return self._stock(model, manifest, private)
        full_refresh = self._is_full_refresh(model)
        is_new = self._existing(model) is None or full_refresh
        is_microbatch = model.config.get("incremental_strategy") == "microbatch"
        if is_plain(materialized) or (materialized == "incremental" and is_new and not self._is_stock(is_microbatch)):
            return self._replace(model, manifest, target, private, full_refresh)
        if is_shim(self.adapter) and materialized == "incremental":
            return self._apply(model, manifest, target, private, is_microbatch)
        return self._stock(model, manifest, private)

    def check_strategy(self, model: Any, manifest: Any) -> None:
        """Refuse an incremental strategy that does not exist on the landing, before anything is read.

        A first run needs none, and would otherwise hide the mistake until the second.
        """
        strategy = model.config.get("incremental_strategy")
        if model.config.materialized != "incremental" or not strategy:
            return
        if not is_shim(self.adapter):
            context = generate_runtime_model_context(model, self.config, manifest)
            self.adapter.get_incremental_strategy_macro(context, strategy)
        elif strategy != "microbatch":
            incremental_mode(model, self.adapter.type())

    def _appends(self, model: Any) -> bool:
        is_incremental = model.config.materialized == "incremental"
        return is_incremental and self._existing(model) is not None and not self._is_full_refresh(model)

    def _is_stock(self, is_microbatch: bool) -> bool:
        # dbt decides by its own rules which of a microbatch model's batches creates the table.
        return is_microbatch and not is_shim(self.adapter)

    def _existing(self, model: Any) -> Any:
        found = self.adapter.get_relation(model.database, model.schema, model.identifier)
        return found if found is not None and str(getattr(found.type, "value", found.type)) == "table" else None

    def _is_full_refresh(self, model: Any) -> bool:
        own = model.config.get("full_refresh")
        return bool(own if own is not None else getattr(self.config.args, "full_refresh", False))

    def _stock(self, model: Any, manifest: Any, private: Relation) -> Any:
        code = select_from(self._dbt_name(model, private))
        return self._with_code(model, manifest, code, is_undone=self._undoes_ddl())

    def _replace(self, model: Any, manifest: Any, target: Target, private: Relation, full_refresh: bool) -> Any:
        config = target.load_config("table", full_refresh=full_refresh)
        if not self._is_contracted(model):
            return self._land(model, manifest, target.loader.landing_sql(private, config), is_new_table=True)
        shaped = private.sibling(private_name(config.relation.name, f"c{config.run_id}"))
        try:
            with naming(self.connection.name, relation=str(shaped), phase="land"):
                self._shape(model, manifest, private, shaped)
            return self._land(model, manifest, target.loader.landing_sql(shaped, config), is_new_table=True)
        finally:
            target.drop(shaped)

    def _apply(self, model: Any, manifest: Any, target: Target, private: Relation, is_microbatch: bool) -> Any:
        if model.config.get("on_schema_change") not in (None, "ignore", "fail"):
            raise UnsupportedError(
                f"on_schema_change: {model.config.on_schema_change} does not exist for type {self.adapter.type()}",
                remedy="Use ignore or fail, or run with --full-refresh after a change of columns",
            )
        if is_microbatch:
            from dvt.dbt_bridge.shim.batches import delete_batch_sql

            config = target.load_config("append", full_refresh=False)
            first = [delete_batch_sql(model, config.relation, target.loader.connection.dialect)]
        else:
            mode = incremental_mode(model, target.loader.connection.type)
            config = target.load_config(mode, full_refresh=False)
            first = []
        return self._land(model, manifest, first + target.loader.landing_sql(private, config), is_new_table=False)

    def _land(
        self,
        model: Any,
        manifest: Any,
        statements: list[str],
        *,
        is_new_table: bool,
        relation_type: str = "table",
    ) -> Any:
        landing = Landing(tuple(statements), relation_type, is_new_table)
        materialized = model.config.materialized
        model.config.materialized = "dvt_land"
        model.config._extra["dvt_landing"] = landing
        self._forget_cached(model)
        try:
            # Changed rows are taken back everywhere; a replaced relation only where DDL is.
            is_undone = self._undoes_ddl() or not (is_new_table or relation_type == "view")
            return self._with_code(model, manifest, ";\n".join(statements), is_undone=is_undone)
        finally:
            model.config.materialized = materialized
            del model.config._extra["dvt_landing"]

    def _forget_cached(self, model: Any) -> None:
        existing = self.adapter.get_relation(model.database, model.schema, model.identifier)
        if existing is not None and existing.type is not None and str(existing.type) != "table":
            self.adapter.cache_dropped(existing)

    def _undoes_ddl(self) -> bool:
        return self.bridge.connections.get(self.connection.name).spec.transactional_ddl

    def _with_code(self, model: Any, manifest: Any, code: str, *, is_undone: bool) -> Any:
        compiled = model.compiled_code
        model.compiled_code = code
        try:
            with naming(self.connection.name, relation=str(model.relation_name), phase="land", is_undone=is_undone):
                return super().execute(model, manifest)  # type: ignore[misc]
        except BaseException:
            # A transaction that has read the private table keeps it from being dropped.
            self.adapter.connections.rollback_if_open()
            raise
        finally:
            model.compiled_code = compiled

    def _is_contracted(self, model: Any) -> bool:
        contract = getattr(model.config, "contract", None)
        return bool(contract and contract.enforced) and not is_shim(self.adapter)

    def _shape(self, model: Any, manifest: Any, private: Relation, shaped: Relation) -> None:
        """Make a table with the contract's constraints, by the adapter's own DDL, from the private relation."""
        context = generate_runtime_model_context(model, self.config, manifest)
        relation = self.adapter.Relation.create_from(self.config, model)
        made = relation.incorporate(path={"identifier": shaped.name}, type="table")
        sql = self.adapter.execute_macro(
            macro_name="get_create_table_as_sql",
            macro_resolver=manifest,
            context_override=context,
            kwargs={
                "temporary": False,
                "relation": made,
                "sql": select_from(self._dbt_name(model, private)),
            },
        )
        self.adapter.execute(str(sql), auto_begin=True)
        self.adapter.commit_if_has_connection()

    def _dbt_name(self, model: Any, private: Relation) -> str:
        relation = self.adapter.Relation.create_from(self.config, model)
        return str(relation.incorporate(path={"identifier": private.name}))
