"""What a landing asks of a DuckDB catalogue, and what a table's replacement keeps of the old one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvt.connections.duckdb import literal
from dvt.errors import DataError
from dvt.federation.loaders.config import LoadConfig
from dvt.identifiers import Relation, quote
from dvt.types.duckdb import exact_cast

if TYPE_CHECKING:
    import duckdb

_DIALECT = "duckdb"
# The parts of a relation in the catalogue's functions; a part that is not given is the session's current one.
_WHERE = (
    "where database_name = coalesce(?, current_database()) and schema_name = coalesce(?, current_schema())"
    " and lower({name}) = lower(?)"
)


@dataclass(frozen=True)
class CatalogueColumn:
    """A column as DuckDB's catalogue gives it."""

    name: str
    type: str
    comment: str | None
    is_generated: bool


class Catalogue:
    """What a landing asks of the database."""

    def __init__(self, session: duckdb.DuckDBPyConnection) -> None:
        self._session = session

    def kind(self, relation: Relation) -> str | None:
        """ "table", "view" or None."""
        if self._rows("select 1 from duckdb_tables()", "table_name", relation):
            return "table"
        return "view" if self._rows("select 1 from duckdb_views()", "view_name", relation) else None

    def comment(self, relation: Relation) -> str | None:
        """The table's comment."""
        rows = self._rows("select comment from duckdb_tables()", "table_name", relation)
        return str(rows[0][0]) if rows and rows[0][0] is not None else None

    def columns(self, relation: Relation) -> list[CatalogueColumn]:
        """The columns, in order."""
        # DuckDB before 2.0 does not tell generated columns; it refuses to insert into one by itself.
        shape = {column[0] for column in self._session.execute("describe from duckdb_columns()").fetchall()}
        generated = "is_generated" if "is_generated" in shape else "false"
        select = ["select column_name, data_type, comment,", generated, "from duckdb_columns()"]
        rows = self._rows(" ".join(select), "table_name", relation, "order by column_index")
        return [CatalogueColumn(str(n), str(t), None if c is None else str(c), bool(g)) for n, t, c, g in rows]

    def indexes(self, relation: Relation) -> list[str]:
        """The CREATE INDEX statements of the table's indexes; those of constraints are not among them."""
        rows = self._rows("select sql from duckdb_indexes()", "table_name", relation, "order by index_oid")
        return [str(row[0]) for row in rows if row[0]]

    def _rows(self, select: str, name: str, relation: Relation, order: str = "") -> list[tuple[object, ...]]:
        sql = " ".join([select, _WHERE.format(name=name), order])
        parts = [relation.database, relation.schema, relation.name]
        rows: list[tuple[object, ...]] = self._session.execute(sql, parts).fetchall()
        return rows


def kept(catalogue: Catalogue, private: Relation, config: LoadConfig) -> list[str]:
    """The statements that give the new table the comments and indexes of the one that it replaces."""
    target = config.relation
    name = target.sql(_DIALECT)
    statements = []
    if comment := catalogue.comment(target):
        statements.append(" ".join(["comment on table", name, "is", literal(comment)]))
    new = {column.name.lower() for column in catalogue.columns(private)}
    for column in catalogue.columns(target):
        if column.comment and column.name.lower() in new:
            place = f"{name}.{quote(column.name, _DIALECT)}"
            statements.append(" ".join(["comment on column", place, "is", literal(column.comment)]))
    return statements + (catalogue.indexes(target) if config.keep_indexes else [])


def casts(catalogue: Catalogue, private: Relation, target: Relation) -> dict[str, str | None]:
    """For each column of the private table the expression that gives it the target's type, exactly."""
    known = {column.name.lower(): column for column in catalogue.columns(target)}
    casts: dict[str, str | None] = {}
    for column in catalogue.columns(private):
        there = known.get(column.name.lower())
        if there is None or there.is_generated:
            what = "computes the column itself" if there else "has no such column"
            raise DataError(
                f"the target {what}", column=column.name, remedy="Set on_schema_change, or change the model"
            )
        quoted = f"s.{quote(column.name, _DIALECT)}"
        casts[column.name] = exact_cast(quoted, column.name, column.type, there.type)
    return casts
