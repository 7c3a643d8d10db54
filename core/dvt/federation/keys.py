"""The keys of a relation that has arrived, as a condition for another one that is still at its source."""

from __future__ import annotations

import re
from decimal import Decimal

from sqlglot import exp

from dvt.federation.engines.base import BaseEngine
from dvt.federation.plan.answers import literal
from dvt.federation.plan.key_filters import MOST_KEYS, KeyFilter
from dvt.federation.plan.predicates import Constant, Family
from dvt.identifiers import Relation, quote

# Not infinity, and no year that a literal cannot hold.
_DATE = re.compile(r"^\d{4}-\d\d-\d\d$")


def keys_predicate(engine: BaseEngine, key: KeyFilter, dialect: str) -> exp.Expr | None:
    """The condition that a column is one of the provider's keys; None when these are too many.

    Args:
        engine: Holds the provider.
        key: Whose keys, and for which column.
        dialect: sqlglot dialect of the source that is asked.
    """
    column = quote(key.provider_column, "duckdb")
    provider = Relation(key.provider.name, key.provider.schema, key.provider.catalog).sql("duckdb")
    what = ["select distinct cast(", column, "as varchar) as k from", provider]
    sql = " ".join([*what, "where", column, f"is not null limit {MOST_KEYS + 1:d}"])
    with engine.look_up(sql) as stream:
        values = [row["k"] for row in stream]
    if len(values) > MOST_KEYS:
        return None
    if key.family is Family.INTEGER:
        values = [whole for value in values if (whole := _whole(value)) is not None]
    if not values:
        is_null = exp.Is(this=exp.column(exp.to_identifier(key.column, quoted=True)), expression=exp.Null())
        return exp.and_(is_null, exp.Not(this=is_null.copy()))  # no row at all, in words that every source knows
    constants = [_constant(value, key.family) for value in values]
    if any(constant is None for constant in constants):
        return None
    items = [literal(constant, dialect) for constant in constants if constant is not None]
    return exp.In(this=exp.column(exp.to_identifier(key.column, quoted=True)), expressions=items)


def _whole(text: str) -> str | None:
    """A number as a column of integers may hold it; None for one that equals none of them.

    Some sources take a number with a point for a float, or refuse one of more than 64 bits.
    """
    number = Decimal(text)
    is_whole = number.is_finite() and number == number.to_integral_value() and -(2**63) <= number < 2**64
    return f"{number.to_integral_value():f}" if is_whole else None


def _constant(text: str, family: Family) -> Constant | None:
    """A key as a constant; None for what has no literal in every engine."""
    if family in (Family.INTEGER, Family.DECIMAL):
        return Constant(Family.DECIMAL, text)
    if family is Family.DATE and not _DATE.match(text):
        return None
    return Constant(family, text) if "\0" not in text else None
