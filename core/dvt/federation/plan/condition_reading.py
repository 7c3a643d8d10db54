"""From a condition in the query's words to a predicate, or to the reason why it is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pyarrow as pa
from sqlglot import exp

from dvt.federation.plan.constants import Constants
from dvt.federation.plan.predicates import (
    AllOf,
    AnyOf,
    ColumnComparison,
    Comparison,
    Constant,
    Family,
    NullTest,
    OneOf,
    Operator,
    Predicate,
    Prefix,
)
from dvt.federation.plan.reasons import Reason
from dvt.types.vocabulary import MICROS, MICROS_UTC, is_uuid

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: Operator.EQUAL,
    exp.NEQ: Operator.UNEQUAL,
    exp.LT: Operator.LESS,
    exp.LTE: Operator.LESS_EQUAL,
    exp.GT: Operator.GREATER,
    exp.GTE: Operator.GREATER_EQUAL,
}
_VALUES_AT_MOST = 1000
# Families whose columns are compared with each other for equality alone.
_ONLY_EQUAL = (Family.TEXT, Family.UUID, Family.BOOLEAN)
_INT64 = 2**63
_BOTH = frozenset({"this", "expression"})
# What each node may consist of: an argument that is not known could turn its meaning round, as NOT LIKE's does.
_PARTS: dict[type[exp.Expr], frozenset[str]] = {
    **dict.fromkeys((*_OPERATORS, exp.And, exp.Or, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like), _BOTH),
    exp.Paren: frozenset({"this"}),
    exp.Not: frozenset({"this"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Column: frozenset({"this", "table"}),
}


@dataclass(frozen=True)
class Reading:
    """What was understood of a condition.

    Args:
        predicate: True in every row in which the condition is; None when nothing was understood.
        is_whole: Whether it is true in no other row.
        reason: Why it is missing or not whole.
    """

    predicate: Predicate | None
    is_whole: bool = True
    reason: Reason | None = None


def family_of(type_: pa.DataType | None) -> Family:
    """The family of a column's carried type."""
    if type_ is None:
        return Family.OTHER
    for check, family in (
        (pa.types.is_integer, Family.INTEGER),
        (pa.types.is_decimal, Family.DECIMAL),
        (pa.types.is_float64, Family.DOUBLE),
        (pa.types.is_string, Family.TEXT),
        (pa.types.is_date32, Family.DATE),
        (pa.types.is_boolean, Family.BOOLEAN),
        (is_uuid, Family.UUID),
    ):
        if check(type_):
            return family
    return {MICROS: Family.TIMESTAMP, MICROS_UTC: Family.INSTANT}.get(type_, Family.OTHER)


