"""Dates and moments: what DuckDB's arithmetic and parts of them are in Spark's words. Both sessions are in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from dvt.federation.engines import spark_kinds as k
from dvt.federation.engines.spark_kinds import call, cast, kind, refuse

_TRUNCATED = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
_PARTS = {
    "YEAR": "year",
    "QUARTER": "quarter",
    "MONTH": "month",
    "DAY": "day",
    "HOUR": "hour",
    "MINUTE": "minute",
    "SECOND": "second",
    "DOY": "dayofyear",
    "DAYOFYEAR": "dayofyear",
    "WEEK": "weekofyear",
}
_UNITS = frozenset({"YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"})
_FORMAT = re.compile(r"(?:%[YmdHMS]|[-/ :.,_])*")


def _difference(node: exp.Expr) -> exp.Expr | None:
    """`-`: days between dates; between moments it is an interval, which nothing takes on."""
    kinds = kind(node.this), kind(node.expression)
    if kinds == (k.DATE, k.DATE):
        days = call("datediff", node.this.copy(), node.expression.copy())
        days.type = exp.DataType.build("BIGINT")
        return days
    if kinds[0] in k.MOMENTS and kinds[1] in k.MOMENTS:
        raise refuse(node, "it carries no intervals between moments", "Use date_diff")
    return _moved(node)


def _moved(node: exp.Expr) -> exp.Expr | None:
    """A date and an interval give a timestamp."""
    kinds = kind(node.this), kind(node.expression)
    if k.INTERVAL not in kinds:
        return None
    if not set(kinds) & k.MOMENTS:
        raise refuse(node, "it carries intervals only where they are added to a date or a timestamp")
    made = node.copy()
    for side in (made.this, made.expression):
        if kind(side) == k.DATE:
            side.replace(cast(side.copy(), "TIMESTAMP"))
    made.type = exp.DataType.build("TIMESTAMPTZ" if k.INSTANT in kinds else "TIMESTAMP", dialect="duckdb")
    return made


def _interval(node: exp.Expr) -> exp.Expr | None:
    unit = (node.text("unit") or "").upper().removesuffix("S")
    if unit not in _UNITS or not isinstance(node.parent, (exp.Add, exp.Sub)):
        raise refuse(node, "it carries intervals of one unit, and only where they are added")
    amount = node.this.unnest()
    if isinstance(amount, exp.Neg):
        amount = exp.Literal.string(f"-{amount.this.name}") if isinstance(amount.this, exp.Literal) else amount
    if not isinstance(amount, exp.Literal) or not re.fullmatch(r"-?\d+", amount.name.strip()):
        raise refuse(node, "it carries intervals of a literal number of units only")
    return exp.Interval(this=exp.Literal.string(amount.name.strip()), unit=exp.var(unit))


def _truncated(node: exp.Expr) -> exp.Expr | None:
    unit = node.text("unit").upper()
    source = kind(node.this)
    if unit not in _TRUNCATED or source not in k.MOMENTS:
        raise refuse(node, f"it truncates dates and moments to {', '.join(sorted(_TRUNCATED)).lower()} only")
    value = node.this.copy()
    made = call("date_trunc", exp.Literal.string(unit), value)
    if source == k.INSTANT:
        made.type = exp.DataType.build("TIMESTAMPTZ", dialect="duckdb")
        return made
    return cast(made, "TIMESTAMP")


def _part(node: exp.Expr) -> exp.Expr | None:
    name = node.name.upper()
    value = node.expression
    if kind(value) not in k.MOMENTS:
        raise refuse(node, "it takes parts of dates and moments only")
    if name in ("DOW", "DAYOFWEEK", "DAYOFWEEK_ISO", "ISODOW"):
        return _weekday(value, is_iso="ISO" in name)
    if name not in _PARTS:
        raise refuse(node, f"it does not carry extract({name.lower()})")
    return call(_PARTS[name], value.copy())


def _weekday(value: exp.Expr, *, is_iso: bool) -> exp.Expr:
    """DuckDB's Sunday is 0, or 7; Spark's is 1, or its Monday is 0."""
    day = call("weekday", value.copy()) if is_iso else call("dayofweek", value.copy())
    one = exp.Literal.number(1)
    return exp.Paren(this=exp.Add(this=day, expression=one) if is_iso else exp.Sub(this=day, expression=one))


def _day_of_week(node: exp.Expr) -> exp.Expr | None:
    return _weekday(_moment(node), is_iso=False)


def _function(name: str) -> Callable[[exp.Expr], exp.Expr | None]:
    return lambda node: call(name, _moment(node).copy())


def _moment(node: exp.Expr) -> exp.Expr:
    value = node.this
    value = value.this if isinstance(value, exp.TsOrDsToDate) else value
    if kind(value) not in k.MOMENTS:
        raise refuse(node, "it takes parts of dates and moments only")
    found: exp.Expr = value
    return found


def _between(node: exp.Expr) -> exp.Expr | None:
    """`date_diff` counts the limits between two moments; Spark's own counts whole units."""
    unit, end, start = node.text("unit").upper() or "DAY", node.this, node.expression
    if not {kind(end), kind(start)} <= k.MOMENTS:
        raise refuse(node, "it takes the difference of dates and moments only")

    def day(value: exp.Expr) -> exp.Expr:
        return cast(value.copy(), "DATE")

    def difference(of: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        return exp.Paren(this=exp.Sub(this=of(end), expression=of(start)))

    def months(value: exp.Expr) -> exp.Expr:
        years = exp.Mul(this=call("year", value.copy()), expression=exp.Literal.number(12))
        return exp.Paren(this=exp.Add(this=years, expression=call("month", value.copy())))

    if unit == "DAY":
        return call("datediff", day(end), day(start))
    if unit == "MONTH":
        return difference(months)
    if unit == "YEAR":
        return difference(lambda value: call("year", value.copy()))
    raise refuse(node, "it counts days, months and years only")


def _formatted(node: exp.Expr) -> exp.Expr | None:
    given = node.args["format"]
    if not isinstance(given, exp.Literal) or kind(node.this) not in k.MOMENTS:
        raise refuse(node, "it formats dates and moments by a literal format only")
    if not _FORMAT.fullmatch(given.name):
        raise refuse(node, "it carries %Y %m %d %H %M %S of a format only")
    return None


TIMES: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Sub: _difference,
    exp.Add: _moved,
    exp.Interval: _interval,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Extract: _part,
    exp.DayOfWeek: _day_of_week,
    exp.Year: _function("year"),
    exp.Month: _function("month"),
    exp.Day: _function("day"),
    exp.Quarter: _function("quarter"),
    exp.Hour: _function("hour"),
    exp.Minute: _function("minute"),
    exp.DayOfYear: _function("dayofyear"),
    exp.Week: _function("weekofyear"),
    exp.WeekOfYear: _function("weekofyear"),
    exp.DateDiff: _between,
    exp.TimeToStr: _formatted,
}
