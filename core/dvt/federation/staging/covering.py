"""One read for several queries: the union of what they ask of their relations, where that moves less.

A query's own text runs over whatever arrives: rows and columns that only another query asked for are harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from dvt.federation.plan.model import ScanPlan
from dvt.federation.staging.address import ScanUnit, unit_of

Cost = Callable[[ScanPlan], float]
WithSql = Callable[[ScanPlan], ScanPlan]


def relation_key(scan: ScanPlan) -> tuple[Any, ...]:
    """Equal for scans that read one relation in one way, whatever they ask of it."""
    input_ = scan.input
    return (
        input_.relation,
        input_.block,
        repr(sorted(input_.declared.items())),
        repr(sorted(input_.file_options.items())),
    )


def covers(units: Sequence[ScanUnit], cost: Cost, with_sql: WithSql) -> Mapping[str, ScanUnit]:
    """For each unit's address the unit that is read in its place; those that are read as they are are left out.

    Units of one connection are put together two at a time, as long as that moves less.

    Args:
        units: Different ones.
        cost: About how many bytes a scan moves.
        with_sql: Gives a scan the statement that is sent for it.
    """
    groups: list[tuple[ScanUnit, list[ScanUnit]]] = [(unit, [unit]) for unit in units if _can_grow(unit)]
    found = True
    while found:
        found = False
        for i, (one, ones) in enumerate(groups):
            for j in range(i + 1, len(groups)):
                other, others = groups[j]
                both = _union(one, other, cost, with_sql)
                if both is not None:
                    groups[i] = both, [*ones, *others]
                    del groups[j]
                    found = True
                    break
            if found:
                break
    return {unit.address: whole for whole, parts in groups if len(parts) > 1 for unit in parts}


def _can_grow(unit: ScanUnit) -> bool:
    """Joins and keys of other relations belong to one query alone."""
    return not any(scan.input.block is not None or scan.key_filters for scan in unit.scans)


def _union(one: ScanUnit, other: ScanUnit, cost: Cost, with_sql: WithSql) -> ScanUnit | None:
    if one.connection.name != other.connection.name:
        return None
    left, right = ({relation_key(scan): scan for scan in unit.scans} for unit in (one, other))
    if not left.keys() & right.keys() or len(left) < len(one.scans) or len(right) < len(other.scans):
        return None
    scans = [with_sql(both(left[key], right[key])) if key in right else left[key] for key in left]
    scans += [right[key] for key in right if key not in left]
    apart = sum(map(cost, one.scans)) + sum(map(cost, other.scans))
    return unit_of(scans) if sum(map(cost, scans)) < apart else None


def both(one: ScanPlan, other: ScanPlan) -> ScanPlan:
    """The scan of all columns and rows that two scans of a relation ask for."""
    columns = None
    if one.columns is not None and other.columns is not None:
        columns = (*one.columns, *(name for name in other.columns if name not in one.columns))
    predicates: tuple[Any, ...] = ()
    if one.predicates and other.predicates:
        predicates = one.predicates
        if one.predicates != other.predicates:
            predicates = (exp.or_(exp.and_(*one.predicates), exp.and_(*other.predicates)),)
    limits = {one.limit, other.limit}
    is_one_limit = len(limits) == 1 and one.order == other.order and one.predicates == other.predicates
    return replace(
        one,
        columns=columns,
        predicates=predicates,
        limit=one.limit if is_one_limit else None,
        order=one.order if is_one_limit else (),
        reason=one.reason or other.reason if columns is None else "",
        decisions=tuple(dict.fromkeys((*one.decisions, *other.decisions))),
    )
