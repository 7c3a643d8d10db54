"""Runners for nodes that are not at home on the default connection: stock dbt runners with other surroundings."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from dbt.artifacts.schemas.run import RunStatus
from dbt.task.compile import CompileRunner
from dbt.task.run import MicrobatchBatchRunner, ModelRunner
from dbt.task.snapshot import SnapshotRunner
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

from dvt.dbt_bridge.compilation import FederatedCompiler
from dvt.dbt_bridge.failures import shown_by_dbt
from dvt.dbt_bridge.landing import Target, check_verifiable, uses_own_macro
from dvt.dbt_bridge.materializing import Lands, OnConnection
from dvt.errors import DataError, UnsupportedError
from dvt.federation.loaders.base import LoadResult
from dvt.federation.spread import EXECUTORS, ROW_PIPE
from dvt.identifiers import Relation

_REFUSED = ("materialized_view", "dynamic_table")


class Federated(OnConnection):
    """A stock runner whose compiler speaks the engine's dialect and renders handles."""

    def __init__(self, config: Any, adapter: Any, node: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, adapter, node, *args, **kwargs)
        self.compiler = FederatedCompiler(self.bridge, self.connection)


class FederatedLanding(Federated, Lands):
    """Computes a node in the engine, or takes its rows from the source directly, stages them and lands them."""

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
            self.check_strategy(model, manifest)
            check_verifiable(model, self.bridge.connections.get(self.connection.name))
            return self._execute(model, manifest)

    def _execute(self, model: Any, manifest: Any) -> Any:
        target = Target(self.bridge, self.connection, model)
        try:
            with ExitStack() as stack:
                with self.bridge.query(model.compiled_code, model, direct=self.bridge.direct(model)) as run:
                    self._check_contract(model, run.stream.schema.names)
                    private, loaded = stack.enter_context(target.staged(run.stream))
                    scans, lane = run.scans, run.lane
                result = self.materialize(model, manifest, target, private)
        finally:
            target.close()
        return _annotated(result, model, loaded, lane.value, scans)

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
            self.check_strategy(model, manifest)
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


def _annotated(result: Any, model: Any, loaded: LoadResult, lane: str, scans: Any) -> Any:
    """Put dvt's figures into `run_results.json`, beside the adapter's own."""
    if result.status != RunStatus.Success:
        return result
    # What an incremental strategy did is the adapter's to say; where it says nothing, the rows that were handed to it.
    if model.config.materialized != "incremental" or str(result.message).split()[0] == "OK":
        result.message = f"{loaded.rows} rows"
    for scan in scans:
        if scan.how.passed_over:
            why = "; ".join(str(each) for each in scan.how.passed_over)
            what = scan.scan.input.source_name or scan.scan.input.read
            fire_event(Note(msg=f"{model.name}: {what} was read by {scan.method} ({why})"))
    for passed in loaded.passed_over:
        if passed.method in (EXECUTORS, ROW_PIPE):
            fire_event(Note(msg=f"{model.name}: landed by {loaded.method} ({passed})"))
    dvt = {
        "lane": lane,
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
        "passed_over": [asdict(each) for each in stats.how.passed_over],
        "seconds": round(stats.seconds, 3),
        "shared": stats.shared,
        "parts": stats.how.parts,
        **({"whole_because": stats.how.whole_because} if stats.how.whole_because else {}),
    }
