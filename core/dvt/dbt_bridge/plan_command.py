"""`dvt plan`: each model's lane, the SQL for each source and the landing, without touching data."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import click
import networkx
from dbt.cli import params, requires
from dbt.cli.main import global_flags
from dbt.node_types import NodeType
from dbt_common.exceptions import DbtBaseException

from dvt.connections.landing import file_to_come
from dvt.dbt_bridge.bridge import Bridge
from dvt.dbt_bridge.planning import announce_shared, plan_node
from dvt.errors import ConnectionFailedError, DvtError, RelationNotFoundError
from dvt.federation.plan.model import Decision, QueryPlan
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.router import Lane

_PLANNED = (NodeType.Model, NodeType.Snapshot, NodeType.Seed, NodeType.Test)


@dataclass(frozen=True)
class PlannedCondition:
    """What becomes of one condition on a source.

    Args:
        condition: In the model's dialect, over the source's columns.
        pushed: Whether the source applies it, or a weaker one that follows from it.
        exact: Whether the rows that come are those in which it is true.
        code: Reason code (see docs/pushdown.md); empty when the source does it all.
        reason: The code in words.
    """

    condition: str
    pushed: bool
    exact: bool
    code: str
    reason: str


@dataclass(frozen=True)
class PlannedScan:
    """One read of a source, as it will be sent."""

    relation: str
    connection: str
    type: str
    sql: str
    columns: list[str] | None
    reason: str
    conditions: list[PlannedCondition]
    limit: int | None


@dataclass(frozen=True)
class PlannedNode:
    """One node of the plan.

    Args:
        unique_id: dbt's id.
        lane: "native", "direct", "federated", or "ephemeral" for what is inlined where it is used.
        landing: Name of the connection.
        relation: Where it lands.
        inputs: Names of the connections that it reads.
        scans: What is read from each source; empty for native nodes.
        notes: What a user should know before the run.
        error: Why the node cannot be planned.
    """

    unique_id: str
    lane: str
    landing: str
    relation: str
    inputs: list[str]
    scans: list[PlannedScan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@requires.postflight
@requires.preflight
@requires.profile
@requires.project
@requires.runtime_config
@requires.manifest
def plan_command(ctx: click.Context, as_json: bool, **kwargs: Any) -> tuple[Any, bool]:
    """Show each selected node's lane, the SQL for each source and the landing, without touching data."""
    from dbt.task.compile import CompileTask  # the substituted class

    task = CompileTask(ctx.obj["flags"], ctx.obj["runtime_config"], ctx.obj["manifest"])
    task._runtime_initialize()
    bridge = task.bridge
    try:
        nodes = {node.unique_id: node for node in task._flattened_nodes if node.resource_type in _PLANNED}
        announce_shared(bridge, nodes)
        order = networkx.lexicographical_topological_sort(task.graph.graph)
        planned = [_plan(bridge, nodes[uid]) for uid in order if uid in nodes]
    finally:
        bridge.close()
    if as_json:
        click.echo(json.dumps({"nodes": [asdict(node) for node in planned]}, indent=2))
    else:
        click.echo(_text(planned) if planned else "nothing is selected")
    return planned, not any(node.error for node in planned)


def _plan(bridge: Bridge, node: Any) -> PlannedNode:
    route = bridge.router.route(node)
    if getattr(node, "is_ephemeral_model", False):
        return PlannedNode(node.unique_id, "ephemeral", route.connection, "", list(route.inputs))
    relation = str(node.relation_name or node.name) if node.is_relational else "result only"
    plain = PlannedNode(node.unique_id, str(route.lane.value), route.connection, relation, list(route.inputs))
    if not route.is_federated:
        return plain
    try:
        plan = plan_node(bridge, node)
        lane = plain.lane if plan.direct is None else Lane.DIRECT.value
        notes = [*_lane_notes(plan), *_notes(bridge, node, route.connection)]
        return replace(plain, lane=lane, scans=_scans(plan), notes=notes)
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


def _lane_notes(plan: QueryPlan) -> list[str]:
    """Why the engine is needed for a query over one connection."""
    why = plan.federated_because
    is_one = len({scan.input.connection.name for scan in plan.scans}) == 1
    if why is None or not (is_one or why is Reason.DIRECT_WATERMARK):
        return []
    return [f"not direct  [{why.code}: {why.text}]"]


def _scans(plan: QueryPlan) -> list[PlannedScan]:
    return [
        PlannedScan(
            relation=str(scan.input.relation),
            connection=scan.input.connection.name,
            type=scan.input.connection.type,
            sql=scan.sql,
            columns=list(scan.columns) if scan.columns is not None else None,
            reason=scan.reason,
            conditions=[_condition(decision) for decision in scan.decisions],
            limit=scan.limit,
        )
        for scan in (plan.scans if plan.direct is None else (plan.direct.scan,))
    ]


def _condition(decision: Decision) -> PlannedCondition:
    code, reason = (decision.reason.code, decision.reason.text) if decision.reason is not None else ("", "")
    return PlannedCondition(decision.condition, decision.is_pushed, decision.is_exact, code, reason)


def _notes(bridge: Bridge, node: Any, landing: str) -> list[str]:
    notes = []
    if node.config.materialized == "view":
        notes.append("a view over several connections cannot exist: it is built as a table")
    spec = bridge.connections.get(landing).spec
    if node.is_relational and not spec.atomic_swap:
        notes.append(f"{spec.type} cannot replace a table in one step")
    for name in bridge.router.inputs(node):
        if not bridge.connections.get(name).spec.has_snapshot:
            notes.append(f"{name} is not read from one snapshot")
    return notes


def _text(planned: list[PlannedNode]) -> str:
    """All nodes in the order of the run; native tests, of which there is little to say, in one line at the end."""
    tests = Counter(node.landing for node in planned if node.lane == "native" and node.unique_id.startswith("test."))
    parts = [_paragraph(n) for n in planned if n.lane != "native" or not n.unique_id.startswith("test.")]
    if tests:
        parts.append("native tests: " + ", ".join(f"{count} on {name}" for name, count in sorted(tests.items())))
    return "\n\n".join(parts)


def _condition_line(condition: PlannedCondition) -> str:
    word = "pushed" if condition.pushed else "stays "
    why = f"  [{condition.code}: {condition.reason}]" if condition.code else ""
    return f"           {word} {condition.condition}{why}"


def _paragraph(node: PlannedNode) -> str:
    lines = [node.unique_id, f"  lane     {node.lane}"]
    if node.relation:
        lines.append(f"  landing  {node.landing}: {node.relation}")
    if node.inputs:
        lines.append(f"  reads    {', '.join(node.inputs)}")
    for scan in node.scans:
        lines.append(f"  scan     {scan.connection} ({scan.type}): {scan.sql}")
        if scan.reason:
            lines.append(f"           all columns: {scan.reason}")
        lines += [_condition_line(condition) for condition in scan.conditions]
    lines += [f"  note     {note}" for note in node.notes]
    if node.error:
        lines.append(f"  ERROR    {node.error}")
    return "\n".join(lines)
