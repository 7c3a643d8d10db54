"""Expressions that are worked out from one row by itself, always alike."""

from __future__ import annotations

from sqlglot import exp

# Functions by sqlglot's classes. What is not listed may be an aggregate, give several rows, or change by the call.
_FUNCTIONS: tuple[type[exp.Expr], ...] = (
    *(exp.And, exp.Or, exp.Not, exp.Cast, exp.TryCast, exp.Coalesce, exp.Case, exp.If, exp.Nullif),
    *(exp.Extract, exp.TimestampTrunc, exp.DateTrunc, exp.Year, exp.Month, exp.Day, exp.Upper, exp.Lower, exp.Trim),
    *(exp.Abs, exp.Round, exp.Concat, exp.Substring, exp.Length, exp.Greatest, exp.Least),
    *(exp.RegexpLike, exp.StartsWith, exp.Like, exp.ILike, exp.Pow, exp.Sign),
)
_NEVER = (exp.Query, exp.Window, exp.Unnest, exp.Columns, exp.Lambda, exp.Pivot)


def is_rowwise(expression: exp.Expr) -> bool:
    """Whether an expression has one value for a row, whatever other rows there are.

    >>> from sqlglot import parse_one
    >>> is_rowwise(parse_one("upper(a) || b")), is_rowwise(parse_one("sum(a)")), is_rowwise(parse_one("random()"))
    (True, False, False)
    """
    return all(is_harmless(node) for node in expression.walk()) and not expression.find(exp.AggFunc)


def is_harmless(node: exp.Expr) -> bool:
    """Whether a node is a known aggregate, or keeps an expression to its own row."""
    if isinstance(node, _NEVER):
        return False
    return not isinstance(node, exp.Func) or isinstance(node, (exp.AggFunc, *_FUNCTIONS))
