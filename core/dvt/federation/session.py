"""A run: descriptions, staged scans, the memory budget, and queries over inputs on any connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.errors import DvtError, InterruptedRunError, PlanError
from dvt.federation.binding import Binder
from dvt.federation.cancel import CancelScope
from dvt.federation.descriptions import Descriptions
from dvt.federation.direct import direct_rows
from dvt.federation.engines.base import BaseEngine, EngineLimits, Handle
from dvt.federation.engines.choice import AUTO_BYTES, EMBEDDED, EngineChoice
from dvt.federation.extraction import Extraction, ExtractorFactory, ScanStats
from dvt.federation.extractors.base import TableStatistics
from dvt.federation.extractors.methods import Chosen
from dvt.federation.plan.direct import direct_scan
from dvt.federation.plan.estimates import estimated, scan_bytes
from dvt.federation.plan.hints import add_hint
from dvt.federation.plan.model import DirectScan, Input, QueryPlan, ScanPlan
from dvt.federation.plan.planner import plan_query, with_sql
from dvt.federation.plan.pushdown import ALL_MOVES, Move, Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.plan.router import Lane
from dvt.federation.registry import engine_class, loader_class, new_extractor
from dvt.federation.sizes import Sizes
from dvt.federation.staging.address import ScanUnit, scan_units
from dvt.federation.staging.parquet import can_stage, scan_errors
from dvt.federation.staging.shared import SharedScans
from dvt.federation.staging.work_folder import WorkFolder
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

# DuckDB's guide asks for 125 MB per thread at least; with less, joins and sorts run out of memory.
_LEAST_BYTES_PER_THREAD = 128 << 20


@dataclass(frozen=True)
class QueryRun:
    """A query whose inputs are at the engine, or whose answer comes from its only input directly.

    Args:
        stream: The result; valid while the query's context is open.
        plan: What was read, and by what SQL.
        scans: What each scan did; of a direct one that is known when the stream was read.
    """

    stream: RowStream
    plan: QueryPlan
    scans: list[ScanStats]

    @property
    def lane(self) -> Lane:
        """How the query is run."""
        return Lane.FEDERATED if self.plan.direct is None else Lane.DIRECT


class RunSession:
    """One per dvt run. Thread-safe.

    Args:
        work_folder: Staged and spilled data lie in a private folder below it, which is made when first needed.
        memory_bytes: Budget of the run, divided among the queries that may run at a time.
        threads: Threads of one query's engine.
        parallel_queries: Queries that may run at a time.
        run_id: Distinguishes the run's folder.
        extractor_factory: Makes an extractor of a connection; the registry's when not given.
        engine: Name of the compute engine where a query names none, or "auto".
        engine_options: What `engines:` in dvt.yml says, by engine.
        auto_bytes: With "auto", a query that reads more is computed by Spark.
        moves: What may move to the sources when pushdown is full.
    """

    def __init__(
        self,
        work_folder: Path,
        *,
        memory_bytes: int,
        threads: int,
        parallel_queries: int,
        run_id: str,
        extractor_factory: ExtractorFactory | None = None,
        engine: str = "duckdb",
        engine_options: Mapping[str, Mapping[str, Any]] | None = None,
        auto_bytes: int = AUTO_BYTES,
        moves: frozenset[Move] = ALL_MOVES,
    ) -> None:
        self.query_memory_bytes = memory_bytes // max(parallel_queries, 1)
        self.query_threads = max(1, min(threads, self.query_memory_bytes // _LEAST_BYTES_PER_THREAD))
        self._choice = EngineChoice(engine, auto_bytes)
        self._engine_options = engine_options or {}
        self._moves = moves
        self._factory = extractor_factory or new_extractor
        self._folder = WorkFolder(work_folder, run_id)
        self._scope = CancelScope()
        self._descriptions = Descriptions(self._factory, self._scope)
        self._sizes = Sizes(self._factory, self._scope)
        self._chosen: dict[str, Chosen] = {}
        self._shared = SharedScans(self._folder.path, self._cost, self._with_sql)
        self._binder = Binder(lambda: self._new_engine(EMBEDDED), self.describe)

    def describe(self, inp: Input) -> list[ColumnSchema]:
        """An input's columns; asked of the source once a run."""
        if inp.block is not None:
            return list(inp.columns)
        return self._descriptions.of(inp.connection, inp.relation, inp.declared, inp.file_options, inp.source_name)

    def describe_relation(
        self,
        connection: Connection,
        relation: Relation,
        declared: Mapping[str, str] | None = None,
        file_options: Mapping[str, Any] | None = None,
    ) -> list[ColumnSchema]:
        """A relation's columns; asked of the source once a run.

        Raises:
            RelationNotFoundError: There is no such relation.
        """
        return self._descriptions.of(connection, relation, declared or {}, file_options or {})

    def statistics(self, inp: Input) -> TableStatistics:
        """What an input's source knows of its size, without counting; asked once a run."""
        return self._sizes.of(inp)

    def chosen(self, connection: Connection) -> Chosen:
        """The method by which a connection's rows will be read; asked once a run."""
        if connection.name not in self._chosen:
            with self._factory(connection) as extractor, self._scope.running(extractor.cancel):
                self._chosen[connection.name] = extractor.chosen()
        return self._chosen[connection.name]

    def forget(self, connection: Connection, relation: Relation) -> None:
        """The relation was written: what is known and staged of it is out of date, under whatever connection."""
        place = connection.place

        def is_outdated(unit: ScanUnit) -> bool:
            return unit.connection.place == place and any(
                read.is_same(relation) for scan in unit.scans for read in scan.input.relations
            )

        self._descriptions.forget(place, relation)
        self._sizes.forget(place, relation)
        self._shared.forget(is_outdated)

    def plan(
        self, sql: str, inputs: Sequence[Input], pushdown: Pushdown = Pushdown.SAFE, *, direct: bool | None = None
    ) -> QueryPlan:
        """What a query would read, and by what SQL. Sources are asked for columns, not for rows."""
        return self._with_lane(self._planned(sql, inputs, pushdown), inputs, pushdown, direct)

    def _planned(
        self,
        sql: str,
        inputs: Sequence[Input],
        pushdown: Pushdown,
        evaluate: Callable[[ScanPlan], pa.Table] | None = None,
    ) -> QueryPlan:
        return plan_query(
            sql,
            inputs,
            self.describe,
            pushdown=pushdown,
            extractor_factory=self._factory,
            evaluate=evaluate,
            rows_of=self.estimated_rows,
            describe_block=self._descriptions.of_block,
            binder=self._binder,
            moves=self._moves,
        )

    def estimated_rows(self, inp: Input) -> int | None:
        """How many rows an input has about; None when its source does not say."""
        return self.statistics(inp).rows

    def estimated(self, scans: Sequence[ScanPlan]) -> list[ScanPlan]:
        """Scans with about their rows and bytes. Sources are asked for what they know without counting."""
        return estimated(scans, self.describe, self.statistics)

    def _with_lane(
        self, plan: QueryPlan, inputs: Sequence[Input], pushdown: Pushdown, direct: bool | None
    ) -> QueryPlan:
        """The plan with its direct scan, or with the reason why it has none."""
        if direct is None:
            return plan
        if not direct:
            return replace(plan, federated_because=Reason.DIRECT_OFF)
        blocks = [scan.input for scan in plan.scans if scan.input.block is not None]
        found = direct_scan(plan, [*inputs, *blocks], self.describe, pushdown)
        if isinstance(found, DirectScan):
            found = self._as_engine_gives(plan, found)
        if isinstance(found, DirectScan) and any(self._shared.is_shared(unit) for unit in scan_units(plan)):
            found = Reason.DIRECT_SHARED
        if isinstance(found, Reason):
            return replace(plan, federated_because=found)
        return replace(plan, direct=found)

    def _as_engine_gives(self, plan: QueryPlan, direct: DirectScan) -> DirectScan | Reason:
        """The scan with the names and types that the engine gives to the query's columns.

        The engine binds the query over empty relations: it is asked, not imitated.
        """
        described = {column.name: column for column in self.describe(direct.scan.input)}
        relations = self._relations(plan)
        try:
            columns = self._binder.columns(plan.sql, relations)
        except PlanError:
            return Reason.DIRECT_SHAPE  # the query's own run says what is wrong with it
        names = tuple(column.name.lower() for column in columns)
        types = [RowStream([described[name]], iter(())).schema.types[0] for name in direct.sources]
        if names != direct.names or [column.type for column in columns] != types:
            return Reason.DIRECT_TYPE
        return replace(direct, scan=self._with_sql(direct.scan), columns=tuple(columns))

    def _evaluate(self, scope: CancelScope, scan: ScanPlan) -> pa.Table:
        """Read a scan of one row."""
        with scan_errors(scan), self._factory(scan.input.connection) as extractor, scope.running(extractor.cancel):
            with extractor.scan(scan.request()) as stream:
                return stream.to_reader().read_all()

    def announce(self, plan: QueryPlan) -> None:
        """A query with this plan will run: scans that several announced queries have in common are read once."""
        for unit in scan_units(plan):
            self._shared.announce(unit)

    def withdraw(self, plan: QueryPlan) -> None:
        """A query that was announced will not run."""
        for unit in scan_units(plan):
            self._shared.done(unit)

    @contextmanager
    def query(
        self,
        sql: str,
        inputs: Sequence[Input],
        *,
        node: str | None = None,
        batch_rows: int = 50_000,
        pushdown: Pushdown = Pushdown.SAFE,
        direct: bool | None = None,
        engine: str | None = None,
    ) -> Iterator[QueryRun]:
        """Run a query over its inputs; the result streams while the context is open.

        Args:
            sql: One query in DuckDB's SQL; this very text is run.
            inputs: What it may read, under their handles.
            node: What messages call the query.
            batch_rows: Rows in one batch of the result.
            pushdown: The most that the sources are asked to do.
            direct: Whether the engine may be left out where the rows of one scan are the answer.
            engine: Which one computes it; the session's when not given.

        Raises:
            PlanError: The query does not parse or bind.
            InterruptedRunError: `cancel` was called.
        """
        try:
            self._scope.check()
            with self._scope.child() as asking:
                plan = self._planned(sql, inputs, pushdown, partial(self._evaluate, asking))
            units = scan_units(plan)
            try:
                plan = self._with_lane(plan, inputs, pushdown, direct)
                if plan.direct is not None:
                    with (
                        self._scope.child() as scope,
                        direct_rows(plan.direct, self._factory, scope) as (rows, scans),
                    ):
                        yield QueryRun(rows, plan, scans)
                    return
                name = self.engine_of(plan, engine)
                self.check_engine(name, plan)
                with self._scope.child() as scope, self._new_engine(name) as made, scope.running(made.interrupt):
                    made.prepare()
                    extraction = Extraction(made, self._factory, self._shared, scope, self._can_share)
                    with (
                        extraction.extracted(units, plan.known) as scans,
                        made.execute(plan.sql, batch_rows) as stream,
                    ):
                        yield QueryRun(stream, plan, scans)
            except PlanError as error:
                add_hint(error, [scan.input for scan in plan.scans], self.describe)
                raise
            finally:
                for unit in units:
                    self._shared.done(unit)
        except Exception as error:
            if self._scope.is_cancelled and not isinstance(error, InterruptedRunError):
                raise InterruptedRunError("the run was interrupted", node=node) from error
            if isinstance(error, DvtError):
                error.at(node=node)
            raise

    def cancel(self) -> None:
        """End all extractors and engines, from another thread; queries raise `InterruptedRunError`."""
        self._scope.cancel()

    def close(self) -> None:
        """Remove everything from disk. Closing twice is allowed."""
        self._binder.close()
        self._folder.close()

    def engine_of(self, plan: QueryPlan, wanted: str | None = None) -> str:
        """The name of the engine that computes a plan, where one is needed."""
        return self._choice.of(wanted, lambda: self.estimated(plan.scans))

    def check_engine(self, name: str, plan: QueryPlan) -> None:
        """Refuse, before anything is read, a plan that an engine does not compute.

        Raises:
            UnsupportedError: What is not carried is named.
        """
        if name == EMBEDDED:
            return
        engine_class(name).check_place(self._engine_options.get(name) or {})
        relations = self._relations(plan)
        engine_class(name).check_query(plan.sql, relations, lambda: self._binder.columns(plan.sql, relations))

    def landing_remark(self, name: str, connection: Connection) -> str:
        """How what an engine computes lands on a connection, where that is not by dvt's own process."""
        how = loader_class(connection.type).landed_by_executors(connection)
        return engine_class(name).landing_remark(self._engine_options.get(name) or {}, how)

    def _relations(self, plan: QueryPlan) -> dict[Handle, list[ColumnSchema]]:
        """The columns that a plan reads of each relation."""
        return {
            scan.input.handle: [c for c in self.describe(scan.input) if scan.columns is None or c.name in scan.columns]
            for scan in plan.scans
        }

    def _new_engine(self, name: str) -> BaseEngine:
        limits = EngineLimits(self.query_memory_bytes, self.query_threads, self._folder.path())
        return engine_class(name)(limits, self._engine_options.get(name))

    def _cost(self, scan: ScanPlan) -> float:
        return scan_bytes(scan, self.describe(scan.input), self.statistics(scan.input))

    def _with_sql(self, scan: ScanPlan) -> ScanPlan:
        return with_sql(scan, self._factory)

    def _can_share(self, unit: ScanUnit) -> bool:
        for scan in unit.scans:
            columns = self.describe(scan.input)
            if not can_stage([c for c in columns if scan.columns is None or c.name in scan.columns]):
                return False
        return True

    def __enter__(self) -> RunSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
