"""Writes SQLite files with the standard library's driver; a table is replaced in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.sqlite import SPEC, connect, own, translate
from dvt.errors import DataError, DvtError, UnsupportedError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.loaders.sqlite_landing import Catalogue, changes, common_columns, replacement
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.sqlite import affinity, arrow_type, declared_type
from dvt.types.sqlite_write import value_writer


class SQLiteLoader(SQLLoader):
    """One writing session on one file.

    Each batch is a transaction of its own, because SQLite has one writer per file: a transaction around the whole
    would keep every other model out while this one waits for its source. Nobody reads the private table, and it is
    dropped when a batch fails.
    """

    spec = SPEC
    begins = "begin immediate"

    def connect(self) -> sqlite3.Connection:
        """A session on the file."""
        return connect(self.connection, writable=True)

    def disconnect(self, session: sqlite3.Connection) -> None:
        """End it."""
        session.close()

    def interrupt(self, session: sqlite3.Connection) -> None:
        """End the running statement."""
        session.interrupt()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """SQLite's errors, and numbers that are larger than its own."""
        if not isinstance(error, (sqlite3.Error, OverflowError)):
            return None
        problem = error if isinstance(error, sqlite3.Error) else sqlite3.DataError(str(error))
        return translate(problem, self.connection, relation=relation, phase=phase)

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.session().execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return list(self.session().execute(sql).fetchall())

    def roll_back(self) -> None:
        """Take back what SQLite has not taken back itself."""
        if self._session is not None and self._session.in_transaction:
            self._session.execute("rollback")

    def qualified(self, relation: Relation) -> Relation:
        """SQLite has the schema main and no others."""
        return own(relation)

    def native_type(self, field: pa.Field) -> str | None:
        """The declared type under which a column lands."""
        return declared_type(field.type, field.name)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """INSERT, bound."""
        return [LoadMethod("insert", fill=self._insert)]

    def _insert(self, filling: Filling) -> Filled:
        names = filling.schema.names
        columns = zip(filling.schema, filling.types, strict=True)
        writers = [value_writer(field.type, type_, field.name) for field, type_ in columns]
        marks = ", ".join("?" * len(names))
        into = [filling.relation.sql("sqlite"), "(", quote_all(names, "sqlite"), ") values (", marks, ")"]
        insert = " ".join(["insert into", *into])
        session: sqlite3.Connection = self.session()
        taken = 0
        for batch in filling.batches():
            values = [write(column) for write, column in zip(writers, batch.columns, strict=True)]
            with self.transaction():
                taken += session.executemany(insert, zip(*values, strict=True)).rowcount
        return Filled(taken)

    def accept(self, filling: Filling) -> None:
        """A text in a column with a declared numeric type may have become a number: `007` would be 7."""
        for field, type_ in zip(filling.schema, filling.types, strict=True):
            is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
            if is_number or pa.types.is_decimal(field.type) or pa.types.is_boolean(field.type):
                continue
            if affinity(type_) in ("TEXT", "BLOB"):
                continue
            name = quote(field.name, "sqlite")
            text = ["select", name, "from", filling.relation.sql("sqlite"), "where typeof(", name, ")"]
            changed = self.first_row(" ".join([*text, "in ('integer', 'real') limit 1"]))
            if changed is not None:
                raise DataError(
                    f"SQLite would store a text as the number {changed[0]!r}, because the column is declared {type_}",
                    column=field.name,
                    remedy="Declare the column text",
                )

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        return Catalogue(self.session()).kind(relation)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Drop and rename, with the old table's indexes and triggers."""
        statements = replacement(Catalogue(self.session()), private, target, config)
        return Landing(self.spec.landing, tuple(statements))

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """The statements of an incremental mode."""
        columns = common_columns(Catalogue(self.session()), private, target)
        if config.mode != "append":
            self.require_unique_key(private, columns, config)
        return changes(private, target, columns, config)

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view; a declared type that says nothing is described as text."""
        with self.guarded("describe", relation):
            columns = Catalogue(self.session()).columns(own(relation))
        if not columns:
            return None
        return [ColumnSchema(c.name, arrow_type(c.declared) or pa.string(), True, c.declared) for c in columns]

    def ensure_schema(self, relation: Relation) -> None:
        """SQLite has the schema main and no others."""
        if own(relation).schema != "main":
            raise UnsupportedError(
                f"SQLite has no schema '{relation.schema}'",
                connection=self.connection.name,
                relation=str(relation),
                remedy="Set `schema: main`",
            )
        self.session()
