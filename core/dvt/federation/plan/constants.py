"""Working out constants with the engine that will run the query."""

from __future__ import annotations

import re
from functools import lru_cache

from sqlglot import exp

from dvt.federation.plan.asking import ask
from dvt.federation.plan.predicates import Constant, Family

# What a constant may be made of. No functions: `now()` and `random()` are not constants, and few others are needed.
CONSTANT_PARTS = (
    *(exp.Literal, exp.Neg, exp.Paren, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Boolean, exp.Null),
    *(exp.Add, exp.Sub, exp.Mul, exp.Interval, exp.Var, exp.Identifier, exp.Coalesce),
)
_NUMBERS = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|INTEGER_LITERAL|DECIMAL\(\d+,\s*\d+\))$")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
_OFFSET = re.compile(r":\d\d(\.\d+)?\s*([+-]\d\d(:?\d\d)?|Z)$")
# The years that every engine's literals can hold.
_YEAR = re.compile(r"^\d{4}-")
_CASTS = {
    Family.DOUBLE: "DOUBLE",
    Family.DATE: "DATE",
    Family.TIMESTAMP: "TIMESTAMP",
    Family.INSTANT: "TIMESTAMP WITH TIME ZONE",
    Family.UUID: "UUID",
}


class Constants:
    """Evaluates constant expressions. Thread-safe."""

    def value(self, expression: exp.Expr, family: Family) -> Constant | None:
        """A constant as a column of that family is compared with it; None when it is none, or compares otherwise.

        Args:
            expression: What stands beside the column.
            family: The column's.
        """
        while isinstance(expression, exp.Paren):
            expression = expression.this
        if not all(isinstance(node, CONSTANT_PARTS) for node in expression.walk()):
            return None
        found = self._ask(expression)
        if found is None:
            return None
        type_, text = found
        is_bare_text = isinstance(expression, exp.Literal) and expression.is_string
        if family in (Family.INTEGER, Family.DECIMAL):
            return Constant(Family.DECIMAL, text) if _NUMBERS.match(type_) and _NUMBER.match(text) else None
        if family is Family.DOUBLE:
            is_number = bool(_NUMBERS.match(type_)) or type_ == "DOUBLE"
            return self._cast(expression, family) if is_number else None
        if family is Family.TEXT:
            return Constant(family, text) if type_ == "VARCHAR" and "\0" not in text else None
        if family is Family.BOOLEAN:
            return Constant(family, text) if type_ == "BOOLEAN" else None
        if family in (Family.DATE, Family.TIMESTAMP):
            return self._moment(expression, type_, family, is_bare_text)
        if family is Family.INSTANT:
            # Whatever has no offset of its own would depend on the session's zone.
            inner = expression.this if isinstance(expression, exp.Cast) else expression
            has_offset = isinstance(inner, exp.Literal) and inner.is_string and bool(_OFFSET.search(inner.name))
            is_instant = is_bare_text or type_ == "TIMESTAMP WITH TIME ZONE"
            return self._cast(expression, family) if has_offset and is_instant else None
        if family is Family.UUID:
            return self._cast(expression, family) if is_bare_text or type_ == "UUID" else None
        return None

    def _moment(self, expression: exp.Expr, type_: str, family: Family, is_bare_text: bool) -> Constant | None:
        if is_bare_text:
            return self._cast(expression, family)
        if type_ == "DATE":
            return self._cast(expression, family)
        # A date is compared with a timestamp as the midnight at its beginning.
        return self._cast(expression, Family.TIMESTAMP) if type_ == "TIMESTAMP" else None

    def _cast(self, expression: exp.Expr, family: Family) -> Constant | None:
        found = self._ask(exp.Cast(this=expression.copy(), to=exp.DataType.build(_CASTS[family], dialect="duckdb")))
        if found is None:
            return None
        text = found[1]
        if family is Family.DOUBLE:
            return Constant(family, text) if re.match(r"^-?\d", text) else None  # no NaN, no infinity
        if family is not Family.UUID and not _YEAR.match(text):
            return None
        return Constant(family, text)

    def _ask(self, expression: exp.Expr) -> tuple[str, str] | None:
        """DuckDB's type and text of a value; None for NULL and for what it refuses."""
        return _evaluated(expression.sql(dialect="duckdb"))


@lru_cache(maxsize=4096)
def _evaluated(value: str) -> tuple[str, str] | None:
    """The same for all queries."""
    import duckdb

    try:
        row = ask(f"select typeof({value}), cast({value} as varchar)")
    except duckdb.Error:
        return None  # the query's own binding says what is wrong with it
    return (str(row[0]), str(row[1])) if row is not None and row[1] is not None else None
