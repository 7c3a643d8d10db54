"""`dvt plan`: each model's lane, the SQL for each source and the landing; with --analyze what that read."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import click
import networkx
from dbt.cli import params, requires
from dbt.cli.main import global_flags
from dbt.node_types import NodeType
from dbt_common.exceptions import DbtBaseException

from dvt.connections.jdbc_ways import reads_by_jdbc
from dvt.connections.landing import file_to_come
from dvt.dbt_bridge.bindings import engine_of, file_options_of
from dvt.dbt_bridge.bridge import Bridge
from dvt.dbt_bridge.plan_document import (
    ActualResult,
    ActualScan,
    PlannedCondition,
    PlannedLanding,
    PlannedLoading,
    PlannedNode,
    PlannedScan,
    document,
)
from dvt.dbt_bridge.plan_text import plan_text
from dvt.dbt_bridge.planning import announce_shared, compiled_sql, plan_node
from dvt.errors import ConnectionFailedError, DvtError, MissingDriverError, RelationNotFoundError
from dvt.federation.engines.choice import EMBEDDED
from dvt.federation.extraction import ScanStats
from dvt.federation.plan.coercions import coercions
from dvt.federation.plan.model import Decision, QueryPlan, ScanPlan
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.router import Lane

_PLANNED = (NodeType.Model, NodeType.Snapshot, NodeType.Seed, NodeType.Test)


@click.command("plan")
@click.pass_context
@global_flags
@params.show_resource_report
@params.select
@params.exclude
@params.selector
@params.profiles_dir
@params.project_dir
@params.target_path
@params.threads
@params.vars
@params.full_refresh
@params.empty
@params.sample
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; docs/plan.schema.json describes it.")
@click.option(
    "--analyze",
    is_flag=True,
    help="Also read every selected federated or direct node's query to its end, and show rows, bytes and seconds. "
    "Nothing lands: no table changes and no hook runs. Nodes of other lanes are not run.",
)
@requires.postflight
@requires.preflight
@requires.profile
@requires.project
@requires.runtime_config
@requires.manifest
def plan_command(ctx: click.Context, as_json: bool, analyze: bool, **kwargs: Any) -> tuple[Any, bool]:
    """Show each selected node's lane, the SQL for each source and the landing.

    Without --analyze, no data is touched.
    """
    from dbt.task.compile import CompileTask  # the substituted class

    task = CompileTask(ctx.obj["flags"], ctx.obj["runtime_config"], ctx.obj["manifest"])
    task._runtime_initialize()
    bridge = task.bridge
    try:
        nodes = {node.unique_id: node for node in task._flattened_nodes if node.resource_type in _PLANNED}
        announce_shared(bridge, nodes)
        order = networkx.lexicographical_topological_sort(task.graph.graph)
        planned = [_plan(bridge, nodes[uid], analyze) for uid in order if uid in nodes]
    finally:
        bridge.close()
    click.echo(json.dumps(document(planned, analyze), indent=2) if as_json else plan_text(planned))
    return planned, not any(node.error for node in planned)


def _plan(bridge: Bridge, node: Any, analyze: bool) -> PlannedNode:
    route = bridge.router.route(node)
    if getattr(node, "is_ephemeral_model", False):
        return PlannedNode(node.unique_id, "ephemeral", route.connection, "", list(route.inputs))
    relation = str(node.relation_name or node.name) if node.is_relational else "result only"
    plain = PlannedNode(node.unique_id, str(route.lane.value), route.connection, relation, list(route.inputs))
    if not route.is_federated:
        return replace(plain, notes=["not run: --analyze reads federated and direct queries"]) if analyze else plain
    try:
        notes = _notes(bridge, node, route.connection)
        full = replace(plain, notes=notes, landing_way=_landing_way(bridge, node), loading=_loading(bridge, node))
        if analyze:
            return _analyzed(bridge, node, full)
        plan = plan_node(bridge, node)
        return _with_engine(bridge, node, _shown(bridge, full, plan), plan)
    except (RelationNotFoundError, ConnectionFailedError) as error:
        if missing := _built_by_the_run(bridge, node, error):
            return replace(plain, notes=[f"reads {missing}, which is not there yet: its scans are planned when it is"])
        return replace(plain, error=str(error).strip())
    except (DvtError, DbtBaseException) as error:
        return replace(plain, error=str(error).strip())


def _built_by_the_run(bridge: Bridge, node: Any, error: DvtError) -> str | None:
    """The missing relation's name, when a node of the project makes it; a missing source is an error."""
    if isinstance(error, ConnectionFailedError) and not _is_file_to_come(bridge, error.connection):
        return None
    name = (error.relation or "").split(".")[-1]
    todo, seen = list(node.depends_on.nodes), set()
    while todo:
        uid = todo.pop()
        parent = bridge.manifest.nodes.get(uid)
        if parent is None or uid in seen:
            continue
        seen.add(uid)
        if parent.is_ephemeral_model:
            todo += parent.depends_on.nodes
        elif parent.identifier == name:
            return name
    return None


def _is_file_to_come(bridge: Bridge, name: str | None) -> bool:
    """Whether a connection is a file that the first landing makes."""
    return name is not None and file_to_come(bridge.connections.get(name)) is not None


