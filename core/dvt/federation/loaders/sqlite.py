"""Writes SQLite files with the standard library's driver; a table is replaced in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from dvt.connections.sqlite import SPEC, connect, own, translate
from dvt.errors import DataError, UnsupportedError
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult
from dvt.federation.loaders.sqlite_landing import Catalogue, landing_statements
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.sqlite import affinity, arrow_type, declared_type
from dvt.types.sqlite_write import value_writer


class SQLiteLoader(BaseLoader):
    """One writing session on one file."""

    spec = SPEC
    _session: sqlite3.Connection | None = None

    def stage(
        self,
        stream: RowStream,
        relation: Relation,
        *,
        declared: Mapping[str, str] | None = None,
        batch_rows: int = 10_000,
    ) -> LoadResult:
        """Create the private table and insert batch by batch.

        Each batch is a transaction of its own, because SQLite has one writer per file: a transaction around the whole
        would keep every other model out while this one waits for its source. Nobody reads the private table, and it
        is dropped when a batch fails.
        """
        relation = own(relation)
        started = time.monotonic()
        types = self._declared(stream.schema, declared or {}, relation)
        self._create(stream.schema, types, relation)
        try:
            self._insert(stream, types, relation, batch_rows)
            if declared:
                self._check_texts(stream.schema, types, relation)
            with self._errors("load", relation):
                count = " ".join(["select count(*) from", relation.sql("sqlite")])
                rows = int(self._open().execute(count).fetchone()[0])
        except BaseException:
            self.drop(relation)
            raise
        return LoadResult(rows, stream.bytes_read, "insert", time.monotonic() - started)

    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """Drop and rename, with the old table's indexes and triggers; or the statements of an incremental mode."""
        private = own(private)
        with self._errors("land", config.relation):
            try:
                return landing_statements(Catalogue(self._open()), private, own(config.relation), config)
            except DataError as error:
                raise error.at(connection=self.connection.name, relation=str(config.relation), phase="land") from None

    def execute(self, statements: list[str]) -> None:
        """Run statements in one transaction."""
        session = self._open()
        with self._errors("land", None):
            session.execute("begin immediate")
            try:
                for statement in statements:
                    session.execute(statement)
                session.execute("commit")
            except BaseException:
                if session.in_transaction:
                    session.execute("rollback")
                raise

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view; a declared type that says nothing is described as text."""
        with self._errors("describe", relation):
            columns = Catalogue(self._open()).columns(own(relation))
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
        self._open()

    def drop(self, relation: Relation) -> None:
        """Drop a private table if it exists."""
        with self._errors("load", relation):
            self._open().execute(" ".join(["drop table if exists", own(relation).sql("sqlite")]))

    def cancel(self) -> None:
        """End the running statement; the session stays usable, so that the private table can be dropped."""
        if self._session is not None:
            self._session.interrupt()

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def native_types(self, schema: pa.Schema) -> list[str]:
        """The declared types under which an Arrow schema lands."""
        return [declared_type(field.type, field.name) for field in schema]

    def _declared(self, schema: pa.Schema, declared: Mapping[str, str], relation: Relation) -> list[str]:
        try:
            return [declared.get(field.name) or declared_type(field.type, field.name) for field in schema]
        except DataError as error:
            raise error.at(connection=self.connection.name, relation=str(relation)) from None

    def _create(self, schema: pa.Schema, types: list[str], relation: Relation) -> None:
        # A type is SQL text, not an identifier: quoting it would change how SQLite stores it.
        columns = ", ".join(" ".join([quote(f.name, "sqlite"), t]) for f, t in zip(schema, types, strict=True))
        with self._errors("load", relation):
            self._open().execute("".join(["create table ", relation.sql("sqlite"), " (", columns, ")"]))

    def _insert(self, stream: RowStream, types: list[str], relation: Relation, batch_rows: int) -> None:
        names = stream.schema.names
        writers = [
            value_writer(field.type, type_, field.name) for field, type_ in zip(stream.schema, types, strict=True)
        ]
        marks = ", ".join("?" * len(names))
        into = [relation.sql("sqlite"), "(", quote_all(names, "sqlite"), ") values (", marks, ")"]
        insert = " ".join(["insert into", *into])
        session = self._open()
        while (batch := stream.read_batch(batch_rows)) is not None:
            with self._errors("load", relation):
                values = [write(column) for write, column in zip(writers, batch.columns, strict=True)]
                session.execute("begin immediate")
                try:
                    session.executemany(insert, zip(*values, strict=True))
                    session.execute("commit")
                except BaseException:
                    if session.in_transaction:
                        session.execute("rollback")
                    raise

    def _check_texts(self, schema: pa.Schema, types: list[str], relation: Relation) -> None:
        """A text in a column with a declared numeric type may have become a number: `007` would be 7."""
        for field, type_ in zip(schema, types, strict=True):
            is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
            if is_number or pa.types.is_decimal(field.type) or pa.types.is_boolean(field.type):
                continue
            if affinity(type_) in ("TEXT", "BLOB"):
                continue
            name = quote(field.name, "sqlite")
            text = ["select", name, "from", relation.sql("sqlite"), "where typeof(", name, ") in ('integer', 'real')"]
            with self._errors("load", relation, field.name):
                changed = self._open().execute(" ".join([*text, "limit 1"])).fetchone()
            if changed is not None:
                raise DataError(
                    f"SQLite would store a text as the number {changed[0]!r}, because the column is declared {type_}",
                    connection=self.connection.name,
                    relation=str(relation),
                    column=field.name,
                    phase="load",
                    remedy="Declare the column text",
                )

    def _open(self) -> sqlite3.Connection:
        if self._session is None:
            self._session = connect(self.connection, writable=True)
        return self._session

    @contextmanager
    def _errors(self, phase: str, relation: Relation | None, column: str | None = None) -> Iterator[None]:
        label = str(relation) if relation else None
        try:
            yield
        except (sqlite3.Error, OverflowError) as error:
            problem = error if isinstance(error, sqlite3.Error) else sqlite3.DataError(str(error))
            raise translate(problem, self.connection, relation=label, column=column, phase=phase) from error
        except DataError as error:
            raise error.at(connection=self.connection.name, relation=label) from error.__cause__
