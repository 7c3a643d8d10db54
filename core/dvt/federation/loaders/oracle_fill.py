"""Filling an Oracle table: direct path load where it takes the rows as they are, else array inserts.

A direct path load writes blocks past the SQL layer: nothing is converted or checked there, '' and other lengths of
nothing are NULL, all columns must come, and it commits by itself. python-oracledb writes texts in UTF-8 as they are
(its issue 567), which is right in AL32UTF8 alone; its documentation shows names without quotes only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dvt.federation.loaders.filling import Filled, Filling
from dvt.identifiers import quote, quote_all
from dvt.types.landing_texts import named
from dvt.types.oracle_landing import Binding

if TYPE_CHECKING:
    from dvt.federation.loaders.oracle import OracleLoader

_PIECE_BYTES = 8 << 20
_PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9_$#]*")
# Oracle's reserved words ("Oracle SQL Reserved Words" in its SQL reference), which are no names without quotes.
_RESERVED = frozenset((
    "ACCESS", "ADD", "ALL", "ALTER", "AND", "ANY", "AS", "ASC", "AUDIT", "BETWEEN", "BY", "CHAR", "CHECK", "CLUSTER",
    "COLUMN", "COLUMN_VALUE", "COMMENT", "COMPRESS", "CONNECT", "CREATE", "CURRENT", "DATE", "DECIMAL", "DEFAULT",
    "DELETE", "DESC", "DISTINCT", "DROP", "ELSE", "EXCLUSIVE", "EXISTS", "FILE", "FLOAT", "FOR", "FROM", "GRANT",
    "GROUP", "HAVING", "IDENTIFIED", "IMMEDIATE", "IN", "INCREMENT", "INDEX", "INITIAL", "INSERT", "INTEGER",
    "INTERSECT", "INTO", "IS", "LEVEL", "LIKE", "LOCK", "LONG", "MAXEXTENTS", "MINUS", "MLSLABEL", "MODE", "MODIFY",
    "NESTED_TABLE_ID", "NOAUDIT", "NOCOMPRESS", "NOT", "NOWAIT", "NULL", "NUMBER", "OF", "OFFLINE", "ON", "ONLINE",
    "OPTION", "OR", "ORDER", "PCTFREE", "PRIOR", "PUBLIC", "RAW", "RENAME", "RESOURCE", "REVOKE", "ROW", "ROWID",
    "ROWNUM", "ROWS", "SELECT", "SESSION", "SET", "SHARE", "SIZE", "SMALLINT", "START", "SUCCESSFUL", "SYNONYM",
    "SYSDATE", "TABLE", "THEN", "TO", "TRIGGER", "UID", "UNION", "UNIQUE", "UPDATE", "USER", "VALIDATE", "VALUES",
    "VARCHAR", "VARCHAR2", "VIEW", "WHENEVER", "WHERE", "WITH",
))  # fmt: skip


class ArrayInsert:
    """INSERTs with arrays of values, and types said beforehand: a column whose first rows are NULL has one too.

    Args:
        loader: What it is done for.
        filling: The table and its rows.
        names: The columns' names as the catalogue has them.
    """

    def __init__(self, loader: OracleLoader, filling: Filling, names: list[str]) -> None:
        self._loader, self._filling, self.names = loader, filling, names

    @property
    def bindings(self) -> list[Binding]:
        """How each column is bound."""
        pairs = zip(self._filling.types, self._filling.schema, strict=True)
        return [Binding(native, field.type, self._loader.charset) for native, field in pairs]

    @property
    def filling(self) -> Filling:
        """The table and its rows."""
        return self._filling

    def fill(self, filling: Filling) -> Filled:
        """Send all rows."""
        import oracledb

        bindings = self.bindings
        # What may be long comes last (ORA-24816).
        order = sorted(range(len(bindings)), key=lambda place: bindings[place].is_long)
        given = [bindings[place].expression(number) for number, place in enumerate(order, start=1)]
        into = ["insert into", filling.relation.sql("oracle"), "("]
        names = quote_all((self.names[place] for place in order), "oracle")
        sql = " ".join([*into, names, ") values (", ", ".join(given), ")"])
        sizes = [getattr(oracledb, kind) if (kind := bindings[place].kind) else None for place in order]
        taken = 0
        for rows in self._rows(bindings, order):
            with self._loader.running() as session, session.cursor() as cursor:
                cursor.setinputsizes(*sizes)
                cursor.executemany(sql, rows)
                taken += cursor.rowcount
        return Filled(taken=taken)

    def _rows(self, bindings: list[Binding], order: list[int]) -> Iterator[list[tuple[Any, ...]]]:
        names = self._filling.schema.names
        for batch in self._filling.batches(_PIECE_BYTES):
            columns = [named(bindings[place].values, batch.column(place), names[place], "Oracle") for place in order]
            yield list(zip(*columns, strict=True))


class DirectPath(ArrayInsert):
    """Direct path load of rows as Python values, of which the driver writes each as the column's type has it."""

    def fill(self, filling: Filling) -> Filled:
        """Send all rows; each batch is committed by itself."""
        relation, bindings = filling.relation, self.bindings
        for rows in self._rows(bindings, list(range(len(bindings)))):
            with self._loader.running() as session:
                session.direct_path_load(relation.schema, relation.name, self.names, rows)
        return Filled()


def why_no_direct_path(loader: OracleLoader, direct: DirectPath) -> str | None:
    """What is missing for a direct path load; None when nothing is."""
    session = loader.session()
    if not getattr(session, "thin", False) or not hasattr(session, "direct_path_load"):
        return "python-oracledb loads so in its thin mode only, from 3.4 on"
    if loader.charset != "AL32UTF8":
        return f"the database's character set is {loader.charset}, and texts would be stored as UTF-8"
    relation = direct.filling.relation
    for name in (relation.schema or "", relation.name, *direct.names):
        if not _PLAIN_NAME.fullmatch(name) or name in _RESERVED:
            return f"the name {quote(name, 'oracle')} needs quotes"
    for name, binding in zip(direct.names, direct.bindings, strict=True):
        if not binding.is_direct:
            return f"column {name} is converted by the server to {binding.native}"
    return None
