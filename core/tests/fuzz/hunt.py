"""The hunt: query after query at each level, until something differs or enough were asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dvt.federation.plan.model import QueryPlan
from dvt.federation.plan.pushdown import Pushdown
from fuzz.bench import Bench
from fuzz.cases import CaseFile
from fuzz.compare import Outcome, difference, is_tolerated
from fuzz.places import Place
from fuzz.queries import name
from fuzz.schema import Table, random_tables
from fuzz.shapes import Query, random_query
from fuzz.shrink import shrink_query, shrink_rows

QUERIES_PER_SCHEMA = 50
_FRESH_EVERY = 40
# Two queries of one run, which may share what they read.
_TOGETHER_EVERY = 12
# Queries that DuckDB refuses say little; a few of them are asked all the same.
_REFUSED_EVERY = 10
# Nor do empty answers.
_EMPTY_EVERY = 3
_LIMIT = re.compile(r"limit \d+")
LEVELS = (Pushdown.SAFE, Pushdown.FULL)


@dataclass
class Tally:
    """What was asked, and what came of it.

    Args:
        asked: Queries that were compared and gave an answer.
        refused: Queries that DuckDB refused.
        failed: Queries that failed on a value, without pushdown.
        tolerated: Queries of which only one side failed on a value.
        empty: Queries whose answer has no rows.
        pushed: Queries of which some source was asked to leave rows out.
        shapes: Queries by shape.
        found: The differences.
    """

    asked: int = 0
    refused: int = 0
    failed: int = 0
    tolerated: int = 0
    empty: int = 0
    pushed: int = 0
    shapes: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    def line(self) -> str:
        """One line for a log."""
        parts = (
            f"{self.asked} queries",
            f"{self.pushed} with rows left at a source",
            f"{self.empty} empty",
            f"{self.refused} refused by DuckDB",
        )
        more = (f"{self.failed} failed on a value", f"{self.tolerated} tolerated", f"{len(self.found)} DIFFERENCES")
        return ", ".join((*parts, *more))


@dataclass(frozen=True)
class Found:
    """A difference: as it was found, and made small."""

    case: CaseFile
    level: Pushdown
    report: str


@dataclass(frozen=True)
class Hunt:
    """How to hunt.

    Args:
        pair: The places.
        count: Queries to ask.
        seed: The first schema's seed.
        folder: For what sessions spill.
        levels: Levels that are compared with no pushdown.
        most: Differences after which it ends.
        shrinks: Whether differences are made small.
        per_schema: Queries for each schema.
    """

    pair: tuple[Place, Place]
    count: int
    seed: int
    folder: Path
    levels: Sequence[Pushdown] = LEVELS
    most: int = 1
    shrinks: bool = True
    per_schema: int = QUERIES_PER_SCHEMA

    @property
    def names(self) -> tuple[str, str]:
        """The engines."""
        return self.pair[0].engine, self.pair[1].engine

    def run(self, say: Callable[[str], object] = lambda _: None) -> Tally:
        """Ask; ends with the first differences."""
        tally = Tally()
        seed = self.seed
        while tally.asked < self.count and len(tally.found) < self.most:
            powers = self.pair[0].powers | self.pair[1].powers
            tables = random_tables(seed, self.names, powers)
            with Bench(self.pair, tables, self.folder) as bench:
                self._schema(bench, seed, tally, say)
            seed += 1
        return tally

    def _schema(self, bench: Bench, seed: int, tally: Tally, say: Callable[[str], object]) -> None:
        number = asked = 0
        previous = f"select * from {'.'.join(map(name, bench.handle(0)))}"
        while asked < self.per_schema and tally.asked < self.count and number < self.per_schema * 4:
            query = random_query(seed, number, bench.tables, bench.inputs)
            number += 1
            expected = bench.expected(query.sql)
            if not expected.error and not expected.rows and number % _EMPTY_EVERY:
                continue
            if expected.error:
                tally.failed += expected.is_value_error
                tally.refused += not expected.is_value_error
                if number % _REFUSED_EVERY:
                    continue
            else:
                asked += 1
                tally.asked += 1
                tally.empty += not expected.rows
                tally.shapes[query.shape] += 1
            label = f"{seed}.{number - 1}"
            found = self._ask(bench, query, expected, tally, is_fresh=number % _FRESH_EVERY == 0)
            if found is not None:
                tally.found.append(self._made_small(bench, query, *found, label, say))
                return
            if number % _TOGETHER_EVERY == 0 and not expected.error:
                before = _LIMIT.sub("limit 1", query.sql, count=1) if _LIMIT.search(query.sql) else previous
                what = difference(expected, bench.together(before, query.sql, self.levels[0]), query.is_ordered)
                if what:
                    tally.found.append(self._of_two(bench, before, query, what, label))
                    return
            previous = query.sql if not expected.error else previous

    def _ask(
        self, bench: Bench, query: Query, expected: Outcome, tally: Tally, *, is_fresh: bool
    ) -> tuple[Pushdown, str] | None:
        if is_fresh:
            # The loaded tables stand for pushdown off; here it is asked itself.
            what = difference(expected, bench.afresh(query.sql, Pushdown.OFF), query.is_ordered)
            if what:
                return Pushdown.OFF, what
        plans: list[QueryPlan] = []
        for level in self.levels:
            plan = bench.plan(query.sql, level)
            if plan is not None and plan in plans and not is_fresh:
                continue  # the same scans of the same data, and the same query above them
            if plan is not None:
                plans.append(plan)
                tally.pushed += len(plans) == 1 and any(
                    scan.predicates or scan.limit is not None or scan.key_filters for scan in plan.scans
                )
            ask = bench.afresh if is_fresh else bench.found
            answer = ask(query.sql, level)
            tally.tolerated += is_tolerated(expected, answer)
            what = difference(expected, answer, query.is_ordered)
            if what:
                return level, what
        return None

    def _of_two(self, bench: Bench, before: str, query: Query, what: str, label: str) -> Found:
        level = self.levels[0]
        case = CaseFile(self.names, query.sql, query.is_ordered, tuple(bench.tables), label, what, before)
        lines = [
            f"{what} at {level.value} after another query of the run; seed {label}, pair {'-'.join(self.names)}",
            *("before:", f"  {before}", "query:", f"  {query.sql}", "tables:", *map(_table_text, bench.tables)),
            *("off:", str(bench.expected(query.sql)), "shared:", str(bench.together(before, query.sql, level))),
        ]
        return Found(case, level, "\n".join(lines))

    def _made_small(
        self, bench: Bench, query: Query, level: Pushdown, what: str, seed: str, say: Callable[[str], object]
    ) -> Found:
        say(f"{what} at {level.value}, seed {seed}: {query.sql}")
        sql, tables = query.sql, list(bench.tables)
        if self.shrinks:
            say("making it small")
            sql = shrink_query(sql, lambda smaller: _differs(bench, smaller, level))
        # Its sessions hold locks on what is replaced below.
        bench.close()
        if self.shrinks:
            tables = shrink_rows(tables, lambda fewer: self._differs_with(fewer, sql, level))
        with Bench(self.pair, tables, self.folder) as small:
            is_ordered = query.is_ordered and sql == query.sql
            expected, found = small.expected(sql), small.afresh(sql, level)
            case = CaseFile(self.names, sql, is_ordered, tuple(tables), seed, f"{what} at {level.value}")
            lines = [
                f"{what} at {level.value}; seed {seed}, pair {'-'.join(self.names)}",
                *("as found:", f"  {query.sql}", "made small:", f"  {sql}", "tables:", *map(_table_text, tables)),
                *("sent:", _plan_text(small.plan(sql, level)), "off:", str(expected), f"{level.value}:", str(found)),
            ]
        return Found(case, level, "\n".join(lines))

    def _differs_with(self, tables: list[Table], sql: str, level: Pushdown) -> bool:
        with Bench(self.pair, tables, self.folder) as bench:
            return _differs(bench, sql, level)


def _differs(bench: Bench, sql: str, level: Pushdown) -> bool:
    expected = bench.expected(sql)
    # A query that DuckDB refuses is no smaller case of a wrong answer; its order is no longer known to be total.
    return not expected.error and bool(difference(expected, bench.found(sql, level), is_ordered=False))


def _plan_text(plan: QueryPlan | None) -> str:
    return "\n".join(f"  {s.input.connection.name}: {s.sql}" for s in plan.scans) if plan else "  no plan"


def _table_text(table: Table) -> str:
    columns = ", ".join(f"{column.name!r} {column.ddl}" for column in table.columns)
    rows = "".join(f"\n    {list(row)}" for row in table.rows)
    return f"  side {table.side}: {table.name!r} ({columns}){rows}"
