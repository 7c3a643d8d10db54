"""Runners for nodes that are not at home on the default connection: stock dbt runners with other surroundings."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dbt.context.providers import generate_runtime_model_context
from dbt.task.compile import CompileRunner
from dbt.task.run import MicrobatchBatchRunner, ModelRunner
from dbt.task.snapshot import SnapshotRunner
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

from dvt.dbt_bridge.compilation import FederatedCompiler
from dvt.dbt_bridge.failures import placed, shown_by_dbt
from dvt.dbt_bridge.landing import Landing, Target, incremental_mode, is_plain, uses_own_macro
from dvt.dbt_bridge.shim.adapter import is_shim
from dvt.dbt_bridge.publishing import publish_files
from dvt.dbt_bridge.shim.batches import delete_batch_sql
from dvt.dbt_bridge.wrapping import select_from
from dvt.errors import DataError, UnsupportedError
from dvt.federation.loaders.base import LoadResult
from dvt.identifiers import Relation, private_name

if TYPE_CHECKING:
    from dvt.dbt_bridge.adapters import DbtConnection
    from dvt.dbt_bridge.bridge import Bridge

_REFUSED = ("materialized_view", "dynamic_table")


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
        return self._with_code(model, manifest, select_from(self._dbt_name(model, private)))

    def _replace(self, model: Any, manifest: Any, target: Target, private: Relation, full_refresh: bool) -> Any:
        config = target.load_config("table", full_refresh=full_refresh)
        if not self._is_contracted(model):
            return self._land(model, manifest, target.loader.landing_sql(private, config), is_new_table=True)
        shaped = private.sibling(private_name(config.relation.name, f"c{config.run_id}"))
        try:
            self._shape(model, manifest, private, shaped)
            return self._land(model, manifest, target.loader.landing_sql(shaped, config), is_new_table=True)
        finally:
            target.loader.drop(shaped)

    def _apply(self, model: Any, manifest: Any, target: Target, private: Relation, is_microbatch: bool) -> Any:
        if model.config.get("on_schema_change") not in (None, "ignore", "fail"):
            raise UnsupportedError(
                f"on_schema_change: {model.config.on_schema_change} does not exist for type {self.adapter.type()}",
                remedy="Use ignore or fail, or run with --full-refresh after a change of columns",
            )
        if is_microbatch:
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
            return self._with_code(model, manifest, ";\n".join(statements))
        finally:
            model.config.materialized = materialized
            del model.config._extra["dvt_landing"]

    def _forget_cached(self, model: Any) -> None:
        existing = self.adapter.get_relation(model.database, model.schema, model.identifier)
        if existing is not None and existing.type is not None and str(existing.type) != "table":
            self.adapter.cache_dropped(existing)

    def _with_code(self, model: Any, manifest: Any, code: str) -> Any:
        compiled = model.compiled_code
        model.compiled_code = code
        try:
            with placed(self.connection.name, relation=str(model.relation_name), phase="land"):
                return super().execute(model, manifest)  # type: ignore[misc]
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


class Federated(OnConnection):
    """A stock runner whose compiler speaks the engine's dialect and renders handles."""

    def __init__(self, config: Any, adapter: Any, node: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, adapter, node, *args, **kwargs)
        self.compiler = FederatedCompiler(self.bridge, self.connection)


