"""Conditions and questions in T-SQL's own words, where sqlglot alone would say something else."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from sqlglot import exp

from dvt.errors import UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.identifiers import Relation

_SCALE_AT_MOST = 19
_DIGITS_AT_MOST = 38


def said_in_tsql(request: ExtractionConfig) -> ExtractionConfig:
    """A request whose predicates mean in T-SQL what they say.

    A text that is not ASCII is a national one: others pass through the code page of the database. TIMESTAMP is the
    number of a row's version there, and the offset of a moment has minutes.

    Raises:
        UnsupportedError: A number has more digits than the server compares exactly.
    """
    return dataclasses.replace(request, predicates=tuple(_said(predicate) for predicate in request.predicates))


def _said(predicate: exp.Expr) -> Any:
    predicate = predicate.copy()
    for cast in list(predicate.find_all(exp.Cast)):
        if cast.to.this == exp.DType.ROWVERSION:
            cast.set("to", exp.DataType.build("DATETIME2(7)", dialect="tsql"))
        elif cast.to.this == exp.DType.TIMESTAMPTZ:
            cast.set("to", exp.DataType.build("DATETIMEOFFSET(7)", dialect="tsql"))
            moment = re.sub(r"([+-]\d\d)$", r"\1:00", cast.this.name)
            cast.set("this", exp.Literal.string(moment))
    return predicate.transform(_literal)


def _literal(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Literal):
        return node
    if node.is_string:
        return node if node.name.isascii() else exp.National(this=node.name)
    whole, _, fraction = node.name.partition(".")
    if len(fraction) > _SCALE_AT_MOST or len(whole) + len(fraction) > _DIGITS_AT_MOST:
        raise UnsupportedError(
            f"SQL Server compares {node.name} inexactly", remedy="Write the number with fewer digits"
        )
    return node


def count_sql(relation: Relation) -> str:
    """The number of a relation's rows."""
    count = exp.alias_(exp.Anonymous(this="COUNT_BIG", expressions=[exp.Star()]), "n")
    return exp.Select().select(count).from_(relation.ast()).sql(dialect="tsql")


def size_sql(relation: Relation) -> str:
    """Rows, and bytes in use, of what holds a table's rows; one row of NULLs for what is no table."""
    partitions, units = _catalogue(relation, "partitions"), _catalogue(relation, "allocation_units")
    of_table = " ".join(["p.object_id =", _object_id(relation), "AND p.index_id IN (0, 1)"])
    return " ".join(
        [
            *("SELECT (SELECT SUM(p.rows) FROM", partitions, "AS p WHERE", of_table + ") AS row_count,"),
            *("(SELECT SUM(a.used_pages) * 8192 FROM", partitions, "AS p JOIN", units, "AS a"),
            *("ON a.container_id IN (p.hobt_id, p.partition_id) WHERE", of_table + ") AS byte_count"),
        ]
    )


def primary_key_sql(relation: Relation) -> str:
    """The columns of a relation's primary key in the key's order; none where the server does not see to it.

    A key whose index is disabled is not kept, and Synapse and Fabric's warehouse (editions 6 and 11) keep none at all.
    A column that the index has for its partitions alone is no part of the key.
    """
    indexes, columns, names = (_catalogue(relation, name) for name in ("indexes", "index_columns", "columns"))
    return " ".join(
        [
            *("SELECT c.name FROM", indexes, "AS i JOIN", columns, "AS k"),
            "ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal > 0",
            *("JOIN", names, "AS c ON c.object_id = k.object_id AND c.column_id = k.column_id"),
            *("WHERE i.object_id =", _object_id(relation), "AND i.is_primary_key = 1 AND i.is_disabled = 0"),
            "AND CAST(SERVERPROPERTY('EngineEdition') AS int) NOT IN (6, 11) ORDER BY k.key_ordinal",
        ]
    )


def _catalogue(relation: Relation, view: str) -> str:
    """A catalogue view of the relation's own database."""
    database = exp.to_identifier(relation.database, quoted=True) if relation.database else None
    return exp.Table(this=exp.to_identifier(view), db=exp.to_identifier("sys"), catalog=database).sql(dialect="tsql")


def _object_id(relation: Relation) -> str:
    name = exp.National(this=relation.ast().sql(dialect="tsql")).sql(dialect="tsql")
    return "".join(["OBJECT_ID(", name, ")"])
