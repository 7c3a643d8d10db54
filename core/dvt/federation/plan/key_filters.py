"""Semi-join reduction: the distinct keys of a small relation filter a large one at its source.

Where an equality joins two relations, a row of the one whose key the other has not is not needed. The planner writes
that as a condition on a marker, `key = dvt_keys(relation, column)`, which travels like every other condition. When the
small relation has arrived, its keys take the marker's place. Which relation is small the sources' figures tell; where
these do not, a sample of it, which is taken when the query runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from dvt.federation.engines.base import Handle
from dvt.federation.plan.predicates import Family

# Above, a list in a statement costs a source more than the rows that it saves.
MOST_KEYS = 5_000
_MARKER = "dvt_keys"
# A relation waits for another one only if that is so much smaller.
_RATIO = 4
FAMILIES = (Family.INTEGER, Family.DECIMAL, Family.TEXT, Family.DATE)


@dataclass(frozen=True)
class KeyFilter:
    """Rows are needed only with a key that another relation has.

    Args:
        column: The column, as the relation has it.
        family: Its family.
        provider: The other relation.
        provider_column: The key there, in lower case.
        rows: About how many rows the relation has; None when its source does not say.
        provider_rows: As many has the other one.
        is_sampled: Whether a sample decides that the keys are waited for.
    """

    column: str
    family: Family
    provider: Handle
    provider_column: str
    rows: int | None = None
    provider_rows: int | None = None
    is_sampled: bool = False


@dataclass(frozen=True)
class Size:
    """What is known of a relation before it is read.

    Args:
        rows: About how many it has; None when its source does not say.
        is_filtered: Whether the query leaves some of them out.
    """

    rows: int | None = None
    is_filtered: bool = False


def marked(column: exp.Expr, provider: Handle, provider_column: str) -> exp.Expr:
    """The condition that a column is one of another relation's keys."""
    parts = (provider.catalog, provider.schema, provider.name, provider_column)
    marker = exp.Anonymous(this=_MARKER, expressions=[exp.Literal.string(part) for part in parts])
    return exp.EQ(this=column, expression=marker)


def marker_of(condition: exp.Expr) -> tuple[str, Handle, str] | None:
    """The column, the provider and its column, of a condition that is a marker."""
    if not isinstance(condition, exp.EQ) or not isinstance(condition.expression, exp.Anonymous):
        return None
    if condition.expression.this != _MARKER or not isinstance(condition.this, exp.Column):
        return None
    catalog, schema, name, column = (part.name for part in condition.expression.expressions)
    return condition.this.name, Handle(catalog, schema, name), column


def waits(key: KeyFilter, size: Size, provider: Size) -> KeyFilter | None:
    """The filter, if its relation is to wait, with whether a sample has the last word; None if it never is.

    A relation of which few rows are known to exist needs no sample, and one that is read whole and is not so much
    smaller is not worth one.

    >>> key = KeyFilter("k", Family.INTEGER, Handle("crm", "public", "regions"), "id")
    >>> waits(key, Size(1_000_000), Size(50)).is_sampled, waits(key, Size(1_000_000), Size(200_000)).is_sampled
    (False, True)
    >>> waits(key, Size(100), Size(50)), waits(key, Size(100), Size(90_000, is_filtered=True))
    (None, None)
    >>> waits(key, Size(1_000_000), Size(1_000_000, is_filtered=True)).is_sampled, waits(key, Size(), Size()).is_sampled
    (True, True)
    """
    found = replace(key, rows=size.rows, provider_rows=provider.rows)
    if size.rows is not None and size.rows < _RATIO:
        return None
    if provider.rows is not None and provider.rows <= MOST_KEYS and size.rows is not None:
        return found if is_worth_waiting(size.rows, provider.rows) else None
    is_small = size.rows is not None and size.rows <= MOST_KEYS
    may_be_less = provider.is_filtered or provider.rows is None or size.rows is None
    if is_small or not (may_be_less or is_worth_waiting(size.rows, provider.rows)):
        return None
    return replace(found, is_sampled=True)


def is_worth_waiting(rows: int | None, provider_rows: int | None) -> bool:
    """Whether a relation of so many rows waits for another one. It never goes both ways, nor round in a circle.

    >>> is_worth_waiting(1_000_000, 50), is_worth_waiting(1_000_000, None), is_worth_waiting(100, 50)
    (True, False, False)
    """
    return rows is not None and provider_rows is not None and max(provider_rows, 1) * _RATIO <= rows


def levels(waits: Mapping[Handle, Iterable[Handle]]) -> dict[Handle, int]:
    """The order of reading: 0 for a relation that waits for none, else one more than the last it waits for."""
    found: dict[Handle, int] = {}

    def level(handle: Handle) -> int:
        if handle not in found:
            found[handle] = 1 + max((level(provider) for provider in waits.get(handle, ())), default=-1)
        return found[handle]

    for handle in waits:
        level(handle)
    return found
