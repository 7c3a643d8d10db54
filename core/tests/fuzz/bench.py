"""Two places filled with tables, and queries over them at each level of pushdown.

Speed: extractors and the engine are kept open between queries (the data does not change), and the answer without
pushdown is taken from tables that were read whole, once, through the same extractors into the same engine. A sample of
the queries, and every difference, is asked again of a session that does none of this.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import DvtError, PlanError
from dvt.federation.binding import Binder
from dvt.federation.engines.base import BaseEngine, EngineLimits
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.plan.model import Input, QueryPlan
from dvt.federation.plan.pushdown import Pushdown
from dvt.federation.plan.reasons import Reason
from dvt.federation.registry import extractor_class
from dvt.federation.session import RunSession
from dvt.federation.stream import RowStream
from dvt.identifiers import quote
from fuzz.compare import Outcome, outcome
from fuzz.places import Place
from fuzz.schema import Table

_BUDGET: dict[str, int] = {"memory_bytes": 256 << 20, "threads": 1, "parallel_queries": 1}


def _limits(folder: Path) -> EngineLimits:
    return EngineLimits(_BUDGET["memory_bytes"], _BUDGET["threads"], folder)


class Bench:
    """Tables at two places.

    Args:
        pair: The places; both may be the same engine, never the same object.
        tables: What they hold.
        folder: For what the sessions spill.
    """

    def __init__(self, pair: tuple[Place, Place], tables: Sequence[Table], folder: Path) -> None:
        self.tables = list(tables)
        for side, place in enumerate(pair):
            place.fill([table for table in tables if table.side == side])
        names = [f"{place.engine}{side}" for side, place in enumerate(pair)]
        connections = [place.connection(name) for place, name in zip(pair, names, strict=True)]
        self.inputs = [pair[table.side].input(table, connections[table.side]) for table in tables]
        self._folder = folder
        self._kept = _Kept()
        self._stack = ExitStack()
        self._stack.callback(self._kept.close)
        try:
            self._session = self._stack.enter_context(_KeptSession(folder / "work", "kept", self._kept))
            self._whole = self._stack.enter_context(DuckDBEngine(_limits(folder)))
            self._load()
        except BaseException:
            self._stack.close()
            raise

    def handle(self, index: int) -> tuple[str, str, str]:
        """The name of a table in queries."""
        handle = self.inputs[index].handle
        return handle.catalog, handle.schema, handle.name

    def expected(self, sql: str) -> Outcome:
        """The answer over tables that were read whole."""
        return outcome(lambda: self._whole.execute(sql))

    def found(self, sql: str, level: Pushdown) -> Outcome:
        """The answer through a session, at a level of pushdown."""
        return self._kept.after(outcome(lambda: _streamed(self._session, sql, self.inputs, level)))

    def afresh(self, sql: str, level: Pushdown) -> Outcome:
        """The same through a session and connections that nothing was done with before."""
        with _SizedSession(self._folder / "work", **_BUDGET, run_id="fresh") as session:
            return outcome(lambda: _streamed(session, sql, self.inputs, level))

    def together(self, before: str, sql: str, level: Pushdown) -> Outcome:
        """The answer when another query of the same run was asked first, and both may share what is read."""
        with _KeptSession(self._folder / "work", "pair", self._kept, self._session) as session:
            for query in (before, sql):
                with suppress(DvtError):
                    session.announce(session.plan(query, self.inputs, level))
            self._kept.after(outcome(lambda: _streamed(session, before, self.inputs, level)))
            return self._kept.after(outcome(lambda: _streamed(session, sql, self.inputs, level)))

    def plan(self, sql: str, level: Pushdown) -> QueryPlan | None:
        """What would be sent to the sources; None when there is no plan."""
        try:
            return self._session.plan(sql, self.inputs, level)
        except PlanError:
            return None

    def _load(self) -> None:
        for input_ in self.inputs:
            request = ExtractionConfig(relation=input_.relation, file_options=input_.file_options)
            with self._kept(input_.connection) as extractor, extractor.scan(request) as stream:
                self._whole.register(input_.handle, stream)

    def close(self) -> None:
        """End its sessions. Closing twice is allowed."""
        self._stack.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _streamed(session: RunSession, sql: str, inputs: Any, level: Pushdown) -> Iterator[RowStream]:
    with session.query(sql, inputs, pushdown=level) as run:
        yield run.stream


class _Kept:
    """Extractors that stay open when they are closed, one for each connection; a factory for `RunSession`."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}

    def __call__(self, connection: Connection) -> Any:
        if connection.name not in self._open:
            self._open[connection.name] = extractor_class(connection.type)(connection)
        return _Lent(self._open[connection.name])

    def after(self, answer: Outcome) -> Outcome:
        """The answer; a session whose statement failed is in a failed transaction, so they are closed then."""
        if answer.phase not in ("", "plan", "compute"):
            self.close()
        return answer

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


