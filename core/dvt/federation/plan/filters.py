"""What a scan leaves at its source: conditions of all ways to the relation, as far as the source answers for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dvt.connections.comparing import Trust
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import Ordering
from dvt.federation.plan.answers import Answer, Source
from dvt.federation.plan.condition_reading import ConditionReader
from dvt.federation.plan.constants import Constants
from dvt.federation.plan.key_filters import KeyFilter, Size, marker_of, waits
from dvt.federation.plan.model import Decision, Input, ScanPlan
from dvt.federation.plan.needed_rows import Reach
from dvt.federation.plan.reasons import Reason
from dvt.federation.stream import ColumnSchema


@dataclass(frozen=True)
class Filters:
    """The row part of a scan request.

    Args:
        predicates: Conditions in the source's words; a row that fails one is not needed.
        limit: At most that many rows are needed.
        order: Which rows, with a limit.
        key_filters: Relations whose keys are asked for.
        decisions: What became of each condition.
    """

    predicates: tuple[exp.Expr, ...] = ()
    limit: int | None = None
    order: tuple[Ordering, ...] = ()
    key_filters: tuple[KeyFilter, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def applied(self, scan: ScanPlan) -> ScanPlan:
        """The scan with these filters in the place of its own."""
        return replace(
            scan,
            predicates=self.predicates,
            limit=self.limit,
            order=self.order,
            key_filters=self.key_filters,
            decisions=self.decisions,
        )


def filters_of(
    input_: Input,
    columns: list[ColumnSchema],
    reaches: Sequence[Reach],
    constants: Constants,
    sizes: Mapping[Handle, Size],
) -> Filters:
    """What the source is asked to leave out.

    Args:
        input_: The relation.
        columns: Its columns.
        reaches: The ways to it; a row stays behind when none of them needs it.
        constants: Works out constants.
        sizes: What is known of how large each input is; empty when no relation is to wait for another one.
    """
    spec = input_.connection.spec
    if input_.block is not None:
        aggregates = {column.name for column in input_.block.columns if column.aggregate is not None}
        columns = [column for column in columns if column.name not in aggregates]
    asking = _Asking(
        ConditionReader({column.name.lower(): column.type for column in columns}, constants),
        Source(columns, input_.comparing, spec.dialect, input_.declared),
    )
    if not reaches:
        return Filters()
    plain = [replace(reach, conditions=tuple(c for c in reach.conditions if not marker_of(c))) for reach in reaches]
    found = asking.one(plain[0]) if len(plain) == 1 else asking.several(plain)
    keys = [c for c in reaches[0].conditions if marker_of(c) and all(c in other.conditions for other in reaches[1:])]
    filters = [key for c in keys if (key := asking.key_filter(c, input_.handle, sizes)) is not None]
    told = tuple(
        Decision(_told(key), True, False, Reason.KEYS_SAMPLED if key.is_sampled else Reason.KEYS) for key in filters
    )
    return replace(found, key_filters=tuple(filters), decisions=(*found.decisions, *told))


def _told(key: KeyFilter) -> str:
    return f"{key.column} IN (keys of {key.provider.schema}.{key.provider.name}.{key.provider_column})"


class _Asking:
    def __init__(self, reader: ConditionReader, source: Source) -> None:
        self._reader = reader
        self._source = source

    def one(self, reach: Reach) -> Filters:
        asked = [self._ask(condition) for condition in reach.conditions]
        predicates = tuple(answer.sql for answer, _ in asked if answer.sql is not None)
        decisions = [decision for _, decision in asked]
        if reach.limit is None:
            return Filters(predicates, decisions=tuple(decisions))
        order = self._source.ordered(reach.order)
        is_exact = all(decision.is_exact for decision in decisions)
        text = f"LIMIT {reach.limit}" + (" of the first rows" if reach.order else "")
        if order is not None and is_exact:
            return Filters(predicates, reach.limit, order, decisions=(*decisions, Decision(text, True, True)))
        reason = Reason.LIMIT_RESIDUAL if order is not None else Reason.LIMIT_ORDER
        return Filters(predicates, decisions=(*decisions, Decision(text, False, reason=reason)))

    def several(self, reaches: Sequence[Reach]) -> Filters:
        """Rows that some way needs: what all ways ask for, and one of what each asks for beside it."""
        common = [c for c in reaches[0].conditions if all(c in other.conditions for other in reaches[1:])]
        shared = self.one(Reach(tuple(common)))
        others = [[c for c in reach.conditions if c not in common] for reach in reaches]
        decisions = list(shared.decisions)
        predicates = list(shared.predicates)
        asked = [[self._ask(condition) for condition in conditions] for conditions in others]
        sent = [[answer.sql for answer, _ in way if answer.sql is not None] for way in asked]
        is_useful = all(sent)
        if is_useful:
            ways = {exp.and_(*parts).sql(): exp.and_(*parts) for parts in sent}
            predicates.append(exp.or_(*ways.values()))
        for _, decision in (pair for way in asked for pair in way):
            reason = decision.reason if is_useful or not decision.is_pushed else Reason.SEVERAL_READS
            found = Decision(
                decision.condition, decision.is_pushed and is_useful, False, reason or Reason.SEVERAL_READS
            )
            if found not in decisions:
                decisions.append(found)
        for limit in sorted({reach.limit for reach in reaches if reach.limit is not None}):
            decisions.append(Decision(f"LIMIT {limit}", False, reason=Reason.LIMIT_SHARED))
        return Filters(tuple(predicates), decisions=tuple(decisions))

    def key_filter(self, condition: exp.Expr, handle: Handle, sizes: Mapping[Handle, Size]) -> KeyFilter | None:
        found = marker_of(condition)
        assert found is not None, "only markers come here"
        name, provider, provider_column = found
        if provider == handle or handle not in sizes or provider not in sizes:
            return None
        column = self._source.keyed(name)
        if column is None:
            return None
        return waits(KeyFilter(*column, provider, provider_column), sizes[handle], sizes[provider])

    def _ask(self, condition: exp.Expr) -> tuple[Answer, Decision]:
        text = condition.sql(dialect="duckdb")
        reading = self._reader.read(condition)
        if reading.predicate is None:
            return Answer(Trust.UNKNOWN), Decision(text, False, reason=reading.reason)
        answer = self._source.answer(reading.predicate)
        if answer.sql is None:
            return answer, Decision(text, False, reason=answer.reason)
        is_exact = reading.is_whole and answer.trust is Trust.EXACT
        reason = None if is_exact else answer.reason or reading.reason
        return answer, Decision(text, True, is_exact, reason)