def _shown(bridge: Bridge, planned: PlannedNode, plan: QueryPlan) -> PlannedNode:
    """The node with its scans, and with the lane that the plan found."""
    lane = planned.lane if plan.direct is None else Lane.DIRECT.value
    scans = plan.scans if plan.direct is None else (plan.direct.scan,)
    shown = [_scan(bridge, scan) for scan in bridge.session.estimated(scans)]
    is_rewritten = plan.direct is None and any(scan.input.block is not None for scan in scans)
    return replace(
        planned,
        lane=lane,
        scans=shown,
        notes=[*_lane_notes(plan), *planned.notes],
        engine_sql=plan.sql if is_rewritten else "",
    )


def _with_engine(bridge: Bridge, node: Any, planned: PlannedNode, plan: QueryPlan) -> PlannedNode:
    """The node with the engine that computes it, where that is not the embedded one and one is needed."""
    name = bridge.session.engine_of(plan, engine_of(node)) if plan.direct is None else EMBEDDED
    if name == EMBEDDED:
        return planned
    bridge.session.check_engine(name, plan)
    landing = bridge.connections.get(planned.landing) if node.is_relational else None
    remark = bridge.session.landing_remark(name, landing) if landing is not None else ""
    notes = [f"computed by the engine {name}", *([remark] if remark else []), *planned.notes]
    return replace(planned, notes=notes)


def _lane_notes(plan: QueryPlan) -> list[str]:
    """Why the engine is needed for a query over one connection."""
    why = plan.federated_because
    is_one = len({scan.input.connection.name for scan in plan.scans}) == 1
    if why is None or not (is_one or why is Reason.DIRECT_WATERMARK):
        return []
    return [f"not direct  [{why.code}: {why.text}]"]


def _analyzed(bridge: Bridge, node: Any, planned: PlannedNode) -> PlannedNode:
    """Run the node's query to its end; the rows go nowhere."""
    sql = compiled_sql(bridge, node, reads_data=True)
    started = time.monotonic()
    with bridge.query(sql, node, direct=bridge.direct(node)) as run:
        for _ in run.stream.batches():
            pass
        rows, bytes_, seconds = run.stream.rows_read, run.stream.bytes_read, time.monotonic() - started
        plan, stats = run.plan, list(run.scans)
    shown = _shown(bridge, planned, plan)
    order = plan.scans if plan.direct is None else (plan.direct.scan,)
    did = {each.scan.input.handle: _actual(each) for each in stats}
    scans = [replace(one, actual=did.get(scan.input.handle)) for one, scan in zip(shown.scans, order, strict=True)]
    return replace(shown, scans=scans, actual=ActualResult(rows, bytes_, round(seconds, 3)))


def _actual(stats: ScanStats) -> ActualScan:
    seconds = round(stats.seconds, 3)
    parts = (stats.how.parts, stats.how.whole_because)
    return ActualScan(stats.rows, stats.bytes, seconds, stats.method, stats.shared, *parts)


def _scan(bridge: Bridge, scan: ScanPlan) -> PlannedScan:
    chosen = bridge.session.chosen(scan.input.connection)
    return PlannedScan(
        relation=scan.input.read,
        connection=scan.input.connection.name,
        type=scan.input.connection.type,
        sql=scan.sql,
        columns=list(scan.columns) if scan.columns is not None else None,
        reason=scan.reason,
        conditions=[_condition(decision) for decision in scan.decisions],
        limit=scan.limit,
        estimated_rows=scan.estimated_rows,
        estimated_bytes=scan.estimated_bytes,
        coercions=coercions(bridge.session.describe(scan.input), scan.columns),
        read_by="jdbc" if reads_by_jdbc(scan.input.connection) else "native",
        method=chosen.method,
        passed_over=list(chosen.passed_over),
        remarks=list(chosen.remarks),
    )


def _condition(decision: Decision) -> PlannedCondition:
    code, reason = (decision.reason.code, decision.reason.text) if decision.reason is not None else ("", "")
    return PlannedCondition(decision.condition, decision.is_pushed, decision.is_exact, code, reason)


def _landing_way(bridge: Bridge, node: Any) -> PlannedLanding | None:
    if not node.is_relational:
        return None
    way = bridge.connections.get(bridge.router.route(node).connection).landing(file_options_of(node))
    return PlannedLanding(way.value, way.is_atomic)


def _loading(bridge: Bridge, node: Any) -> PlannedLoading | None:
    if not node.is_relational:
        return None
    try:
        chosen = bridge.how_loaded(bridge.router.route(node).connection)
    except (ConnectionFailedError, MissingDriverError) as error:  # a run will say so; the plan is of use without it
        return PlannedLoading("", unknown_because=str(error).strip())
    return PlannedLoading(chosen.method, list(chosen.passed_over))


def _notes(bridge: Bridge, node: Any, landing: str) -> list[str]:
    notes = []
    if node.config.materialized == "view":
        notes.append("a view over several connections cannot exist: it is built as a table")
    target = bridge.connections.get(landing)
    if node.is_relational and (caution := target.landing(file_options_of(node)).caution(target.type)):
        notes.append(caution)
    for name in bridge.router.inputs(node):
        if not bridge.connections.get(name).spec.has_snapshot:
            notes.append(f"{name} is not read from one snapshot")
    return notes
