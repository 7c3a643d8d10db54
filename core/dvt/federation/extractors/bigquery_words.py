"""Conditions in BigQuery's words: a constant is of the type of the column that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

_INT64 = range(-(2**63), 2**63)
_TIMESTAMPS = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ)


def in_words(predicate: exp.Expr, fields: Mapping[str, Any]) -> exp.Expr:
    """A condition of the planner as BigQuery means it.

    A bare number with a point is a FLOAT64 there, and a larger one than INT64 none at all; TIMESTAMP is an instant and
    no DATETIME; LIKE has no ESCAPE; an array is never NULL when it is read.

    Args:
        predicate: The condition.
        fields: The client's `SchemaField` of each column, by name.
    """
    return predicate.copy().transform(lambda node: _word(node, fields))


def _word(node: exp.Expr, fields: Mapping[str, Any]) -> exp.Expr:
    if isinstance(node, exp.Escape) and isinstance(node.this, exp.Like):
        mark, pattern = node.expression.this, node.this.expression.this
        start = _unescaped(pattern.removesuffix("%"), mark)
        return exp.StartsWith(this=node.this.this, expression=exp.Literal.string(start))
    if isinstance(node, exp.Literal) and not node.is_string and not _is_int64(node):
        return exp.Cast(this=exp.Literal.string(node.this), to=exp.DataType(this=exp.DType.BIGDECIMAL))
    if isinstance(node, exp.Is) and isinstance(node.this, exp.Column):
        field = fields.get(node.this.name)
        return exp.false() if field is not None and field.mode == "REPEATED" else node
    if isinstance(node, exp.Cast) and node.to.this in _TIMESTAMPS and _is_beside_datetime(node, fields):
        return exp.Cast(this=node.this, to=exp.DataType(this=exp.DType.DATETIME))
    return node


def _is_int64(number: exp.Literal) -> bool:
    text = str(number.this)
    sign = -1 if isinstance(number.parent, exp.Neg) else 1
    return text.isdigit() and sign * int(text) in _INT64


def _is_beside_datetime(node: exp.Expr, fields: Mapping[str, Any]) -> bool:
    around = node.parent
    columns = around.find_all(exp.Column) if isinstance(around, (exp.Binary, exp.In)) else ()
    return any(getattr(fields.get(column.name), "field_type", "") == "DATETIME" for column in columns)


def _unescaped(pattern: str, mark: str) -> str:
    letters, plain = iter(pattern), []
    for letter in letters:
        plain.append(next(letters, "") if letter == mark else letter)
    return "".join(plain)
