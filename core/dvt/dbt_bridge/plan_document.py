"""What `dvt plan` tells of each node; `docs/plan.schema.json` describes it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dvt.federation.extractors.methods import PassedOver
from dvt.federation.plan.coercions import Coercion

# Raised when a field goes or changes its meaning; new fields may come without.
VERSION = 1


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
class ActualScan:
    """What one read of a source did.

    Args:
        rows: Rows that came.
        bytes: Their bytes in Arrow.
        seconds: Wall time until they were at the engine.
        method: How they were read, for example "copy_streaming".
        shared: Whether they came from a scan that was staged for several queries.
        parts: How many parts of them were read side by side.
        whole_because: Why there was one, where more were asked for.
    """

    rows: int
    bytes: int
    seconds: float
    method: str
    shared: bool
    parts: int = 1
    whole_because: str = ""


@dataclass(frozen=True)
class ActualResult:
    """What a node's query gave.

    Args:
        rows: Rows of the result.
        bytes: Their bytes in Arrow.
        seconds: Wall time from the first read to the last row.
    """

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class PlannedScan:
    """One read of a source, as it will be sent.

    Args:
        relation: What is read.
        connection: Where it lives.
        type: The connection's type.
        sql: The statement.
        columns: Columns that are read; None for all.
        reason: Why all columns are read.
        conditions: What becomes of each condition on it.
        limit: At most that many rows are read.
        estimated_rows: About how many rows come; None when nothing is known.
        estimated_bytes: About how many bytes they have.
        coercions: Columns that are carried as another type.
        read_by: "native" for the engine's own client, or "jdbc".
        method: The method by which the rows will come, for example "copy_streaming".
        passed_over: The methods before it, and why they are not taken.
        remarks: What to know of the method, for example that it holds a result in memory.
        actual: What the read did, with --analyze.
    """

    relation: str
    connection: str
    type: str
    sql: str
    columns: list[str] | None
    reason: str
    conditions: list[PlannedCondition]
    limit: int | None
    estimated_rows: int | None = None
    estimated_bytes: int | None = None
    coercions: list[Coercion] = field(default_factory=list)
    read_by: str = "native"
    method: str = "streaming"
    passed_over: list[PassedOver] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    actual: ActualScan | None = None


@dataclass(frozen=True)
class PlannedLanding:
    """How a table takes its place on the landing.

    Args:
        way: In words, for example "drop and rename in one transaction".
        atomic: Whether readers see the old table or the new one at every moment, as long as its columns stay.
    """

    way: str
    atomic: bool


@dataclass(frozen=True)
class PlannedLoading:
    """How a node's rows are sent to the landing.

    Args:
        method: For example "copy_csv", as far as it is known before there are rows; empty where it is not known.
        passed_over: The methods before it, and why they are not taken.
        unknown_because: Why it is not known: the landing cannot be asked now.
    """

    method: str
    passed_over: list[PassedOver] = field(default_factory=list)
    unknown_because: str = ""


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
        actual: What its query gave, with --analyze.
        engine_sql: What the engine runs, where joins or groups of the model's query run at a source; else empty.
        landing_way: How its table takes its place; None for nodes that land no rows through dvt.
        loading: How its rows are sent; None for the same nodes.
    """

    unique_id: str
    lane: str
    landing: str
    relation: str
    inputs: list[str]
    scans: list[PlannedScan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    actual: ActualResult | None = None
    engine_sql: str = ""
    landing_way: PlannedLanding | None = None
    loading: PlannedLoading | None = None


def document(nodes: Sequence[PlannedNode], is_analyzed: bool) -> dict[str, Any]:
    """The plan as JSON."""
    return {"version": VERSION, "analyzed": is_analyzed, "nodes": [asdict(node) for node in nodes]}