class ConditionReader:
    """Reads conditions on one relation.

    Args:
        types: The relation's carried types, by lower-case name.
        constants: Works out constants.
    """

    def __init__(self, types: Mapping[str, pa.DataType], constants: Constants) -> None:
        self._types = types
        self._constants = constants

    def read(self, condition: exp.Expr, is_negated: bool = False) -> Reading:
        """What a condition, or its negation, says."""
        known = _PARTS.get(type(condition))
        if known is None or not {name for name, value in condition.args.items() if value} <= known:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        if isinstance(condition, exp.Paren):
            return self.read(condition.this, is_negated)
        if isinstance(condition, exp.Not):
            return self.read(condition.this, not is_negated)
        if isinstance(condition, (exp.And, exp.Or)):
            parts = [self.read(part, is_negated) for part in condition.flatten()]
            return _all(parts) if isinstance(condition, exp.And) is not is_negated else _any(parts)
        if isinstance(condition, exp.Between):
            low = exp.GTE(this=condition.this, expression=condition.args["low"])
            high = exp.LTE(this=condition.this, expression=condition.args["high"])
            parts = [self.read(part, is_negated) for part in (low, high)]
            return _any(parts) if is_negated else _all(parts)
        if type(condition) in _OPERATORS:
            return self._comparison(condition, is_negated)
        if isinstance(condition, exp.In):
            return self._in(condition, is_negated)
        if isinstance(condition, exp.Is):
            return self._is(condition, is_negated)
        if isinstance(condition, (exp.NullSafeEQ, exp.NullSafeNEQ)):
            return self._distinct(condition, isinstance(condition, exp.NullSafeNEQ) is not is_negated)
        if isinstance(condition, exp.Like):
            return self._like(condition, is_negated)
        if isinstance(condition, exp.Column):
            return self._truth(condition, not is_negated)
        return Reading(None, reason=Reason.NOT_COMPARABLE)

    def _family(self, node: exp.Expr) -> Family | None:
        """The family of a bare column, None for anything else."""
        node = node.unnest() if isinstance(node, exp.Paren) else node
        return family_of(self._types.get(node.name)) if isinstance(node, exp.Column) else None

    def _comparison(self, condition: exp.Expr, is_negated: bool) -> Reading:
        operator = _OPERATORS[type(condition)]
        left, right = (
            side.unnest() if isinstance(side, exp.Paren) else side for side in (condition.this, condition.expression)
        )
        if is_negated:
            operator = operator.negated
        if self._family(left) is None:
            left, right, operator = right, left, operator.mirrored
        family = self._family(left)
        if family is None:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        if self._family(right) is not None:
            return self._columns(left, operator, right)
        value = self._value(left.name, right, family)
        if value is None:
            return Reading(None, reason=Reason.NO_CONSTANT)
        if family is Family.INTEGER:
            return _of_integers(left.name, operator, value)
        if family is Family.BOOLEAN and operator not in (Operator.EQUAL, Operator.UNEQUAL):
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        return Reading(Comparison(left.name, operator, value))

    def _value(self, column: str, expression: exp.Expr, family: Family) -> Constant | None:
        value = self._constants.value(expression, family)
        is_number = value is not None and value.family is Family.DECIMAL
        if value is None or not is_number:
            return value
        return value if _is_compared_exactly(self._types[column], value.text) else None

    def _columns(self, left: exp.Expr, operator: Operator, right: exp.Expr) -> Reading:
        one, other = self._types.get(left.name), self._types.get(right.name)
        numbers = (Family.INTEGER, Family.DECIMAL)
        family = family_of(one)
        is_equality = operator in (Operator.EQUAL, Operator.UNEQUAL)
        ordered = (*numbers, Family.DATE, Family.TIMESTAMP, Family.INSTANT)
        is_alike = one == other and family in (*ordered, *(_ONLY_EQUAL if is_equality else ()))
        if not is_alike and not (family in numbers and family_of(other) in numbers):
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        return Reading(ColumnComparison(left.name, operator, right.name))

    def _in(self, condition: exp.In, is_negated: bool) -> Reading:
        family = self._family(condition.this)
        items = condition.expressions
        if family is None or not items or any(condition.args.get(key) for key in ("query", "unnest", "field")):
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        column = condition.this.unnest().name
        is_null = [isinstance(item, exp.Null) for item in items]
        if (is_negated and any(is_null)) or all(is_null) or len(items) > _VALUES_AT_MOST:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        values: list[Constant] = []
        for item, null in zip(items, is_null, strict=True):
            value = None if null else self._value(column, item, family)
            if value is None and not null:
                return Reading(None, reason=Reason.NO_CONSTANT)
            if family is Family.INTEGER and value is not None:
                number = Decimal(value.text)  # a remainder would be refused for more than 28 digits
                if not is_negated and number != number.to_integral_value():
                    continue  # it equals no integer
                value = whole_number(value)
                if value is None:
                    return Reading(None, reason=Reason.NO_CONSTANT)
            if value is not None:
                values.append(value)
        if not values:
            return Reading(None, reason=Reason.NO_CONSTANT)
        # The values are compared at one common type: of numbers all are exact, of texts all are texts.
        if len({value.family for value in values}) > 1:
            return Reading(None, reason=Reason.NO_CONSTANT)
        if is_negated:
            return Reading(AllOf(tuple(Comparison(column, Operator.UNEQUAL, value) for value in values)))
        return Reading(OneOf(column, tuple(values)))

    def _is(self, condition: exp.Is, is_negated: bool) -> Reading:
        column = condition.this.unnest() if isinstance(condition.this, exp.Paren) else condition.this
        if not isinstance(column, exp.Column) or column.name not in self._types:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        if isinstance(condition.expression, exp.Null):
            return Reading(NullTest(column.name, not is_negated))
        return Reading(None, reason=Reason.NOT_COMPARABLE)

    def _distinct(self, condition: exp.Expr, is_distinct: bool) -> Reading:
        as_equal = exp.EQ(this=condition.this, expression=condition.expression)
        found = self._comparison(as_equal, is_distinct)
        if not isinstance(found.predicate, Comparison):
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        if not is_distinct:
            return found
        return Reading(AnyOf((found.predicate, NullTest(found.predicate.column, True))))

    def _like(self, condition: exp.Like, is_negated: bool) -> Reading:
        pattern = condition.expression
        is_text = isinstance(pattern, exp.Literal) and pattern.is_string
        if is_negated or not is_text or self._family(condition.this) is not Family.TEXT or "\0" in pattern.name:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        column, text = condition.this.unnest().name, pattern.name
        if "\\" in text:  # whether it escapes is not worth knowing
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        fixed = text[: min((text.find(mark) for mark in "%_" if mark in text), default=len(text))]
        if fixed == text:
            return Reading(Comparison(column, Operator.EQUAL, Constant(Family.TEXT, text)))
        if not fixed:
            return Reading(NullTest(column, False), is_whole=text == "%", reason=Reason.PATTERN)
        return Reading(Prefix(column, fixed), is_whole=text == fixed + "%", reason=Reason.PATTERN)

    def _truth(self, column: exp.Column, wanted: bool) -> Reading:
        if self._family(column) is not Family.BOOLEAN:
            return Reading(None, reason=Reason.NOT_COMPARABLE)
        value = Constant(Family.BOOLEAN, "true" if wanted else "false")
        return Reading(Comparison(column.name, Operator.EQUAL, value))


