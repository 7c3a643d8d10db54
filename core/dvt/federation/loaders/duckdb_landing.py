"""The statements that put a staged DuckDB table in place, as plain SQL for any session on the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvt.connections.duckdb import literal
from dvt.errors import DataError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.identifiers import Relation, quote, quote_all
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
    """What `landing_statements` asks of the database."""

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

    def first_row(self, query: str) -> tuple[object, ...] | None:
        """The first row of a query, None when there is none."""
        row: tuple[object, ...] | None = self._session.execute(query).fetchone()
        return row

    def _rows(self, select: str, name: str, relation: Relation, order: str = "") -> list[tuple[object, ...]]:
        sql = " ".join([select, _WHERE.format(name=name), order])
        parts = [relation.database, relation.schema, relation.name]
        rows: list[tuple[object, ...]] = self._session.execute(sql, parts).fetchall()
        return rows


def landing_statements(catalogue: Catalogue, private: Relation, config: LoadConfig) -> list[str]:
    """The statements of `BaseLoader.landing_sql`."""
    target = config.relation
    kind = catalogue.kind(target)
    if config.mode == "table" or kind is None:
        return _replacement(catalogue, private, config, kind)
    if kind == "view":
        raise DataError("the target is a view", remedy="Drop it, or run with --full-refresh")
    columns = _casts(catalogue, private, target)
    if config.mode == "append":
        return [_insert(private, target, columns, "")]
    require_unique_key(private, columns, config, _DIALECT, catalogue.first_row)
    if config.mode == "merge":
        return _merge(private, target, columns, config.unique_key)
    delete = ["delete from", target.sql(_DIALECT), "as t using", private.sql(_DIALECT), "as p where"]
    return [" ".join([*delete, _matches(config.unique_key)]), _insert(private, target, columns, "")]


def _replacement(catalogue: Catalogue, private: Relation, config: LoadConfig, kind: str | None) -> list[str]:
    """Views on the target survive: DuckDB binds them by name when they are read."""
    target = config.relation
    name = target.sql(_DIALECT)
    statements = [" ".join(["drop", kind, name])] if kind else []
    statements.append(" ".join(["alter table", private.sql(_DIALECT), "rename to", quote(target.name, _DIALECT)]))
    if kind != "table":
        return statements
    if comment := catalogue.comment(target):
        statements.append(" ".join(["comment on table", name, "is", literal(comment)]))
    new = {column.name.lower() for column in catalogue.columns(private)}
    for column in catalogue.columns(target):
        if column.comment and column.name.lower() in new:
            place = f"{name}.{quote(column.name, _DIALECT)}"
            statements.append(" ".join(["comment on column", place, "is", literal(column.comment)]))
    return statements + (catalogue.indexes(target) if config.keep_indexes else [])


def _casts(catalogue: Catalogue, private: Relation, target: Relation) -> dict[str, str]:
    """For each column of the private table the expression that gives it the target's type, exactly."""
    known = {column.name.lower(): column for column in catalogue.columns(target)}
    casts = {}
    for column in catalogue.columns(private):
        there = known.get(column.name.lower())
        if there is None or there.is_generated:
            what = "computes the column itself" if there else "has no such column"
            raise DataError(
                f"the target {what}", column=column.name, remedy="Set on_schema_change, or change the model"
            )
        quoted = f"p.{quote(column.name, _DIALECT)}"
        casts[column.name] = exact_cast(quoted, column.name, column.type, there.type)
    return casts


def _insert(private: Relation, target: Relation, columns: dict[str, str], where: str) -> str:
    into = ["insert into", target.sql(_DIALECT), "(", quote_all(columns, _DIALECT), ")"]
    return " ".join(
        [*into, "select", ", ".join(columns.values()), "from", private.sql(_DIALECT), "as p", where]
    ).strip()


def _merge(private: Relation, target: Relation, columns: dict[str, str], key: tuple[str, ...]) -> list[str]:
    """Update what the target has, then insert what it has not; updates change no key."""
    old, new = target.sql(_DIALECT), private.sql(_DIALECT)
    keys = {name.lower() for name in key}
    changed = ", ".join(f"{quote(n, _DIALECT)} = {cast}" for n, cast in columns.items() if n.lower() not in keys)
    matches = _matches(key)
    statements = []
    if changed:
        statements.append(" ".join(["update", old, "as t set", changed, "from", new, "as p where", matches]))
    missing = " ".join(["where not exists (select 1 from", old, "as t where", matches, ")"])
    return [*statements, _insert(private, target, columns, missing)]


def _matches(key: tuple[str, ...]) -> str:
    return " and ".join(f"t.{quote(name, _DIALECT)} = p.{quote(name, _DIALECT)}" for name in key)
