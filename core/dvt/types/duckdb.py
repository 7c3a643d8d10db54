"""DuckDB types: which stay as they are, and what the others are read as.

The vocabulary is that of `dvt.types.vocabulary`. What is outside of it is cast in SQL, so that DuckDB's own text is
the one that travels. A session that reads through these expressions has `SESSION_SETTINGS`, so that UUID and JSON come
as Arrow's extension types and no text depends on the machine's time zone.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from dvt.identifiers import quote

SESSION_SETTINGS = (
    "set timezone = 'UTC'",
    "set arrow_lossless_conversion = true",
    # Or a missing table would be looked for among the Python variables of the code that runs the query.
    "set python_enable_replacements = false",
)

# Text at the start of an error that a checked cast raises; `connections/duckdb.py` finds the column behind it.
CAST_ERROR = "dvt: column "

_KEPT = frozenset(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT"}
    | {"DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "INTERVAL", "UUID", "JSON"}
    | {"TIMESTAMP WITH TIME ZONE"}
)

# Read as another type with the same values; every other unknown type is read as its text. `"NULL"` is the type of a
# column that holds nothing else; DuckDB calls it INTEGER where it has to choose.
_CAST = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMPTZ_NS": "TIMESTAMPTZ",
    '"NULL"': "INTEGER",
}

# Casts that cut digits without an error; the value is cast back and compared. Inside of a nested type: text.
_CUTTING = frozenset({"TIMESTAMPTZ_NS"})
# Casts that can fail for a value.
_FAILING = frozenset({"HUGEINT", "UHUGEINT", "TIMESTAMP_S", "TIMESTAMP_MS"})


@dataclass(frozen=True)
class NativeType:
    """A DuckDB type, parsed from its own text.

    Args:
        name: Upper-case base name, or LIST, ARRAY (of fixed size), STRUCT, MAP.
        arguments: The text between the parentheses of a plain type, for example "10,2".
        fields: Inner types with their names; "" where there is no name.
    """

    name: str
    arguments: str = ""
    fields: tuple[tuple[str, NativeType], ...] = ()

    def sql(self) -> str:
        """The type as DuckDB reads it."""
        if self.name in ("LIST", "ARRAY"):
            return f"{self.fields[0][1].sql()}[{self.arguments}]"
        if self.name == "STRUCT":
            inner = ", ".join(" ".join([quote(name, "duckdb"), type_.sql()]) for name, type_ in self.fields)
            return f"STRUCT({inner})"
        if self.name == "MAP":
            return f"MAP({', '.join(type_.sql() for _, type_ in self.fields)})"
        return f"{self.name}({self.arguments})" if self.arguments else self.name


def parse_type(text: str) -> NativeType:
    """The type behind DuckDB's text for it, for example `STRUCT(a INTEGER, "b c" VARCHAR[])`."""
    text = text.strip()
    if text.endswith("]"):
        start = text.rindex("[")
        size = text[start + 1 : -1]
        return NativeType("ARRAY" if size else "LIST", size, (("", parse_type(text[:start])),))
    name, _, rest = text.partition("(")
    name = name.strip().upper() if not name.startswith('"') else name
    if not rest or not text.endswith(")"):
        return NativeType(name)
    inner = rest[:-1]
    if name == "STRUCT":
        return NativeType(name, fields=tuple(_field(part) for part in _split(inner)))
    if name == "MAP":
        return NativeType(name, fields=tuple(("", parse_type(part)) for part in _split(inner)))
    return NativeType(name, arguments=inner)


def carried(native: NativeType, is_inner: bool = False) -> NativeType:
    """The type of the vocabulary as which a native one is read; itself when nothing has to be cast."""
    if native.name == "MAP":
        (_, _), (_, value) = native.fields
        return NativeType("MAP", fields=(("", NativeType("VARCHAR")), ("", carried(value, True))))
    if native.fields:
        fields = tuple((name, carried(inner, True)) for name, inner in native.fields)
        return NativeType("LIST" if native.name == "ARRAY" else native.name, fields=fields)
    if native.name in _KEPT:
        return native
    if native.name in _CAST and not (is_inner and native.name in _CUTTING):
        return parse_type(_CAST[native.name])
    return NativeType("VARCHAR")


def vocabulary_expression(column: exp.Expr, name: str, native_type: str) -> exp.Expr | None:
    """The expression that reads a column inside the vocabulary, None when the column itself does.

    Args:
        column: The column, as the query refers to it.
        name: Its name for error messages.
        native_type: Its type, as DuckDB writes it.
    """
    native = parse_type(native_type)
    target = carried(native)
    if target == native:
        return None
    to = exp.DataType.build(target.sql(), dialect="duckdb")
    if native.name in _CUTTING:
        back = exp.cast(exp.cast(column.copy(), to), exp.DataType.build(native.name, dialect="duckdb", udt=True))
        return _checked(exp.NullSafeNEQ(this=back, expression=column.copy()), column, name, to)
    if native.name in _FAILING:
        fails = exp.and_(
            exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null())),
            exp.Is(this=exp.TryCast(this=column.copy(), to=to.copy()), expression=exp.Null()),
        )
        return _checked(fails, column, name, to)
    return exp.cast(column.copy(), to)


