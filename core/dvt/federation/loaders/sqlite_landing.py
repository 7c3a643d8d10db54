"""The statements that put a staged SQLite table in place, as plain SQL for any session on the file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dvt.errors import DataError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.sqlite import affinity

_DIALECT = "sqlite"
_WORDS = ChangeWords(delete="exists", merge="update")
# Equal keys, letter for letter, whatever collation the target's column has.
_EQUAL = "{t} = {s} collate binary"


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


def changes(private: Relation, target: Relation, columns: list[str], config: LoadConfig) -> list[str]:
    """The statements of an incremental mode."""
    changes = _Changes(_WORDS, _DIALECT, private, target, dict.fromkeys(columns), config.unique_key, equal=_EQUAL)
    if config.mode == "append":
        return changes.statements("append")
    index = quote(f"{private.name}_key", _DIALECT)
    key = quote_all(config.unique_key, _DIALECT)
    lookup = " ".join(["create index", f"main.{index}", "on", quote(private.name, _DIALECT), "(", key, ")"])
    return [lookup, *changes.statements(config.mode)]


class _Changes(Changes):
    def absent(self) -> str:
        """By the private table's row ids, over its own index: the target may have neither."""
        matched = ["select s.rowid from", self._target, "join", self._private, "on", self.matches]
        return " ".join(["where s.rowid not in (", *matched, ")"])


def replacement(catalogue: Catalogue, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
    """Drop and rename; indexes and triggers of the old table are made on the new one."""
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


def common_columns(catalogue: Catalogue, private: Relation, target: Relation) -> list[str]:
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
