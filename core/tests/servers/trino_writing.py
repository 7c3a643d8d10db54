"""What the Trino fake does of a coordinator's and its connectors' own with statements that write.

Written from Trino's references of properties and of connectors: the longest text of a query, the types that a
connector's tables have, and where rows may be changed. What it does not do: round, cut or coerce as Trino does.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from servers.hash_words import of_trino, rewriting

_T = exp.DataType.Type
# Types that CREATE TABLE refuses there.
_NOT_HELD: dict[str, frozenset[exp.DataType.Type]] = {
    "iceberg": frozenset({_T.TINYINT, _T.SMALLINT, _T.JSON}),
    "hive": frozenset({_T.UUID, _T.TIME, _T.TIMESTAMPTZ, _T.JSON}),
    "delta_lake": frozenset({_T.UUID, _T.TIME, _T.JSON}),
}
Refusal = tuple[int, str, str]
_NOT_SUPPORTED = 13


def in_duckdb(tree: exp.Expr) -> exp.Expr:
    """A statement as DuckDB takes it.

    An instant in another zone is the same instant: how it is shown is for the wire's values. DuckDB renames to names
    without a schema.
    """
    if isinstance(tree, exp.Alter):
        for renamed in tree.find_all(exp.AlterRename):
            renamed.this.set("db", None)
            renamed.this.set("catalog", None)
    return rewriting(of_trino)(tree).transform(_plain)


def _plain(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.AtTimeZone):
        return node.this
    if isinstance(node, exp.Struct) and not node.find(exp.PropertyEQ):  # without names, by which DuckDB would cast
        return exp.Anonymous(this="row", expressions=node.expressions)
    return node


def refusal(sql: str, connector: str, most_characters: int, fails: str) -> Refusal | None:
    """Number, name and words of the error for a statement; None for one that may run."""
    length = len(sql.encode("utf-16-le")) // 2  # Java's
    if length > most_characters:
        return 6, "QUERY_TEXT_TOO_LONG", f"Query text length ({length}) exceeds the maximum length ({most_characters})"
    head = sql.lstrip()[:2000].lower()
    if fails and head.startswith(fails):
        return _NOT_SUPPORTED, "NOT_SUPPORTED", "This connector does not support renaming tables"
    if connector == "hive" and head.startswith(("merge", "delete", "update")):
        return _NOT_SUPPORTED, "NOT_SUPPORTED", "Modifying Hive table rows is only supported for transactional tables"
    if connector == "hive" and head.startswith("create or replace table"):
        return _NOT_SUPPORTED, "NOT_SUPPORTED", "This connector does not support replacing tables"
    if head.startswith("create table"):
        for kind in _declared(sql):
            if kind.this in _NOT_HELD.get(connector, ()):
                return _NOT_SUPPORTED, "NOT_SUPPORTED", f"Type not supported for {connector}: {kind.sql('trino')}"
    return None


def _declared(sql: str) -> list[exp.DataType]:
    try:
        tree = sqlglot.parse_one(sql, read="trino")
    except sqlglot.errors.SqlglotError:
        return []
    return [kind for column in tree.find_all(exp.ColumnDef) for kind in column.args["kind"].find_all(exp.DataType)]
