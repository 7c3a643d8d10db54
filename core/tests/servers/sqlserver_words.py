"""T-SQL's functions in DuckDB's words, as far as statements of dvt and of its tests have them."""

from __future__ import annotations

from sqlglot import exp

_STYLES = {"23": "%Y-%m-%d", "121": "%Y-%m-%d %H:%M:%S.%f"}


def tsql_words(statement: exp.Expr) -> exp.Expr:
    """A statement whose CONVERT, HASHBYTES, `+` of texts, COLLATE and GENERATE_SERIES mean the same in DuckDB."""
    for node in [*statement.find_all(exp.Add, exp.Collate, exp.Convert, exp.MD5, exp.GenerateSeries)][::-1]:
        if isinstance(node, exp.Collate):
            node.replace(node.this)
        elif isinstance(node, exp.Add) and (_is_text(node.this) or _is_text(node.expression)):
            node.replace(exp.DPipe(this=node.this, expression=node.expression))
        elif isinstance(node, exp.MD5):
            node.replace(exp.Anonymous(this="unhex", expressions=[exp.Anonymous(this="md5", expressions=[node.this])]))
        elif isinstance(node, exp.Convert):
            node.replace(_converted(node))
        elif isinstance(node, exp.GenerateSeries) and isinstance(node.parent, exp.Table) and not node.parent.alias:
            columns = [exp.to_identifier("value")]
            node.parent.set("alias", exp.TableAlias(this=exp.to_identifier("series"), columns=columns))
    return statement


def _is_text(node: exp.Expr) -> bool:
    is_cast = isinstance(node, exp.Cast) and node.is_type(*exp.DataType.TEXT_TYPES)
    return is_cast or isinstance(node, exp.DPipe) or (isinstance(node, exp.Literal) and node.is_string)


def _converted(node: exp.Convert) -> exp.Expr:
    """A CONVERT to text; the style says how the value is written."""
    style, value = node.args.get("style"), node.expression
    number = style.name if style is not None else ""
    if number == "2":
        return exp.Anonymous(this="hex", expressions=[value])
    if number in _STYLES:
        return exp.Anonymous(this="strftime", expressions=[value, exp.Literal.string(_STYLES[number])])
    return exp.cast(value, "VARCHAR", dialect="duckdb")
