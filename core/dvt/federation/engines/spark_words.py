"""What of DuckDB's SQL is carried to Spark: a list, and nothing besides."""

from __future__ import annotations

from sqlglot import exp

from dvt.federation.engines.spark_kinds import refuse

_STRUCTURE = (
    *(exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.From, exp.Join, exp.Where, exp.Group),
    *(exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Distinct, exp.With, exp.CTE, exp.Table),
    *(exp.TableAlias, exp.Values, exp.Tuple, exp.Star, exp.Column, exp.Identifier, exp.Alias, exp.Paren, exp.Qualify),
    *(exp.Window, exp.WindowSpec, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.Rollup, exp.Cube),
    *(
        exp.GroupingSets,
        exp.Cast,
        exp.DataType,
        exp.DataTypeParam,
        exp.Literal,
        exp.Null,
        exp.Boolean,
        exp.Case,
        exp.If,
    ),
    *(
        exp.Interval,
        exp.Var,
        exp.Dot,
        exp.PropertyEQ,
        exp.Exists,
        exp.In,
        exp.Between,
        exp.Is,
        exp.Not,
        exp.And,
        exp.Or,
    ),
)
_OPERATORS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike),
    *(exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe),
    *(exp.BitwiseAnd, exp.BitwiseOr),
)
_AGGREGATES = (
    *(exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Stddev, exp.StddevSamp, exp.StddevPop),
    *(exp.Variance, exp.VariancePop, exp.LogicalAnd, exp.LogicalOr, exp.AnyValue),
)
_WINDOWS = (
    *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead),
    *(exp.FirstValue, exp.LastValue, exp.NthValue),
)
_FUNCTIONS = (
    *(exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Abs, exp.Round, exp.Ceil, exp.Floor, exp.Sqrt, exp.Exp),
    *(exp.Ln, exp.Pow, exp.Sign, exp.Upper, exp.Lower, exp.Length, exp.Trim, exp.Replace, exp.StrPosition, exp.Left),
    *(exp.Right, exp.Substring, exp.Concat, exp.ConcatWs, exp.SplitPart, exp.StartsWith, exp.EndsWith, exp.Contains),
    *(
        exp.Repeat,
        exp.Chr,
        exp.Reverse,
        exp.MD5,
        exp.RegexpLike,
        exp.Extract,
        exp.Year,
        exp.Month,
        exp.Day,
        exp.Quarter,
    ),
    *(exp.Hour, exp.Minute, exp.DayOfWeek, exp.DayOfYear, exp.Week, exp.WeekOfYear, exp.TimestampTrunc, exp.DateTrunc),
    *(exp.DateDiff, exp.LastDay, exp.DateFromParts, exp.TimeToStr, exp.CurrentDate),
)
_KNOWN: tuple[type[exp.Expr], ...] = (*_STRUCTURE, *_OPERATORS, *_AGGREGATES, *_WINDOWS, *_FUNCTIONS)


def check_words(root: exp.Expr) -> None:
    """Refuse what is not on the list.

    Raises:
        UnsupportedError: The function, operator or clause is named.
    """
    for node in root.walk():
        if type(node) not in _KNOWN:
            raise refuse(node, f"it does not carry {_named(node)}")
    for with_ in root.find_all(exp.With):
        if with_.args.get("recursive"):
            raise refuse(with_, "it does not carry recursive CTEs")
    for operation in root.find_all(exp.SetOperation):
        if operation.args.get("by_name"):
            raise refuse(operation, "it does not carry set operations BY NAME")
    for select in root.find_all(exp.Select):
        distinct = select.args.get("distinct")
        is_cut = select.args.get("limit") or select.args.get("offset")
        if is_cut and (select.args.get("qualify") or (distinct is not None and distinct.args.get("on"))):
            raise refuse(
                select, "it carries QUALIFY and DISTINCT ON without a LIMIT only", "Give the LIMIT its own SELECT"
            )
    for join in root.find_all(exp.Join):
        if join.method:
            raise refuse(join, f"it does not carry {join.method.upper()} joins")
        if join.kind.upper() not in ("", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"):
            raise refuse(join, f"it does not carry {join.kind.upper()} joins")
    for table in root.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise refuse(table, f"it does not carry the table function {_named(table.this)}")


def _named(node: exp.Expr) -> str:
    """A node as a person who wrote the query knows it."""
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name}"
    if isinstance(node, exp.Func):
        return f"the function {node.sql('duckdb').partition('(')[0].lower()}"
    return type(node).__name__.upper()
