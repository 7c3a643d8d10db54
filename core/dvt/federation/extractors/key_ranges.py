"""Conditions over a key that cut a relation into parts: each row, also one whose key is NULL, is in exactly one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Final, TypeAlias

import pyarrow as pa
from sqlglot import exp

from dvt.federation.plan.answers import literal
from dvt.federation.plan.condition_reading import family_of
from dvt.federation.plan.predicates import Constant, Family

# A value of a key at which a part begins.
Mark: TypeAlias = int | Decimal | float | date | datetime

_COUNTED: Final = frozenset(
    {Family.INTEGER, Family.DECIMAL, Family.DOUBLE, Family.DATE, Family.TIMESTAMP, Family.INSTANT}
)


def can_be_key(type_: pa.DataType) -> bool:
    """Whether a column of a carried type can cut its relation."""
    return family_of(type_) in _COUNTED


def key_ranges(column: str, type_: pa.DataType, marks: Iterable[Mark], dialect: str) -> list[exp.Expr]:
    """Conditions that together hold every row exactly once.

    A row belongs to the last mark that its key reaches. Keys that reach none are in the first part: those before the
    first mark, NULL, and NaN where the source compares it as IEEE 754 does (it is in the last part where NaN is the
    largest value).

    Args:
        column: The key's name.
        type_: Its carried type, one that `can_be_key`.
        marks: Where parts begin, in any order and any number of times; NaN and infinity are none.
        dialect: sqlglot dialect of the source.

    Returns:
        One condition more than there are different marks; none where there are no marks: the whole is one part.
    """
    family = family_of(type_)
    reached = [_reached(column, mark, family, dialect) for mark in _ordered(marks)]
    if not reached:
        return []
    parts: list[exp.Expr] = []
    for number, begin in enumerate([None, *reached]):
        ends = [_before(end, family) for end in reached[number : number + 1]]
        if begin is not None:
            parts.append(exp.and_(begin.copy(), *ends))
        else:
            parts.append(exp.or_(*ends, exp.Is(this=reached[0].this.copy(), expression=exp.Null())))
    return parts


def _reached(column: str, mark: Mark, family: Family, dialect: str) -> exp.GTE:
    key = exp.column(exp.to_identifier(column, quoted=True))
    return exp.GTE(this=key, expression=literal(_constant(mark, family), dialect, family))


def _before(reached: exp.GTE, family: Family) -> exp.Expr:
    """The opposite of reaching a mark, for every key but NULL."""
    if family is Family.DOUBLE:  # a NaN is neither less nor more
        return exp.Not(this=exp.paren(reached.copy()))
    return exp.LT(this=reached.this.copy(), expression=reached.expression.copy())


def _ordered(marks: Iterable[Mark]) -> list[Mark]:
    return sorted({mark for mark in marks if _is_usable(mark)})


def _is_usable(mark: Mark) -> bool:
    if isinstance(mark, float):
        return math.isfinite(mark)
    if isinstance(mark, Decimal):
        return mark.is_finite()
    return True


def _constant(mark: Mark, family: Family) -> Constant:
    if isinstance(mark, datetime):
        is_instant = family is Family.INSTANT
        moment = mark.astimezone(timezone.utc) if is_instant else mark
        return Constant(family, f"{moment:%m-%d %H:%M:%S.%f}".join([f"{moment.year:04d}-", "+00" * is_instant]))
    if isinstance(mark, date):
        return Constant(family, mark.isoformat())
    if isinstance(mark, Decimal):
        return Constant(family, f"{mark:f}")
    return Constant(family, repr(mark) if isinstance(mark, float) else str(mark))