def vocabulary_projection(columns: list[tuple[str, str]]) -> list[exp.Expr] | None:
    """The select list that reads columns inside the vocabulary, under their own names.

    Args:
        columns: Names and DuckDB types, in order.

    Returns:
        None when nothing has to be cast.

    >>> [e.sql("duckdb") for e in vocabulary_projection([("a", "INTEGER"), ("b", "BIT")])]
    ['"a"', 'CAST("b" AS TEXT) AS "b"']
    """
    return _projection(columns, [name for name, _ in columns])


def projected_query(sql: str, columns: list[tuple[str, str]]) -> str:
    """A query whose result is inside the vocabulary; the query's own text when it is already.

    Args:
        sql: One SELECT, in DuckDB's SQL.
        columns: Names and DuckDB types of its result, in order; a name may occur twice.
    """
    positions = [f"c{index}" for index in range(len(columns))]
    expressions = _projection(columns, positions)
    if expressions is None:
        return sql
    names = ", ".join(quote(position, "duckdb") for position in positions)
    select = ", ".join(expression.sql("duckdb") for expression in expressions)
    return "".join(["select ", select, " from (", _bare(sql), "\n) as dvt_result(", names, ")"])


def _bare(sql: str) -> str:
    """The query's text without semicolons and comments behind it, so that it can stand in parentheses."""
    tokens = sqlglot.tokenize(sql, read="duckdb")
    while tokens and tokens[-1].token_type is sqlglot.TokenType.SEMICOLON:
        tokens.pop()
    return sql[: tokens[-1].end + 1] if tokens else sql


def exact_cast(column: str, name: str, native_type: str, target_type: str) -> str:
    """A cast, as SQL, that stops the statement where casting back does not give the value again.

    DuckDB's own casts round: 1.555 to DECIMAL(10,2), 1.5 to INTEGER.

    Args:
        column: The quoted column.
        name: Its name for error messages.
        native_type: Its type, as DuckDB writes it.
        target_type: The type wanted, as DuckDB or the project writes it.
    """
    if parse_type(native_type) == parse_type(target_type):
        return column
    # What has no place at all is NULL at first: a failing cast would not say in which column.
    there = " ".join(["try_cast(", column, "as", target_type, ")"])
    back = " ".join(["try_cast(", there, "as", native_type, ")"])
    said = exp.Literal.string(f"{CAST_ERROR}{quote(name, 'duckdb')} cannot keep, as {target_type}, the value ")
    error = " ".join(["error(", said.sql("duckdb"), "|| cast(", column, "as varchar))"])
    return " ".join(["case when", back, "is distinct from", column, "then", error, "else", there, "end"])


def _projection(columns: list[tuple[str, str]], inputs: list[str]) -> list[exp.Expr] | None:
    expressions: list[exp.Expr] = []
    is_cast = False
    for (name, native_type), input_name in zip(columns, inputs, strict=True):
        column = exp.column(exp.to_identifier(input_name, quoted=True))
        expression = vocabulary_expression(column, name, native_type)
        is_cast = is_cast or expression is not None
        if expression is None and input_name == name:
            expressions.append(column)
        else:
            expressions.append(exp.alias_(expression or column, exp.to_identifier(name, quoted=True)))
    return expressions if is_cast else None


def _checked(fails: exp.Expr, column: exp.Expr, name: str, to: exp.DataType) -> exp.Expr:
    """A cast that stops the query with the column's name and the value, where `fails` holds."""
    text = exp.cast(column.copy(), exp.DataType.build("VARCHAR", dialect="duckdb"))
    message = exp.DPipe(this=exp.Literal.string(f"{CAST_ERROR}{quote(name, 'duckdb')} holds "), expression=text)
    return exp.case().when(fails, exp.func("error", message)).else_(exp.cast(column.copy(), to))


def _field(text: str) -> tuple[str, NativeType]:
    if text.startswith('"'):
        end = _end_of_quoted(text, 0)
        return text[1 : end - 1].replace('""', '"'), parse_type(text[end:])
    name, _, rest = text.partition(" ")
    return name, parse_type(rest)


def _split(text: str) -> list[str]:
    """The parts between the commas of the outermost level."""
    parts, depth, start, index = [], 0, 0, 0
    while index < len(text):
        char = text[index]
        if char in "\"'":
            index = _end_of_quoted(text, index)
            continue
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
        index += 1
    parts.append(text[start:].strip())
    return parts


def _end_of_quoted(text: str, start: int) -> int:
    """The index behind a quoted part; a doubled quote inside belongs to it."""
    mark, index = text[start], start + 1
    while index < len(text):
        if text[index] == mark:
            if text[index + 1 : index + 2] != mark:
                return index + 1
            index += 1
        index += 1
    return index