class _Lent:
    """An extractor that its borrower cannot close; everything else is the extractor's own."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def close(self) -> None:
        """Left open."""

    def __enter__(self) -> _Lent:
        return self

    def __exit__(self, *details: object) -> None:
        """Left open."""


class _KeptEngine(DuckDBEngine):
    """An engine that is emptied when it is closed; to start another one costs more than most queries."""

    def close(self) -> None:
        with self._cursor() as cursor:
            attached = "select database_name from duckdb_databases() where not internal and database_name <> 'memory'"
            for (name,) in cursor.execute(attached).fetchall():
                cursor.execute(f"detach {quote(name, 'duckdb')}")

    def end(self) -> None:
        """Close it in earnest."""
        super().close()


class _SizedSession(RunSession):
    """A session to which relations seem to be of very different sizes, or of none that is known.

    So some wait for the keys of others, and some are sampled first.
    """

    def estimated_rows(self, inp: Input) -> int | None:
        """Any number will do: it decides what is asked, never what the answer is."""
        return (None, 1, 25, 625, 15_625, 390_625)[zlib.crc32(repr(inp.handle).encode()) % 6]


class _KeptSession(_SizedSession):
    """A session with one engine for all its queries, and one plan for a query that is shown and then run.

    Args:
        folder: For what it spills.
        run_id: Distinguishes its own folder.
        factory: Gives the extractors.
        lender: A session whose engine this one uses, and what it knows of the tables; what is staged it shares with
            nobody.
    """

    def __init__(self, folder: Path, run_id: str, factory: _Kept, lender: _KeptSession | None = None) -> None:
        super().__init__(folder, **_BUDGET, run_id=run_id, extractor_factory=factory)
        self._plans: dict[tuple[str, Pushdown], QueryPlan] = {}
        self._is_borrower = lender is not None
        if lender is None:
            self._kept_engine = _KeptEngine(_limits(folder))
            self._binder = Binder(lambda: DuckDBEngine(_limits(folder)), self.describe)  # in it tables stand empty
        else:
            self._kept_engine = lender._kept_engine
            self._descriptions, self._sizes, self._binder = lender._descriptions, lender._sizes, lender._binder

    def _planned(self, sql: str, inputs: Any, pushdown: Pushdown, evaluate: Any = None) -> QueryPlan:
        kept = self._plans.pop((sql, pushdown), None)
        if kept is not None and not _waits_for_a_value(kept):
            return kept
        plan = super()._planned(sql, inputs, pushdown, evaluate)
        if len(self._plans) > 1:
            self._plans.clear()
        self._plans[sql, pushdown] = plan
        return plan

    def _new_engine(self, name: str) -> BaseEngine:
        return self._kept_engine

    def close(self) -> None:
        if self._is_borrower:
            self._folder.close()
            return
        self._kept_engine.end()
        super().close()


def _waits_for_a_value(plan: QueryPlan) -> bool:
    """Whether a plan is another one when it is run, because a watermark is read first."""
    return bool(plan.known) or any(d.reason is Reason.WATERMARK for scan in plan.scans for d in scan.decisions)
