"""What a federated query is made of: inputs bound to connections, and the plan for reading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dvt.connections.comparing import ComparingFacts
from dvt.connections.connection import Connection
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import ExtractionConfig, Ordering
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.identifiers import Relation

if TYPE_CHECKING:
    import pyarrow as pa

    from dvt.federation.plan.blocks import Block
    from dvt.federation.plan.key_filters import KeyFilter
    from dvt.federation.stream import ColumnSchema


@dataclass(frozen=True)
class Input:
    """A relation that a federated query may read.

    Args:
        handle: The name under which it stands in the engine's SQL.
        connection: Where it lives.
        relation: What it is called there.
        source_name: What messages call it, for example "crm.customers".
        declared: Data types declared for columns in the project (a CSV file has no others).
        file_options: For files: path and format given in the project.
        pushdown: The most that this source is asked to do; None when the project does not say.
        block: The query that is read, when it is no relation.
        columns: The block's columns.
    """

    handle: Handle
    connection: Connection
    relation: Relation
    source_name: str = ""
    declared: Mapping[str, str] = field(default_factory=dict, hash=False)
    file_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pushdown: Pushdown | None = None
    block: Block | None = field(default=None, hash=False)
    columns: tuple[ColumnSchema, ...] = field(default=(), hash=False)

    @property
    def relations(self) -> tuple[Relation, ...]:
        """What is read at the source."""
        return (self.relation,) if self.block is None else self.block.relations

    @property
    def read(self) -> str:
        """What is read at the source, for messages."""
        return ", ".join(map(str, self.relations))

    @property
    def comparing(self) -> ComparingFacts:
        """How its source compares values."""
        spec = self.connection.spec
        if spec.comparing_of is None:
            return spec.comparing
        return spec.comparing_of(self.connection, self.relation, self.file_options)


@dataclass(frozen=True)
class Decision:
    """What became of one condition on an input, or of a row limit.

    Args:
        condition: In the query's dialect.
        is_pushed: Whether the source applies it, or a weaker one that follows from it.
        is_exact: Whether the rows that come are those in which it is true.
        reason: Why it is not pushed, or not exact; None when the engine has nothing left to do.
    """

    condition: str
    is_pushed: bool
    is_exact: bool = False
    reason: Reason | None = None


@dataclass(frozen=True)
class ScanPlan:
    """One read of one input.

    Args:
        input: What is read.
        columns: Columns that the query needs, in the relation's order; None for all.
        sql: The statement sent to the source, for `dvt plan`.
        reason: Why all columns are read, when `columns` is None.
        predicates: Conditions that the source applies, in its own words.
        limit: At most that many rows are read.
        order: Which rows, with a limit: the first by these columns.
        key_filters: Relations that are read before, and whose keys are then asked for.
        decisions: What became of each condition on the input.
        estimated_rows: About how many rows come, when something is known of it; see `plan/estimates.py`.
        estimated_bytes: About how many bytes they have in Arrow.
    """

    input: Input
    columns: tuple[str, ...] | None
    sql: str
    reason: str = ""
    predicates: tuple[Any, ...] = ()
    limit: int | None = None
    order: tuple[Ordering, ...] = ()
    key_filters: tuple[KeyFilter, ...] = ()
    decisions: tuple[Decision, ...] = ()
    estimated_rows: int | None = field(default=None, compare=False)
    estimated_bytes: int | None = field(default=None, compare=False)

    def request(self, batch_rows: int | None = None) -> ExtractionConfig:
        """The scan request for the extractor."""
        block = self.input.block
        if block is not None:
            dialect = self.input.connection.dialect
            return ExtractionConfig(
                query=block.sql(dialect, self.columns, self.predicates, self.limit, self.order),
                batch_size=batch_rows,
                source_name=self.input.source_name,
                declared=self.input.declared,
            )
        return ExtractionConfig(
            relation=self.input.relation,
            columns=self.columns,
            predicates=self.predicates,
            limit=self.limit,
            order=self.order,
            batch_size=batch_rows,
            source_name=self.input.source_name,
            declared=self.input.declared,
            file_options=self.input.file_options,
        )


@dataclass(frozen=True)
class DirectScan:
    """A scan whose rows are a query's answer.

    Args:
        scan: The read; all its conditions and its limit are applied exactly.
        names: The query's columns, in lower case.
        sources: The relation's column that each of them is.
        columns: The query's columns as the engine gives them; empty until it was asked.
    """

    scan: ScanPlan
    names: tuple[str, ...]
    sources: tuple[str, ...]
    columns: tuple[ColumnSchema, ...] = ()


@dataclass(frozen=True)
class QueryPlan:
    """A federated query and the scans that feed it. A handle that the query does not mention is not scanned.

    Args:
        sql: The query.
        scans: All reads.
        known: What some of them gave already, because others depend on it.
        direct: The scan that is read instead of all others, when the engine has nothing to do.
        federated_because: Why there is no such scan; None when nobody asked for one.
    """

    sql: str
    scans: tuple[ScanPlan, ...]
    known: Mapping[Handle, pa.Table] = field(default_factory=dict, hash=False)
    direct: DirectScan | None = None
    federated_because: Reason | None = None