class FederatedLanding(Federated, Lands):
    """Computes a node in the engine, stages the result on its landing, and lands it there."""

    def describe_node(self) -> str:
        """What the run's lines call the node."""
        return f"federated {super().describe_node()}"  # type: ignore[misc]

    def execute(self, model: Any, manifest: Any) -> Any:
        """Extract, compute, stage, land; the private relation is gone afterwards."""
        with shown_by_dbt(model):
            _refuse(model)
            if model.config.materialized == "view":
                text = f"{model.name}: a view over several connections cannot exist, so it is built as a table"
                fire_event(Note(msg=text))
            return self._execute(model, manifest)

    def _execute(self, model: Any, manifest: Any) -> Any:
        target = Target(self.bridge, self.connection, model)
        try:
            with ExitStack() as stack:
                with self.bridge.session.query(
                    model.compiled_code, self.bridge.handles.inputs(), node=model.name
                ) as run:
                    self._check_contract(model, run.stream.schema.names)
                    private, loaded = stack.enter_context(target.staged(run.stream))
                    scans = run.scans
                result = self.materialize(model, manifest, target, private)
        finally:
            target.close()
        return _annotated(result, model, loaded, scans)

    def _check_contract(self, model: Any, names: list[str]) -> None:
        contract = getattr(model.config, "contract", None)
        if contract is None or not contract.enforced:
            return
        declared = {column.name.lower() for column in model.columns.values()}
        given = {name.lower() for name in names}
        if declared != given:
            missing, extra = sorted(declared - given), sorted(given - declared)
            raise DataError(
                f"the query's columns are not the contract's (missing: {missing or 'none'}, extra: {extra or 'none'})",
                remedy="Correct the query or the contract",
            )


class FederatedModel(FederatedLanding, ModelRunner):
    """A federated model."""


class FederatedBatch(FederatedLanding, MicrobatchBatchRunner):
    """One batch of a federated microbatch model."""


class FederatedSnapshot(FederatedLanding, SnapshotRunner):
    """A federated snapshot: the target adapter's own macro over the staged rows."""

    def materialize(self, model: Any, manifest: Any, target: Target, private: Relation) -> Any:
        """Run dbt's snapshot macro on the landing."""
        return self._stock(model, manifest, private)


class FederatedCompile(Federated, CompileRunner):
    """`dvt compile` of a federated node."""


class NativeOnShim(Lands, ModelRunner):
    """A model that is computed where it lands, on an engine for which dbt has no adapter."""

    def execute(self, model: Any, manifest: Any) -> Any:
        """Create the private relation on the server itself, then land it."""
        with shown_by_dbt(model):
            _refuse(model)
            uses_own = uses_own_macro(
                manifest, self.config.project_name, model.config.materialized, self.adapter.type()
            )
            if uses_own:
                return super().execute(model, manifest)
            if model.config.materialized == "view":
                return self._land_view(model, manifest)
            target = Target(self.bridge, self.connection, model)
            try:
                with target.created(model.compiled_code) as private:
                    return self.materialize(model, manifest, target, private)
            finally:
                target.close()

    def _land_view(self, model: Any, manifest: Any) -> Any:
        relation = self.adapter.Relation.create_from(self.config, model)
        existing = self.adapter.get_relation(model.database, model.schema, model.identifier)
        statements = self.adapter.view_statements(relation, existing, model.compiled_code)
        return self._land(model, manifest, statements, is_new_table=False, relation_type="view")


def _refuse(model: Any) -> None:
    if getattr(model, "language", "sql") == "python":
        raise UnsupportedError(
            "a Python model cannot read from other connections",
            remedy="Write it in SQL, or land its inputs on its own connection first",
        )
    if model.config.materialized in _REFUSED:
        raise UnsupportedError(
            f"materialized: {model.config.materialized} cannot be filled from other connections",
            remedy="Use table or incremental",
        )


def _annotated(result: Any, model: Any, loaded: LoadResult, scans: Any) -> Any:
    """Put dvt's figures into `run_results.json`, beside the adapter's own."""
    result.message = f"{loaded.rows} rows" if model.config.materialized != "incremental" else result.message
    dvt = {
        "lane": "federated",
        "rows": loaded.rows,
        "load_method": loaded.method,
        "inputs": [_figures(scan) for scan in scans],
    }
    result.adapter_response = {**(result.adapter_response or {}), "rows_affected": loaded.rows, "dvt": dvt}
    return result


def _figures(stats: Any) -> dict[str, Any]:
    read = stats.scan.input
    return {
        "relation": read.source_name,
        "connection": read.connection.name,
        "rows": stats.rows,
        "bytes": stats.bytes,
        "method": stats.method,
        "seconds": round(stats.seconds, 3),
        "shared": stats.shared,
    }
