"""The statements that put a staged SQLite table in place, as plain SQL for any session on the file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dvt.errors import DataError
from dvt.federation.loaders.base import LoadConfig
from dvt.federation.loaders.unique_key import require_unique_key
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.sqlite import affinity

_DIALECT = "sqlite"


@dataclass(frozen=True)
class CatalogueColumn:
    """A column as SQLite's catalogue gives it."""

    name: str
    declared: str
    is_generated: bool


@dataclass(frozen=True)
class Dependent:
    """An index or trigger of a table: its SQL, and for an index the columns (None for an expression)."""

    kind: str
    name: str
    sql: str
    columns: tuple[str | None, ...]


class Catalogue:
    """What `landing_statements` asks of the file."""

    def __init__(self, session: sqlite3.Connection) -> None:
        self._session = session

    def kind(self, relation: Relation) -> str | None:
        """ "table", "view" or None."""
        sql = "select type from main.sqlite_master where name = ? collate nocase and type in ('table', 'view')"
        row = self._session.execute(sql, (relation.name,)).fetchone()
        return row[0] if row else None

    def columns(self, relation: Relation) -> list[CatalogueColumn]:
        """The columns; empty when the relation does not exist."""
        sql = "select name, type, hidden from pragma_table_xinfo(?, ?) where hidden <> 1"
        rows = self._session.execute(sql, (relation.name, relation.schema or "main"))
        return [CatalogueColumn(name, declared, hidden in (2, 3)) for name, declared, hidden in rows]

    def dependents(self, relation: Relation) -> list[Dependent]:
        """Indexes and triggers that would go with the table; those that a constraint made have no SQL."""
        sql = (
            "select type, name, sql from main.sqlite_master where tbl_name = ? collate nocase"
            " and type in ('index', 'trigger') and sql is not null order by type, rowid"
        )
        found = self._session.execute(sql, (relation.name,)).fetchall()
        return [Dependent(kind, name, text, self._index_columns(kind, name)) for kind, name, text in found]

    def _index_columns(self, kind: str, name: str) -> tuple[str | None, ...]:
        if kind != "index":
            return ()
        sql = "select name from pragma_index_info(?, 'main')"
        return tuple(row[0] for row in self._session.execute(sql, (name,)))

    def first_row(self, query: str) -> tuple[object, ...] | None:
        """The first row of a query, None when there is none."""
        row: tuple[object, ...] | None = self._session.execute(query).fetchone()
        return row


def landing_statements(catalogue: Catalogue, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
    """The statements of `BaseLoader.landing_sql`."""
    kind = catalogue.kind(target)
    if config.mode == "table" or kind is None:
        return _replacement(catalogue, private, target, config)
    if kind == "view":
        raise DataError("the target is a view", remedy="Drop it, or run with --full-refresh")
    columns = _common_columns(catalogue, private, target)
    if config.mode == "append":
        return [_insert(private, target, columns)]
    require_unique_key(private, columns, config, _DIALECT, catalogue.first_row)
    index = quote(f"{private.name}_key", _DIALECT)
    key = quote_all(config.unique_key, _DIALECT)
    lookup = " ".join(["create index", f"main.{index}", "on", quote(private.name, _DIALECT), "(", key, ")"])
    if config.mode == "merge":
        return [lookup, *_merge(private, target, columns, config.unique_key)]
    delete = ["delete from", target.sql(_DIALECT), "as t where exists (select 1 from", private.sql(_DIALECT)]
    matches = ["as p where", _matches(config.unique_key), ")"]
    return [lookup, " ".join([*delete, *matches]), _insert(private, target, columns)]


def _replacement(catalogue: Catalogue, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
    # In its newer mode ALTER TABLE checks every view of the file, also those on the table that was just dropped.
    statements = ["pragma legacy_alter_table = on"]
    dependents: list[Dependent] = []
    if kind := catalogue.kind(target):
        if kind == "table":
            dependents = _kept(catalogue, private, target, config)
        statements.append(" ".join(["drop", kind, target.sql(_DIALECT)]))
    rename = ["alter table", private.sql(_DIALECT), "rename to", quote(target.name, _DIALECT)]
    statements += [" ".join(rename), "pragma legacy_alter_table = off"]
    return statements + [dependent.sql for dependent in dependents]


def _kept(catalogue: Catalogue, private: Relation, target: Relation, config: LoadConfig) -> list[Dependent]:
    new = {column.name.lower() for column in catalogue.columns(private)}
    kept = []
    for dependent in catalogue.dependents(target):
        missing = [column for column in dependent.columns if column is not None and column.lower() not in new]
        if not missing:
            kept.append(dependent)
        elif not config.drop_dependents:
            raise DataError(
                f"index {dependent.name} needs the column, which the new table has not",
                column=missing[0],
                remedy="Drop the index, or run with --full-refresh",
            )
    return kept


def _common_columns(catalogue: Catalogue, private: Relation, target: Relation) -> list[str]:
    """The private table's columns, each of which the target must have with a type that stores the same."""
    known = {column.name.lower(): column for column in catalogue.columns(target)}
    names = []
    for column in catalogue.columns(private):
        there = known.get(column.name.lower())
        if there is None or there.is_generated:
            what = "computes the column itself" if there else "has no such column"
            raise DataError(
                f"the target {what}", column=column.name, remedy="Set on_schema_change, or change the model"
            )
        if not _stores_same(affinity(column.declared), affinity(there.declared)):
            raise DataError(
                f"the target declares {there.declared or 'no type'}, the new rows {column.declared}",
                column=column.name,
                remedy="Cast it in the model, or run with --full-refresh",
            )
        names.append(column.name)
    return names


def _stores_same(new: str, there: str) -> bool:
    """Whether a target's affinity leaves values as the private table's affinity stored them."""
    return (
        new == there
        or there == "BLOB"
        or {new, there} <= {"INTEGER", "NUMERIC"}
        or (new, there)
        == (
            "REAL",
            "NUMERIC",
        )
    )


def _insert(private: Relation, target: Relation, columns: list[str]) -> str:
    names = quote_all(columns, _DIALECT)
    return " ".join(["insert into", target.sql(_DIALECT), "(", names, ") select", names, "from", private.sql(_DIALECT)])


def _merge(private: Relation, target: Relation, columns: list[str], key: tuple[str, ...]) -> list[str]:
    """Update what matches, then insert what did not; the private table has a row id, the target may have none."""
    old, new = target.sql(_DIALECT), private.sql(_DIALECT)
    names = quote_all(columns, _DIALECT)
    keys = {name.lower() for name in key}
    changed = [quote(name, _DIALECT) for name in columns if name.lower() not in keys]
    matches = _matches(key)
    statements = []
    if changed:
        assignments = ", ".join(f"{name} = p.{name}" for name in changed)
        statements.append(" ".join(["update", old, "as t set", assignments, "from", new, "as p where", matches]))
    matched = ["select p.rowid from", old, "as t join", new, "as p on", matches]
    insert = ["insert into", old, "(", names, ") select", names, "from", new, "where rowid not in ("]
    statements.append(" ".join([*insert, *matched, ")"]))
    return statements


def _matches(key: tuple[str, ...]) -> str:
    """Equal keys, letter for letter, whatever collation the target's column has."""
    names = [quote(name, _DIALECT) for name in key]
    return " and ".join(f"t.{name} = p.{name} collate binary" for name in names)
