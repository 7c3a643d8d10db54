"""Conditions of a scan over Arrow data: rows that stay, and row groups that need not be read.

The nodes are those that `plan/answers.py` makes, and no others: an engine without SQL has to understand each of them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from dvt.errors import InternalError

# A column as an array of one batch, or as a field of an expression: Arrow's functions take both.
Values = Any
Columns = Callable[[str], Values]

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_equal",
    exp.GT: "greater",
    exp.GTE: "greater_equal",
}
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)( \(BC\))?(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?( \(BC\))?(?:\+00)?")
_MICROS_A_DAY = 86_400_000_000
_EPOCH = dt.date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS = 146_097


@dataclass(frozen=True)
class Condition:
    """One condition.

    Args:
        columns: Names of the columns that it is about.
        build: From columns to what says in which rows it is true: a mask, or an expression.
    """

    columns: frozenset[str]
    build: Callable[[Columns], Values]


def conditions_of(predicates: Sequence[exp.Expr], types: Mapping[str, pa.DataType]) -> list[Condition]:
    """What a scan request asks for.

    Args:
        predicates: All have to be true.
        types: Carried types of the relation's columns.

    Raises:
        InternalError: The planner sent what files do not answer.
    """
    parts = [part for predicate in predicates for part in _parts(predicate)]
    return [
        Condition(frozenset(column.name for column in part.find_all(exp.Column)), _reading(part, types))
        for part in parts
    ]


def filtered(batch: pa.RecordBatch, conditions: Sequence[Condition]) -> pa.RecordBatch:
    """The rows in which all conditions are true, of a batch with all columns that they are about."""
    for condition in conditions:
        if batch.num_rows == 0:
            break
        batch = batch.filter(condition.build(batch.column))
    return batch


def as_expression(conditions: Sequence[Condition]) -> pc.Expression | None:
    """All conditions as one Arrow expression; None when there are none."""
    found = None
    for condition in conditions:
        part = condition.build(pc.field)
        found = part if found is None else found & part
    return found


def _parts(predicate: exp.Expr) -> list[exp.Expr]:
    if isinstance(predicate, exp.Paren):
        return _parts(predicate.this)
    if isinstance(predicate, exp.And):
        return [*_parts(predicate.this), *_parts(predicate.expression)]
    return [predicate]


def _reading(node: exp.Expr, types: Mapping[str, pa.DataType]) -> Callable[[Columns], Values]:
    if isinstance(node, exp.Paren):
        return _reading(node.this, types)
    if isinstance(node, (exp.And, exp.Or)):
        left, right = _reading(node.this, types), _reading(node.expression, types)
        if isinstance(node, exp.And):
            return lambda columns: pc.and_kleene(left(columns), right(columns))
        return lambda columns: pc.or_kleene(left(columns), right(columns))
    if isinstance(node, exp.Not) and isinstance(node.this, exp.Is):
        name = _null_tested(node.this)
        return lambda columns: pc.is_valid(columns(name))
    if isinstance(node, exp.Is):
        name = _null_tested(node)
        return lambda columns: pc.is_null(columns(name))
    if type(node) in _COMPARISONS:
        return _comparison(node, types)
    if isinstance(node, exp.In) and node.expressions:
        return _one_of(node, types)
    if isinstance(node, exp.Escape):
        return _prefix(node)
    raise _not_understood(node)


def _null_tested(node: exp.Is) -> str:
    if not isinstance(node.expression, exp.Null):
        raise _not_understood(node)
    return _name(node.this)


def _comparison(node: exp.Expr, types: Mapping[str, pa.DataType]) -> Callable[[Columns], Values]:
    name = _name(node.this)
    type_ = types[name]
    if pa.types.is_date32(type_):
        return _compared_date(type(node), name, _micros(node.expression))
    compare = getattr(pc, _COMPARISONS[type(node)])
    wide, value = _constant(node.expression, type_)
    if wide == type_:
        return lambda columns: compare(columns(name), value)
    return lambda columns: compare(columns(name).cast(wide), value)


def _compared_date(kind: type[exp.Expr], name: str, micros: int) -> Callable[[Columns], Values]:
    """A date is compared with a moment as the midnight at its beginning."""
    days, rest = divmod(micros, _MICROS_A_DAY)
    day = pa.scalar(days, pa.int32()).cast(pa.date32())
    if rest and kind in (exp.EQ, exp.NEQ):  # no date is that moment; a NULL still is neither
        is_true = pa.scalar(kind is exp.NEQ)
        return lambda columns: pc.and_kleene(pc.is_valid(columns(name)), is_true)
    if rest:  # up to that day, or after it
        kind = exp.LTE if kind in (exp.LT, exp.LTE) else exp.GT
    compare = getattr(pc, _COMPARISONS[kind])
    return lambda columns: compare(columns(name), day)


def _one_of(node: exp.In, types: Mapping[str, pa.DataType]) -> Callable[[Columns], Values]:
    """One search in a set; a value that the column cannot hold is in no row."""
    name = _name(node.this)
    type_ = types[name]
    if pa.types.is_date32(type_):
        moments = [divmod(_micros(item), _MICROS_A_DAY) for item in node.expressions]
        values = pa.array([days for days, rest in moments if not rest], pa.int32()).cast(type_)
    elif pa.types.is_timestamp(type_):
        values = pa.array([_micros(item) for item in node.expressions], pa.int64()).cast(type_)
    else:
        found = [_constant(item, type_) for item in node.expressions]
        values = pa.array([value.as_py() for wide, value in found if wide == type_], type_)
    return lambda columns: pc.is_in(columns(name), value_set=values)


def _prefix(node: exp.Escape) -> Callable[[Columns], Values]:
    like, mark = node.this, node.expression
    if not isinstance(like, exp.Like) or not _is_text(mark) or not _is_text(like.expression):
        raise _not_understood(node)
    escape, pattern = mark.name, like.expression.name
    fixed = re.sub(re.escape(escape) + "(.)", r"\1", pattern[:-1], flags=re.DOTALL)
    bare = re.sub(re.escape(escape) + ".", "", pattern[:-1], flags=re.DOTALL)
    if not pattern.endswith("%") or re.search(f"[%_{re.escape(escape)}]", bare):
        raise _not_understood(node)
    name = _name(like.this)
    return lambda columns: pc.starts_with(columns(name), pattern=fixed)


def _name(node: exp.Expr) -> str:
    if not isinstance(node, exp.Column) or node.table:
        raise _not_understood(node)
    return node.name


def _constant(node: exp.Expr, type_: pa.DataType) -> tuple[pa.DataType, pa.Scalar]:
    """A constant, and the type in which a column of a type is compared with it."""
    if pa.types.is_string(type_) and _is_text(node):
        return type_, pa.scalar(node.name, type_)
    if pa.types.is_boolean(type_) and isinstance(node, exp.Boolean):
        return type_, pa.scalar(bool(node.this), type_)
    if pa.types.is_timestamp(type_):
        return type_, pa.scalar(_micros(node), pa.int64()).cast(type_)
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return _number(node, type_)
    raise _not_understood(node)


def _number(node: exp.Expr, type_: pa.DataType) -> tuple[pa.DataType, pa.Scalar]:
    is_negative = isinstance(node, exp.Neg)
    literal = node.this if is_negative else node
    if not isinstance(literal, exp.Literal) or literal.is_string:
        raise _not_understood(node)
    value = Decimal(f"-{literal.name}" if is_negative else literal.name)
    try:
        if pa.types.is_decimal(type_):
            return type_, pa.scalar(value, type_)
        if value == value.to_integral_value():
            return type_, pa.scalar(int(value), type_)
    except (pa.ArrowInvalid, OverflowError):
        pass  # the column holds no such number; it is still larger or smaller than others
    digits = -int(value.as_tuple().exponent)
    scale = max(digits, type_.scale if pa.types.is_decimal(type_) else 0)
    wide = pa.decimal256(76, scale)
    return wide, pa.scalar(value, wide)


def _micros(node: exp.Expr) -> int:
    """Microseconds since 1970 of a date or a moment, as DuckDB writes it; any year."""
    text = node.this.name if isinstance(node, exp.Cast) and _is_text(node.this) else ""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise _not_understood(node)
    year, month, day = (int(found[index]) for index in (1, 2, 3))
    if found[4] or found[9]:
        year = 1 - year
    cycles, year = divmod(year, 400)
    days = dt.date(year + 400, month, day).toordinal() - _EPOCH + (cycles - 1) * _DAYS_IN_400_YEARS
    hour, minute, second = (int(found[index] or 0) for index in (5, 6, 7))
    fraction = int((found[8] or "").ljust(6, "0"))
    return days * _MICROS_A_DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _not_understood(node: exp.Expr) -> InternalError:
    return InternalError(f"files were asked for {node.sql(dialect='duckdb')}", phase="extract", remedy="Report it")
