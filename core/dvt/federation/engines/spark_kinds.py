"""What an expression is, as far as the words for Spark depend on it."""

from __future__ import annotations

from sqlglot import exp

from dvt.errors import UnsupportedError

INTEGER, DECIMAL, FLOAT, TEXT, BOOLEAN, DATE, TIMESTAMP, INSTANT, INTERVAL, UUID, JSON, BYTES, NULL, OTHER, UNKNOWN = (
    *("integer", "decimal", "float", "text", "boolean", "date", "timestamp", "instant", "interval", "uuid", "json"),
    *("bytes", "null", "other", "unknown"),
)
NUMBERS = frozenset({INTEGER, DECIMAL, FLOAT})
MOMENTS = frozenset({DATE, TIMESTAMP, INSTANT})

_T = exp.DType
_KINDS = {
    **dict.fromkeys((_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128, _T.UTINYINT, _T.USMALLINT), INTEGER),
    **dict.fromkeys((_T.UINT, _T.UBIGINT, _T.UINT128), INTEGER),
    **dict.fromkeys((_T.DECIMAL, _T.BIGDECIMAL), DECIMAL),
    **dict.fromkeys((_T.FLOAT, _T.DOUBLE), FLOAT),
    **dict.fromkeys((_T.TEXT, _T.VARCHAR, _T.CHAR, _T.NVARCHAR, _T.NCHAR, _T.NAME), TEXT),
    _T.BOOLEAN: BOOLEAN,
    **dict.fromkeys((_T.DATE, _T.DATE32), DATE),
    **dict.fromkeys((_T.TIMESTAMP, _T.TIMESTAMPNTZ, _T.DATETIME), TIMESTAMP),
    **dict.fromkeys((_T.TIMESTAMPTZ, _T.TIMESTAMPLTZ), INSTANT),
    _T.INTERVAL: INTERVAL,
    _T.UUID: UUID,
    _T.JSON: JSON,
    **dict.fromkeys((_T.VARBINARY, _T.BINARY, _T.BLOB), BYTES),
    _T.NULL: NULL,
    _T.UNKNOWN: UNKNOWN,
}


def kind(node: exp.Expr) -> str:
    """The kind of an annotated expression."""
    if isinstance(node, (exp.Paren, exp.Alias)):
        return kind(node.this)
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select) and len(node.this.selects) == 1:
        return kind(node.this.selects[0])
    if isinstance(node, exp.Null):
        return NULL
    if isinstance(node, exp.Interval):
        return INTERVAL
    if isinstance(node, exp.Literal) and node.is_string:
        return TEXT
    return UNKNOWN if node.type is None else _KINDS.get(node.type.this, OTHER)


def is_single(node: exp.Expr) -> bool:
    """Whether an expression is a float of four bytes."""
    plain = node.unnest()
    return plain.type is not None and plain.type.this is exp.DType.FLOAT


def with_type(node: exp.Expr, type_: exp.DataType | None) -> exp.Expr:
    """A node that stands for one of this type, where it has none of its own."""
    if node.type is None and type_ is not None:
        node.type = type_
    return node


def cast(node: exp.Expr, to: str) -> exp.Expr:
    """A cast that Spark is to make as it stands; `to` is DuckDB's name of a type."""
    type_ = exp.DataType.build(to, dialect="duckdb")
    made = exp.Cast(this=node, to=type_)
    made.type = type_.copy()
    return made


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """A function of Spark's by its own name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def guarded(condition: exp.Expr, value: exp.Expr, words: str) -> exp.Expr:
    """The value where a condition holds or is NULL; else the query stops with these words."""
    stop = call("raise_error", exp.Literal.string(f"dvt: {words}"))
    return exp.Case().when(exp.Not(this=exp.Paren(this=condition)), stop).else_(value)


def with_declared_types(root: exp.Expr) -> None:
    """Say of each number with a point that it is a decimal, as DuckDB takes it; sqlglot takes it for a double."""
    for literal in list(root.find_all(exp.Literal)):
        text = literal.name
        if literal.is_string or "." not in text or "e" in text.lower():
            continue
        whole, _, fraction = text.partition(".")
        digits = max(len(whole.lstrip("0")) + len(fraction), 1)
        if digits <= 38:
            literal.replace(cast(literal.copy(), f"DECIMAL({digits}, {len(fraction)})"))


def refuse(node: exp.Expr, why: str, remedy: str = "") -> UnsupportedError:
    """The error for something that has no words in Spark which mean the same."""
    shown = node.sql("duckdb")
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return UnsupportedError(
        f"the model cannot be computed by Spark: {why} ({shown})",
        phase="plan",
        remedy=remedy or "Say it in other words, or compute the model with meta.dvt_engine: duckdb",
    )
