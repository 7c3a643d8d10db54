"""T-SQL's statements in DuckDB's words, as far as statements of dvt and of its tests have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlglot
from sqlglot import exp

from servers.driver_double import blank_padded
from servers.hash_words import in_utc, number_of
from servers.sqlserver_types import SIZED, TEXTS

_T = exp.DataType.Type
_STYLES = {"23": "%Y-%m-%d", "121": "%Y-%m-%d %H:%M:%S.%f"}
_PADS = {_T.CHAR: "padded_char", _T.NCHAR: "padded_nchar", _T.BINARY: "padded_binary"}
_PADDED = "v || repeat(' ', greatest(0, n - ({size})))"
_UTF16_LENGTH = r"length(v) + length(regexp_replace(v, '[^\x{10000}-\x{EFFFF}]', '', 'g'))"
PADDING = (
    f"padded_char(v, n) as {_PADDED.format(size='length(v)')}",
    f"padded_utf8(v, n) as {_PADDED.format(size='strlen(v)')}",
    f"padded_nchar(v, n) as {_PADDED.format(size=_UTF16_LENGTH)}",
    "padded_binary(v, n) as unhex(hex(v) || repeat('00', greatest(0, n - octet_length(v))))",
)

ColumnsOf = Callable[[exp.Table], Mapping[str, exp.DataType]]


def said_in_duckdb(tree: exp.Expr, columns_of: ColumnsOf) -> exp.Expr:
    """A statement that means in DuckDB what it means in T-SQL.

    Args:
        tree: The statement, with DuckDB's types but for texts and `binary`.
        columns_of: The columns of a table, with their native types.
    """
    for text in list(tree.find_all(exp.National)):
        text.replace(exp.Literal.string(text.name))
    if isinstance(tree, exp.Insert):
        _pad_inserted(tree, columns_of)
    _functions(tree)
    for cast in list(tree.find_all(exp.Cast))[::-1]:
        _cast(cast)
    for native in list(tree.find_all(exp.DataType)):
        if native.this in SIZED:
            native.replace(exp.DataType.build("VARCHAR" if native.this in TEXTS else "BLOB", dialect="duckdb"))
    if isinstance(tree, exp.Create) and tree.kind == "TABLE":
        _create(tree)
    if isinstance(tree, exp.Delete):
        _delete(tree)
    return blank_padded(tree, ignore_case=True)


def _pad_inserted(tree: exp.Insert, columns_of: ColumnsOf) -> None:
    """What is put into a column of fixed length gets that length."""
    table, given = tree.find(exp.Table), tree.expression
    assert table is not None
    natives = {name.lower(): native for name, native in columns_of(table).items()}
    listed = [name.name for name in tree.this.expressions] if isinstance(tree.this, exp.Schema) else list(natives)
    pads = [natives.get(name.lower()) for name in listed]
    if not any(native is not None and native.this in _PADS for native in pads):
        return
    if isinstance(given, exp.Values):
        for row in given.expressions:
            row.set("expressions", [_padded(v, native) for v, native in zip(row.expressions, pads, strict=True)])
        return
    names = [f"c{place}" for place in range(len(pads))]
    inner = given.subquery(exp.TableAlias(this=exp.to_identifier("given"), columns=list(map(exp.to_identifier, names))))
    padded = [_padded(exp.column(name), native) for name, native in zip(names, pads, strict=True)]
    tree.set("expression", exp.select(*padded).from_(inner))


def _padded(value: exp.Expr, native: exp.DataType | None, *, is_cut: bool = False) -> exp.Expr:
    if native is None or native.this not in _PADS:
        return value
    size = native.expressions[0].this.copy() if native.expressions else exp.Literal.number(30 if is_cut else 1)
    pad, collation = _PADS[native.this], native.args.get("collate")
    held = exp.cast(value.copy(), "BLOB" if native.this == _T.BINARY else "VARCHAR", dialect="duckdb")
    if pad == "padded_char" and collation is not None and collation.name.upper().endswith("_UTF8"):
        pad = "padded_utf8"
    if is_cut and native.this != _T.BINARY:
        held = exp.Anonymous(this="left", expressions=[held, size.copy()])
    return exp.Anonymous(this=pad, expressions=[held, size])


def _cast(cast: exp.Cast) -> None:
    compared = cast.parent
    if cast.to.this in _PADS:
        cast.replace(_padded(cast.this, cast.to, is_cut=True))
        return
    is_moment = cast.to.this in (_T.TIMESTAMPNTZ, _T.TIMESTAMPTZ)
    if is_moment and isinstance(compared, exp.Predicate) and compared.this is not cast:  # columns have texts
        compared.set("this", exp.cast(compared.this, cast.to.copy()))


def _create(tree: exp.Create) -> None:
    """A table that exists is made anew."""
    tree.set("replace", True)
    for collation in list(tree.find_all(exp.CollateColumnConstraint)):
        assert collation.parent is not None
        collation.parent.pop()
    for key in tree.find_all(exp.PrimaryKey):
        key.set("expressions", [column.find(exp.Identifier) for column in key.expressions])


def _delete(tree: exp.Delete) -> None:
    """DELETE t FROM x AS t JOIN y AS s ON ... is a DELETE with USING."""
    for join in tree.this.args.get("joins") or []:
        tree.set("tables", None)
        tree.set("using", [*(tree.args.get("using") or []), join.this])
        tree.set("where", exp.Where(this=join.args["on"]))
        join.pop()


def _functions(tree: exp.Expr) -> None:
    kinds = (exp.Anonymous, exp.Add, exp.Collate, exp.Convert, exp.MD5, exp.GenerateSeries, exp.ObjectId, exp.Parameter)
    for node in list(tree.find_all(*kinds))[::-1]:
        if isinstance(node, exp.Collate):
            node.replace(node.this)
        elif isinstance(node, exp.Add) and (_is_text(node.this) or _is_text(node.expression)):
            node.replace(exp.DPipe(this=node.this, expression=node.expression))
        elif isinstance(node, exp.Anonymous):
            if node.name.lower() == "switchoffset":  # to UTC, by dvt
                close = exp.Anonymous(this="replace", expressions=[node.expressions[0], _text(" +"), _text("+")])
                node.replace(in_utc(exp.cast(close, "TIMESTAMPTZ", dialect="duckdb")))
        elif isinstance(node, exp.MD5):
            node.replace(exp.Anonymous(this="unhex", expressions=[exp.Anonymous(this="md5", expressions=[node.this])]))
        elif isinstance(node, exp.Convert):
            node.replace(_converted(node))
        elif isinstance(node, exp.ObjectId):
            node.replace(_object(node.this.name))
        elif isinstance(node.this, exp.Parameter) and node.this.name.lower() == "version":  # @@version
            version = exp.Literal.string("productversion")
            node.replace(exp.Anonymous(this="serverproperty", expressions=[version]))
        elif isinstance(node, exp.GenerateSeries) and isinstance(node.parent, exp.Table) and not node.parent.alias:
            columns = [exp.to_identifier("value")]
            node.parent.set("alias", exp.TableAlias(this=exp.to_identifier("series"), columns=columns))


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)


def _is_text(node: exp.Expr) -> bool:
    is_cast = isinstance(node, exp.Cast) and node.is_type(*exp.DataType.TEXT_TYPES)
    return is_cast or isinstance(node, exp.DPipe) or (isinstance(node, exp.Literal) and node.is_string)


def _converted(node: exp.Convert) -> exp.Expr:
    """A CONVERT to text; the style says how the value is written. A column's moments are texts already."""
    style, value = node.args.get("style"), node.expression
    number = style.name if style is not None else ""
    if number == "2" and node.this.is_type(_T.VARBINARY):
        return exp.Anonymous(this="unhex", expressions=[value])
    if node.this.is_type(_T.BIGINT) and isinstance(value, exp.Anonymous) and value.name == "unhex":
        return number_of(value.expressions[0])
    if number == "2":
        return exp.Anonymous(this="hex", expressions=[value])
    if number in _STYLES and not isinstance(value, exp.Column) and not _is_text(value):
        return exp.Anonymous(this="strftime", expressions=[value, exp.Literal.string(_STYLES[number])])
    return exp.cast(value, "VARCHAR", dialect="duckdb")


def _object(name: str) -> exp.Expr:
    """The number of a table, NULL for what is none."""
    table = sqlglot.parse_one(f"select * from {name}", read="tsql").find(exp.Table)
    assert table is not None
    parts = [exp.Literal.string(part) for part in (table.db or "dbo", table.name)]
    return exp.Anonymous(this="object_number", expressions=parts)