def _of_integers(column: str, operator: Operator, value: Constant) -> Reading:
    """A comparison of an integer with a number; one with a fraction becomes one with the next integer.

    SQLite compares an integer with a fraction as floats.
    """
    whole = whole_number(value)
    if whole is not None:
        return Reading(Comparison(column, operator, whole))
    number = Decimal(value.text)
    downward = operator in (Operator.LESS, Operator.LESS_EQUAL)
    if not downward and operator not in (Operator.GREATER, Operator.GREATER_EQUAL):
        return Reading(None, reason=Reason.NO_CONSTANT)
    rounded = number.to_integral_value(ROUND_FLOOR if downward else ROUND_CEILING)
    nearest = whole_number(Constant(value.family, f"{rounded:f}"))
    if nearest is None:
        return Reading(None, reason=Reason.NO_CONSTANT)
    return Reading(Comparison(column, Operator.LESS_EQUAL if downward else Operator.GREATER_EQUAL, nearest))


def whole_number(value: Constant) -> Constant | None:
    """A number without its zero fraction; None when it has another one, or more than 64 bits."""
    number = Decimal(value.text)
    is_whole = number == number.to_integral_value() and -_INT64 <= number < _INT64
    return Constant(value.family, f"{number.to_integral_value():f}") if is_whole else None


def _is_compared_exactly(type_: pa.DataType, number: str) -> bool:
    """Whether a decimal of at most 38 digits, the engine's widest, holds both a column's values and a number."""
    whole, _, fraction = number.lstrip("-").partition(".")
    column_whole = type_.precision - type_.scale if pa.types.is_decimal(type_) else 20
    column_fraction = type_.scale if pa.types.is_decimal(type_) else 0
    return bool(max(len(whole), column_whole) + max(len(fraction), column_fraction) <= 38)


def _all(parts: list[Reading]) -> Reading:
    kept = tuple(part.predicate for part in parts if part.predicate is not None)
    reason = next((part.reason for part in parts if part.reason is not None), None)
    if not kept:
        return Reading(None, reason=reason)
    is_whole = len(kept) == len(parts) and all(part.is_whole for part in parts)
    return Reading(kept[0] if len(kept) == 1 else AllOf(kept), is_whole, reason)


def _any(parts: list[Reading]) -> Reading:
    reason = next((part.reason for part in parts if part.reason is not None), None)
    kept = tuple(part.predicate for part in parts if part.predicate is not None)
    if len(kept) < len(parts):
        return Reading(None, reason=reason)
    return Reading(AnyOf(kept), all(part.is_whole for part in parts), reason)
