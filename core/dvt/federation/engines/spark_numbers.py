"""Numbers: what DuckDB's arithmetic, casts and aggregates are in Spark's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlglot import exp

from dvt.federation.engines import spark_kinds as k
from dvt.federation.engines.spark_kinds import call, cast, guarded, is_single, kind, refuse

_INFINITY = exp.cast(exp.Literal.string("Infinity"), exp.DType.DOUBLE)
# Floats beyond it are whole; Spark makes eight bytes of what it rounds, and cuts without a word.
_WHOLE_FROM = exp.Literal.number("9000000000000000")
_AS_INTEGER = frozenset(
    {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128}
    | {exp.DType.UTINYINT, exp.DType.USMALLINT, exp.DType.UINT, exp.DType.UBIGINT, exp.DType.UINT128}
)
# Spark has no unsigned integers and none of 16 bytes.
_WIDER = {
    exp.DType.INT128: "DECIMAL(38, 0)",
    exp.DType.UINT128: "DECIMAL(38, 0)",
    exp.DType.UBIGINT: "DECIMAL(20, 0)",
    exp.DType.UINT: "BIGINT",
    exp.DType.USMALLINT: "INT",
    exp.DType.UTINYINT: "SMALLINT",
}
_CAST_TO = frozenset(
    {*_AS_INTEGER, exp.DType.DECIMAL, exp.DType.FLOAT, exp.DType.DOUBLE, exp.DType.BOOLEAN, exp.DType.DATE}
    | {exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ, exp.DType.TEXT, exp.DType.VARCHAR}
)
_TEXT_TYPES = (exp.DType.TEXT, exp.DType.VARCHAR)


def divisions(root: exp.Expr) -> None:
    """`/` is of floats, whatever is divided; by zero it gives an infinity or NaN, where Spark stops."""
    for node in reversed(list(root.find_all(exp.Div))):
        left, right = cast(node.this.copy(), "DOUBLE"), cast(node.expression.copy(), "DOUBLE")
        divided = exp.Div(this=left, expression=right, typed=True)
        divisor = node.expression.unnest()
        divisor = divisor.this if isinstance(divisor, exp.Cast) else divisor
        if isinstance(divisor, exp.Literal) and divisor.is_number and float(divisor.name) != 0:
            node.replace(exp.Paren(this=divided))
            continue
        is_zero = exp.EQ(this=right.copy(), expression=exp.Literal.number(0))
        by_zero = exp.Mul(this=left.copy(), expression=_INFINITY.copy())
        node.replace(exp.Case().when(is_zero, by_zero).else_(divided))


def _int_div(node: exp.Expr) -> exp.Expr | None:
    if {kind(node.this), kind(node.expression)} != {k.INTEGER}:
        raise refuse(node, "it carries // of whole numbers only", "Use floor(a / b), or cast both sides to integers")
    return None


def _cast(node: exp.Expr) -> exp.Expr | None:
    to, source = node.args["to"], kind(node.this)
    if to.this not in _CAST_TO:
        raise refuse(node, f"it does not carry casts to {to.sql('duckdb')}")
    if to.this in _TEXT_TYPES:
        return as_text(node.this)
    value = node.this
    if to.this in _AS_INTEGER:
        if source in (k.UNKNOWN, k.OTHER):
            raise refuse(node, "the type of what is cast is not known")
        if source == k.FLOAT:
            value = call("rint", value.copy())  # DuckDB rounds, to the even one in the middle
        elif source == k.DECIMAL:
            value = call("round", value.copy())  # and decimals away from zero
    elif to.this is exp.DType.DECIMAL and source == k.FLOAT:
        if is_single(value):
            raise refuse(node, "it makes decimals of floats of eight bytes only", "Cast it to double first")
        value = _as_decimal(value, int(to.expressions[1].name) if len(to.expressions) > 1 else 3)
    if to.this is exp.DType.DATE and source == k.INSTANT:
        value = cast(value.copy(), "TIMESTAMP")
    made = exp.Cast(this=value, to=exp.DataType.build(_WIDER.get(to.this, to), dialect="duckdb"))
    made.type = to.copy()
    return made


def as_text(value: exp.Expr) -> exp.Expr:
    """The text of a value, as DuckDB writes it.

    Raises:
        UnsupportedError: Spark writes it in another way.
    """
    source = kind(value)
    if source in (k.TEXT, k.NULL, k.UUID, k.JSON):
        return value.copy()
    if source == k.FLOAT:
        raise refuse(value, "the text of a float has other digits there", "Cast it to a decimal first")
    if source not in (k.INTEGER, k.DECIMAL, k.BOOLEAN, k.DATE, k.TIMESTAMP, k.INSTANT):
        raise refuse(value, "the text of such a value is not known to be the same there")
    made = cast(value.copy(), "TEXT")
    if source == k.INSTANT:
        made = exp.DPipe(this=made, expression=exp.Literal.string("+00"))
        made.type = exp.DataType.build("TEXT")
    return made


def _sum(node: exp.Expr) -> exp.Expr | None:
    """A sum of whole numbers has 38 digits, as in DuckDB; in Spark it would have eight bytes."""
    value = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if kind(value) == k.BOOLEAN:
        value = value.replace(cast(value.copy(), "INT"))
    if kind(value) in (k.INTEGER, k.BOOLEAN):
        value.replace(cast(value.copy(), "DECIMAL(38, 0)"))
        node.type = exp.DataType.build("INT128", dialect="duckdb")
    return None


def _avg(node: exp.Expr) -> exp.Expr | None:
    """The average of exact numbers is their exact sum, divided once; the whole `avg(x) filter (...) over (...)`."""
    outer = node
    while isinstance(outer.parent, (exp.Filter, exp.Window)) and outer.parent.this is outer:
        outer = outer.parent
    value = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if kind(value) not in (k.INTEGER, k.DECIMAL):
        return None
    exact: exp.Expr = exp.Sum(this=node.this.copy())
    if kind(value) == k.INTEGER:
        inner = exact.this.expressions[0] if isinstance(exact.this, exp.Distinct) else exact.this
        inner.replace(cast(inner.copy(), "DECIMAL(38, 0)"))
    parts = []
    for part in (exact, exp.Count(this=node.this.copy(), big_int=True)):
        whole = outer.copy()
        if outer is node:
            whole = part
        else:
            next(found for found in whole.find_all(exp.Avg) if _is_at(found, whole)).replace(part)
        parts.append(cast(whole, "DOUBLE"))
    made = call("try_divide", *parts)
    made.type = exp.DataType.build("DOUBLE")
    if outer is node:
        return made
    outer.replace(made)
    return None


def _is_at(node: exp.Expr, whole: exp.Expr) -> bool:
    """Whether a node is the function of a chain of FILTER and OVER, and not within their conditions."""
    while node is not whole:
        if node.parent is None or node.parent.this is not node:
            return False
        node = node.parent
    return True


def _rounded(node: exp.Expr) -> exp.Expr | None:
    """`floor` and `ceil` of a float stay floats."""
    if kind(node.this) != k.FLOAT:
        return None
    is_small = exp.LT(this=exp.Abs(this=node.this.copy()), expression=_WHOLE_FROM.copy())
    return exp.Case().when(is_small, cast(node.copy(), "DOUBLE")).else_(node.this.copy())


def _ln(node: exp.Expr) -> exp.Expr | None:
    is_positive = exp.GT(this=node.this.copy(), expression=exp.Literal.number(0))
    return guarded(is_positive, node.copy(), "ln takes numbers above zero")


def _round(node: exp.Expr) -> exp.Expr | None:
    """A float is multiplied, rounded away from zero in the middle, and divided; Spark rounds its decimal text."""
    given = node.args.get("decimals")
    digits = 0
    if given is not None:
        sign, literal = (-1, given.this) if isinstance(given, exp.Neg) else (1, given)
        if not isinstance(literal, exp.Literal) or not literal.is_int:
            raise refuse(node, "it rounds to a number of digits that is a literal only")
        digits = sign * int(literal.name)
    if kind(node.this) != k.FLOAT or digits == 0:
        return None
    if digits < 0 or digits > 15 or is_single(node.this):
        raise refuse(node, "it rounds floats to 0 to 15 digits, of eight bytes", "Cast it to double, or to a decimal")
    power = _double(10**digits)
    multiplied = exp.Paren(this=exp.Mul(this=node.this.copy(), expression=power))
    divided = exp.Div(this=_away_from_zero(multiplied), expression=power.copy(), typed=True)
    is_small = exp.LT(this=exp.Abs(this=multiplied.copy()), expression=_WHOLE_FROM.copy())
    return exp.Case().when(is_small, divided).else_(node.this.copy())


def _away_from_zero(value: exp.Expr) -> exp.Expr:
    """The whole number next to a small float."""
    size = exp.Abs(this=value.copy())
    whole = cast(exp.Floor(this=size), "DOUBLE")
    rest = exp.Sub(this=size.copy(), expression=whole.copy())
    is_more = exp.GTE(this=rest, expression=cast(exp.Literal.string("0.5"), "DOUBLE"))
    more = exp.Add(this=whole.copy(), expression=_double(1))
    return exp.Mul(
        this=call("sign", value.copy()), expression=exp.Paren(this=exp.Case().when(is_more, more).else_(whole))
    )


def _as_decimal(value: exp.Expr, scale: int) -> exp.Expr:
    """A float as DuckDB makes a decimal of it: multiplied and rounded; Spark takes its decimal text."""
    power = _double(10**scale)
    multiplied = exp.Paren(this=exp.Mul(this=value.copy(), expression=power))
    is_small = exp.LT(this=exp.Abs(this=multiplied.copy()), expression=_WHOLE_FROM.copy())
    divided = exp.Div(this=_away_from_zero(multiplied), expression=power.copy(), typed=True)
    return guarded(is_small, divided, "a float of more than 15 digits has another decimal in Spark")


def _double(number: int) -> exp.Expr:
    return cast(exp.Literal.string(str(number)), "DOUBLE")


def _arithmetic(node: exp.Expr) -> exp.Expr | None:
    check_singles(node, (node.this, node.expression))
    return None


def _div(node: exp.Expr) -> exp.Expr | None:
    for side in (node.this, node.expression):
        if isinstance(side, exp.Cast) and is_single(side.this):
            raise refuse(node, "it divides floats of eight bytes only", "Cast them to double")
    return None


def check_singles(node: exp.Expr, values: Iterable[exp.Expr]) -> None:
    """Refuse a float of four bytes beside a decimal or an integer: DuckDB makes these four bytes, Spark all eight.

    Raises:
        UnsupportedError: There is such a pair.
    """
    found = list(values)
    if any(map(is_single, found)) and any(kind(value) in (k.INTEGER, k.DECIMAL) for value in found):
        raise refuse(node, "it takes floats of four bytes beside other numbers in another way", "Cast them to double")


NUMBERS: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.IntDiv: _int_div,
    exp.Cast: _cast,
    exp.Sum: _sum,
    exp.Avg: _avg,
    exp.Floor: _rounded,
    exp.Ceil: _rounded,
    exp.Ln: _ln,
    exp.Round: _round,
    exp.Div: _div,
    **dict.fromkeys((exp.Add, exp.Sub, exp.Mul, exp.Mod), _arithmetic),
}
