"""Texts: what DuckDB's functions of texts are in Spark's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from dvt.federation.engines import spark_kinds as k
from dvt.federation.engines.spark_kinds import call, guarded, kind, refuse
from dvt.federation.engines.spark_numbers import as_text

# Letters whose other case is several letters, or depends on what stands beside them: Java writes these, DuckDB one.
_UPPER_TRAPS = "[\u00df\u0149\u01f0\u0390\u03b0\u0587\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17]"
_PLAIN_PATTERN = re.compile(r"\^?(?:(?:[A-Za-z0-9 _:/@%,;-]|\[\^?[A-Za-z0-9 _-]+\]|\((?!\?)|\)|\|)[*+?]?)*")
_LOWER_TRAPS = "[\u0130\u03a3]"


def _like(node: exp.Expr) -> exp.Expr | None:
    """In DuckDB a backslash is a character like others, unless ESCAPE names it."""
    if isinstance(node, exp.ILike):
        _check_case(node)
    if isinstance(node.parent, exp.Escape):
        return None
    pattern = node.expression
    if isinstance(pattern, exp.Literal):
        pattern.replace(exp.Literal.string(pattern.name.replace("\\", "\\\\")))
    else:
        backslash = exp.Literal.string("\\")
        pattern.replace(call("replace", pattern.copy(), backslash, exp.Literal.string("\\\\")))
    return None


def _check_case(node: exp.Expr) -> None:
    """Stop at letters of which the lower case is another there, where case does not matter."""
    value = node.this
    is_other = call("rlike", value.copy(), exp.Literal.string(_LOWER_TRAPS))
    value.replace(guarded(exp.Not(this=is_other), value.copy(), "a letter has another lower case in Spark"))


def _reverse(node: exp.Expr) -> exp.Expr | None:
    """DuckDB turns round what a reader takes for letters, Spark code points."""
    is_ascii = exp.EQ(this=call("octet_length", node.this.copy()), expression=call("char_length", node.this.copy()))
    return guarded(is_ascii, node.copy(), "reverse takes texts of ASCII")


def _split_part(node: exp.Expr) -> exp.Expr | None:
    delimiter = node.args["delimiter"]
    if not isinstance(delimiter, exp.Literal) or not delimiter.name:
        raise refuse(node, "it splits at a literal that is not empty only")
    return _counted_from_one("split_part")(node)


def _regexp(node: exp.Expr) -> exp.Expr | None:
    """Patterns that mean the same in RE2 and in Java."""
    pattern = node.expression
    if node.args.get("flag") or not isinstance(pattern, exp.Literal) or not _PLAIN_PATTERN.fullmatch(pattern.name):
        raise refuse(node, "it carries patterns of letters, digits, [classes], ( | ) and * + ? behind them only")
    return None


def _joined(node: exp.Expr) -> exp.Expr | None:
    """`||` of texts; of NULL it is NULL on both sides."""
    for side in (node.this, node.expression):
        if kind(side) != k.TEXT:
            side.replace(as_text(side))
    return None


def _concat(node: exp.Expr) -> exp.Expr | None:
    """`concat` leaves NULL out."""
    parts = [call("coalesce", as_text(part), exp.Literal.string("")) for part in node.expressions]
    return call("concat", *parts)


def _concat_ws(node: exp.Expr) -> exp.Expr | None:
    return call("concat_ws", *(as_text(part) for part in node.expressions))


def _upper(node: exp.Expr) -> exp.Expr | None:
    return _of_case(node, _UPPER_TRAPS)


def _lower(node: exp.Expr) -> exp.Expr | None:
    return _of_case(node, _LOWER_TRAPS)


def _of_case(node: exp.Expr, traps: str) -> exp.Expr:
    is_other = call("rlike", node.this.copy(), exp.Literal.string(traps))
    return guarded(exp.Not(this=is_other), node.copy(), "a letter has another upper or lower case in Spark")


def _counted_from_one(name: str) -> Callable[[exp.Expr], exp.Expr | None]:
    """Spark counts from places before the first one, and to lengths below zero, in other ways."""

    def rule(node: exp.Expr) -> exp.Expr | None:
        least = {"start": 1, "length": 0, "expression": 0, "part_index": 1}
        conditions = []
        for argument, number in least.items():
            value = node.args.get(argument)
            if value is None or (argument == "expression" and name not in ("left", "right")):
                continue
            if isinstance(value, exp.Literal) and value.is_int and int(value.name) >= number:
                continue
            conditions.append(exp.GTE(this=value.copy(), expression=exp.Literal.number(number)))
        if not conditions:
            return None
        return guarded(exp.and_(*conditions), node.copy(), f"{name} takes places from 1 and lengths from 0")

    return rule


def _chr(node: exp.Expr) -> exp.Expr | None:
    """A character by its number: a literal of it, where that is one of ASCII."""
    number = node.expressions[0] if len(node.expressions) == 1 else node
    if not isinstance(number, exp.Literal) or not number.is_int or not 0 < int(number.name) < 128:
        raise refuse(node, "it carries chr of a literal from 1 to 127 only")
    return exp.Literal.string(chr(int(number.name)))


def _length(node: exp.Expr) -> exp.Expr | None:
    if kind(node.this) not in (k.TEXT, k.UNKNOWN):
        raise refuse(node, "it carries the length of texts only")
    return None


def _trim(node: exp.Expr) -> exp.Expr | None:
    if node.args.get("collation"):
        raise refuse(node, "it carries no collations")
    return None


TEXTS: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Like: _like,
    exp.ILike: _like,
    exp.DPipe: _joined,
    exp.Concat: _concat,
    exp.ConcatWs: _concat_ws,
    exp.Upper: _upper,
    exp.Lower: _lower,
    exp.Substring: _counted_from_one("substring"),
    exp.Left: _counted_from_one("left"),
    exp.Right: _counted_from_one("right"),
    exp.SplitPart: _split_part,
    exp.Reverse: _reverse,
    exp.RegexpLike: _regexp,
    exp.Chr: _chr,
    exp.Length: _length,
    exp.Trim: _trim,
}
