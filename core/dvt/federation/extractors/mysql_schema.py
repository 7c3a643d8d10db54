"""Columns of relations from the catalogue and of queries from the result's field descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.mysql_errors import ServerError
from dvt.connections.mysql_session import Session
from dvt.connections.mysql_wire import Field
from dvt.federation.extractors.base import TableStatistics
from dvt.federation.extractors.mysql_values import ColumnReader
from dvt.federation.extractors.unknown_columns import unknown_column
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation
from dvt.types.mysql import FIELD_TYPES, NativeType, carried, parse_type

_BINARY_CHARSET = 63
_UNSIGNED = 32
_NO_SUCH_TABLE = 1146
# Character sets that a constant of any characters can be compared with; `utf8` is that of three bytes.
_UNICODE = ("utf8mb4", "utf16", "utf32", "binary")


@dataclass(frozen=True)
class CatalogueColumn:
    """A column as the server's catalogue has it.

    Args:
        name: Its name.
        native: Its type; JSON where MariaDB's check says so.
        collation: None for columns that are not text.
        nullable: Whether it may be NULL.
        extra: "auto_increment", "STORED GENERATED", "INVISIBLE" and the like.
        comment: Its comment.
    """

    name: str
    native: NativeType
    collation: str | None
    nullable: bool
    extra: str
    comment: str


def text_literal(text: str) -> str:
    """A text as a literal for a statement."""
    return exp.Literal.string(text).sql(dialect="mysql")


def catalogue(session: Session, relation: Relation) -> list[CatalogueColumn]:
    """All columns of a table or view, as the server resolves its name.

    Raises:
        ServerError: 1146 when it does not exist.
    """
    found = session.rows(" ".join(["show full columns from", relation.sql("mysql")]))
    checked = _json_columns(session, relation) if any(_may_be_json(row[1], row[2]) for row in found) else frozenset()
    columns = []
    for name, type_, collation, null, _, _, extra, _, comment in found:
        native = NativeType("json", "json") if name in checked else parse_type(type_ or "")
        columns.append(
            CatalogueColumn(name or "", native, collation, null != "NO", (extra or "").upper(), comment or "")
        )
    return columns


def table_statistics(session: Session, relation: Relation) -> TableStatistics | None:
    """What the storage engine says of a table; None for a view, and for what is not there.

    InnoDB says 0 rows of a table that it has not looked at yet, too: then they are not known.
    """
    found = session.rows(
        " ".join(
            [
                "select table_rows, data_length from information_schema.tables",
                *("where table_schema =", text_literal(relation.schema or "")),
                *("and table_name =", text_literal(relation.name)),
                "and table_type = 'BASE TABLE'",
            ]
        )
    )
    if not found:
        return None
    rows, size = found[0]
    return TableStatistics(int(rows or 0) or None, int(size) if size is not None else None)


def primary_key(session: Session, relation: Relation) -> tuple[str, ...]:
    """The columns of the primary key in its order; none for a view, and for what is not there."""
    try:
        found = session.rows(" ".join(["show keys from", relation.sql("mysql"), "where key_name = 'PRIMARY'"]))
    except ServerError as error:
        if error.errno != _NO_SUCH_TABLE:
            raise
        return ()
    # Table, whether it is unique, the key's name, the column's place, its name.
    return tuple(row[4] for row in sorted(found, key=lambda row: int(row[3] or 0)) if row[4])


def _may_be_json(type_: str | None, collation: str | None) -> bool:
    return type_ == "longtext" and (collation or "").startswith("utf8mb4")


def _json_columns(session: Session, relation: Relation) -> frozenset[str]:
    """MariaDB's JSON columns: LONGTEXT with the check json_valid(column), under the column's name."""
    if not session.server.is_mariadb:
        return frozenset()
    rows = session.rows(
        " ".join(
            [
                "select constraint_schema, table_name, constraint_name, check_clause",
                "from information_schema.check_constraints",
                *("where constraint_schema =", text_literal(relation.schema or "")),
                *("and table_name =", text_literal(relation.name)),
            ]
        )
    )
    return frozenset(
        name
        for _, _, name, clause in rows
        if name and (clause or "").replace(" ", "").lower() == f"json_valid(`{name.replace('`', '``')}`)".lower()
    )


def relation_readers(
    connection: Connection, columns: Sequence[CatalogueColumn], wanted: Sequence[str] | None, relation: Relation
) -> list[ColumnReader]:
    """Readers for a relation's columns: those wanted, or all that `select *` gives.

    Raises:
        RelationNotFoundError: A wanted column does not exist.
    """
    known = {column.name: column for column in columns}
    if wanted is None:
        wanted = [column.name for column in columns if "INVISIBLE" not in column.extra]
    readers = []
    for name in wanted:
        if name not in known:
            raise unknown_column(name, known, connection.name, str(relation))
        column = known[name]
        readers.append(_reader(connection, name, column.native, column.nullable, _charset(column.collation)))
    return readers


def field_readers(connection: Connection, fields: Sequence[Field]) -> list[ColumnReader]:
    """Readers for a query's columns. Whether they can be NULL is not known."""
    return [_reader(connection, field.name, _field_type(field), True) for field in fields]


def _field_type(field: Field) -> NativeType:
    text, binary = FIELD_TYPES.get(field.type_code, ("text", "blob"))
    base = binary if field.charset == _BINARY_CHARSET else text
    is_unsigned = bool(field.flags & _UNSIGNED)
    if base == "decimal":
        # The longest text has a point and a sign besides the digits.
        precision = field.length - (field.decimals > 0) - (not is_unsigned)
        return NativeType(base, f"decimal({precision},{field.decimals})", (precision, field.decimals), is_unsigned)
    if base == "bit":
        return NativeType(base, f"bit({field.length})", (field.length,))
    return NativeType(base, base + (" unsigned" if is_unsigned and base.endswith("int") else ""), (), is_unsigned)


def _charset(collation: str | None) -> str:
    """The characters that a column is limited to; empty when it is all of Unicode, or no text at all."""
    charset = (collation or "").split("_", 1)[0]
    return "" if charset in _UNICODE else charset


def _reader(connection: Connection, name: str, native: NativeType, nullable: bool, encoding: str = "") -> ColumnReader:
    zero_dates = str(connection.options["zero_dates"])
    may_turn_null = zero_dates == "null" and native.base in ("date", "datetime", "timestamp")
    type_ = carried(native, time_as=str(connection.options["time_as"]))
    return ColumnReader(ColumnSchema(name, type_, nullable or may_turn_null, native.text, encoding), native, zero_dates)


def exact_expressions(readers: Sequence[ColumnReader]) -> dict[str, exp.Expr]:
    """What is asked for in place of columns whose text the server rounds.

    FLOAT is printed with six digits and DOUBLE(m,d) with d decimals; as a double both are printed in full. The
    product with one keeps the sign of zero and works on servers that have no cast to double.
    """
    return {
        reader.schema.name: exp.Mul(
            this=exp.column(exp.to_identifier(reader.schema.name, quoted=True)), expression=exp.Literal.number("1e0")
        )
        for reader in readers
        if reader.native.base == "float" or (reader.native.base == "double" and reader.native.parameters)
    }
