"""What engines say of digests and canonical texts, in DuckDB's words, where sqlglot has none for them."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

MOMENT, TIME_OF_DAY = "%Y-%m-%d %H:%M:%S.%f", "%H:%M:%S.%f"

_FORMATS = (
    *(("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S")),
    (".FF6", ".%f"),
)


def rewriting(of: Callable[[exp.Expr], exp.Expr]) -> Callable[[exp.Expr], exp.Expr]:
    """What changes a statement node by node; what is inside comes first."""

    def whole(tree: exp.Expr) -> exp.Expr:
        for node in [*tree.walk()][::-1]:
            if (said := of(node)) is not node:
                node.replace(said)
        return tree

    return whole


def number_of(digits: exp.Expr) -> exp.Expr:
    """The number that a text of hexadecimal digits stands for."""
    text = exp.Anonymous(this="concat", expressions=[exp.Literal.string("0x"), digits.copy()])
    return exp.cast(text, "BIGINT", dialect="duckdb")


def formatted(value: exp.Expr, format_: str) -> exp.Expr:
    """A moment by a format in DuckDB's words."""
    return exp.Anonymous(this="strftime", expressions=[value.copy(), exp.Literal.string(format_)])


def of_day(time: exp.Expr) -> exp.Expr:
    """A time of day with all its digits."""
    day = exp.cast(exp.Literal.string("2000-01-01"), "DATE", dialect="duckdb")
    return formatted(exp.Add(this=day, expression=time.copy()), TIME_OF_DAY)


def in_utc(value: exp.Expr) -> exp.Expr:
    """An instant as UTC's wall time."""
    return exp.Anonymous(this="timezone", expressions=[exp.Literal.string("UTC"), value.copy()])


def of_exasol(node: exp.Expr) -> exp.Expr:
    """Empty texts are NULL; TO_NUMBER is asked for hexadecimal digits, and CONVERT_TZ for UTC."""
    if isinstance(node, exp.Literal) and node.is_string and not node.this:
        return exp.Null()
    if isinstance(node, exp.ToNumber) and node.args.get("format"):
        return number_of(node.this)
    if isinstance(node, exp.ConvertTimezone):
        return in_utc(node.args["timestamp"])
    if isinstance(node, exp.ToChar) and node.args.get("format"):
        format_ = node.args["format"].name
        for own, duckdb in _FORMATS:
            format_ = format_.replace(own, duckdb)
        return formatted(node.this, format_)
    return node


def of_trino(node: exp.Expr) -> exp.Expr:
    """FROM_BASE, AT_TIMEZONE, and casts to text, which show all digits that a moment's type has."""
    if isinstance(node, exp.FromBase):
        return number_of(node.this)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "at_timezone":
        return in_utc(node.expressions[0])
    if isinstance(node, exp.Cast) and node.is_type(*exp.DataType.TEXT_TYPES) and isinstance(node.this, exp.Cast):
        if node.this.is_type(exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ):
            return formatted(node.this, MOMENT)
        if node.this.is_type(exp.DType.TIME):
            return of_day(node.this)
    return node


def of_postgres_kin(node: exp.Expr) -> exp.Expr:
    """ENCODE and TO_HEX of bytes, whose digits are lower-case, and TO_CHAR of times."""
    if isinstance(node, (exp.Encode, exp.Hex)):
        return exp.Anonymous(this="lower", expressions=[exp.Anonymous(this="hex", expressions=[node.this.copy()])])
    if isinstance(node, exp.TimeToStr) and node.args["format"].name == TIME_OF_DAY:
        return of_day(node.this)
    return node
