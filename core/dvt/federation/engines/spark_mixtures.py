"""Where values of several kinds meet: Spark makes numbers of texts, where DuckDB makes texts of numbers, or neither."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping

from sqlglot import exp

from dvt.federation.engines import spark_kinds as k
from dvt.federation.engines.spark_kinds import kind, refuse
from dvt.federation.engines.spark_numbers import check_singles

_REMEDY = "Cast one of them to the other's type"


def _compared(node: exp.Expr) -> exp.Expr | None:
    _check(node, (node.this, node.expression))
    return None


def _between(node: exp.Expr) -> exp.Expr | None:
    _check(node, (node.this, node.args["low"], node.args["high"]))
    return None


def _in(node: exp.Expr) -> exp.Expr | None:
    query = node.args.get("query")
    others = [query] if query is not None else node.expressions
    _check(node, (node.this, *others))
    return None


def _chosen(node: exp.Expr) -> exp.Expr | None:
    _check(node, (node.this, *node.expressions))
    return None


def _nullif(node: exp.Expr) -> exp.Expr | None:
    _check(node, (node.this, node.expression))
    return None


def _case(node: exp.Expr) -> exp.Expr | None:
    values = [branch.args["true"] for branch in node.args["ifs"]]
    _check(node, [*values, *([node.args["default"]] if node.args.get("default") else [])])
    if node.this is not None:
        _check(node, (node.this, *(branch.this for branch in node.args["ifs"])))
    return None


def _if(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node.parent, exp.Case):
        return None
    _check(node, [node.args["true"], *([node.args["false"]] if node.args.get("false") else [])])
    return None


def _set(node: exp.Expr) -> exp.Expr | None:
    """The columns of both sides; a literal is no exception here, for the text of one stays a text."""
    sides = (node.this.unnest().selects, node.expression.unnest().selects)
    for pair in zip(*sides, strict=False):
        if len({_family(each) for each in pair} - {""}) > 1:
            raise refuse(pair[0], "the two sides of a set operation have columns of different kinds", _REMEDY)
    return None


def _check(node: exp.Expr, values: Iterable[exp.Expr]) -> None:
    """Refuse what would be cast in another direction there; a literal takes the others' type on both sides."""
    found = list(values)
    if any(kind(value) == k.UUID for value in found):
        for value in found:
            _canonical(value)
    check_singles(node, found)
    families = {_family(value) for value in found if not _is_text_literal(value)} - {""}
    if len(families) > 1:
        raise refuse(node, f"it compares or mixes {' and '.join(sorted(families))} in another way", _REMEDY)


def _is_text_literal(value: exp.Expr) -> bool:
    plain = value.unnest()
    return isinstance(plain, exp.Literal) and plain.is_string


def _canonical(value: exp.Expr) -> None:
    """A UUID travels as its text: a literal is compared in the form that DuckDB would give it."""
    plain = value.unnest()
    if isinstance(plain, exp.Literal) and plain.is_string:
        try:
            plain.replace(exp.Literal.string(str(uuid.UUID(plain.name))))
        except ValueError:
            raise refuse(value, "it is compared with a UUID and is none") from None


def _family(value: exp.Expr) -> str:
    found = kind(value)
    if found in k.NUMBERS:
        return "numbers"
    if found in k.MOMENTS:
        return "dates"
    return "" if found in (k.NULL, k.UNKNOWN, k.OTHER) else found


MIXTURES: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), _compared),
    exp.Between: _between,
    exp.In: _in,
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), _chosen),
    exp.Nullif: _nullif,
    exp.Case: _case,
    exp.If: _if,
    **dict.fromkeys((exp.Union, exp.Except, exp.Intersect), _set),
}
