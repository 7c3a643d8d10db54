"""Writes Firebolt: COPY of Parquet files, or INSERTs of many rows, into a private table; a swap in one transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.firebolt import SPEC, connect, translate
from dvt.connections.firebolt_statement import answered, cancel, new_label, settings
from dvt.connections.landing_ways import Way
from dvt.connections.store_folder import StoreFolder
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.firebolt_copy import carried, copy_sql, credentials, private_folder
from dvt.federation.loaders.landing import Landing, Words, replacing
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.loaders.through_files import Carried, ThroughFiles
from dvt.identifiers import Relation, quote_all
from dvt.types.firebolt_landing import carrier, firebolt_type, is_loaded, literals
from dvt.types.landing_texts import named

if TYPE_CHECKING:
    from firebolt.db import Connection as Session

_PIECE_BYTES = 256 << 10
_DROP_ALL = "drop {kind} {target} cascade"


class FireboltLoader(ThroughFiles, SQLLoader):
    """Writes to one Firebolt database.

    A transaction is a session of its own, whose statements do not commit: that is how the driver has them.
    """

    spec = SPEC
    change_words = ChangeWords(delete="merge", merge="merge")
    files_method = "copy_parquet"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._open: Session | None = None
        self._label = ""

    def connect(self) -> Session:
        """A session of the database."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: Session) -> None:
        """End it, and the transaction that may be open."""
        opened, self._open = self._open, None
        for each in (opened, session):
            if each is not None:
                each.close()

    def interrupt(self, session: Session) -> None:
        """Cancel what runs, over a session of its own: one with a transaction waits for its statement."""
        try:
            other = connect(self.connection)
        except DvtError:
            return  # the server is not there: nothing runs
        try:
            cancel(other, self._label)
        finally:
            other.close()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, its HTTP client, the server or the socket raises."""
        import httpx
        from firebolt.utils.exception import Error, FireboltError

        is_own = isinstance(error, (Error, FireboltError, httpx.HTTPError, httpx.StreamError, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        session = self.session()
        self._label = new_label()
        try:
            found = answered(self._open or session, sql, settings(self.connection, self._label))
        finally:
            self._label = ""
        self.check()
        return found

    def begin(self) -> None:
        """A session that does not commit by itself."""
        self.session()
        self._open = connect(self.connection, self.cancelled, autocommit=False)

    def commit(self) -> None:
        """COMMIT, and the session's end."""
        assert self._open is not None, "it was begun"
        self._open.commit()
        self._end()

    def roll_back(self) -> None:
        """ROLLBACK, and the session's end."""
        if self._open is not None:
            try:
                if self._open.in_transaction:  # a statement that fails may have ended it
                    self._open.rollback()
            finally:
                self._end()

    def _end(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def native_type(self, field: pa.Field) -> str | None:
        """Firebolt's type for a column."""
        return firebolt_type(field.type)

    def column_sql(self, name: str, type_: str) -> str:
        """A column, which may be NULL, whatever the account's default is."""
        return super().column_sql(name, type_) + " null"

    def check_declared(self, type_: str, column: str) -> None:
        """Raise for a type that Firebolt has not, or whose values are not written as literals."""
        if carrier(type_) is None:
            remedy = "Declare another type, for example text"
            raise DataError(f"values are not written to a column of type {type_}", column=column, remedy=remedy)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """COPY of files, where the output names a bucket; INSERTs."""
        for field, native in zip(filling.schema, filling.types, strict=True):
            if not is_loaded(field.type, native):
                message = f"a column of {field.type} is not loaded into {native}: one is not made from the other"
                raise DataError(message, column=field.name, remedy="Cast it in the model, or declare another type")
        return [*self.through_files(filling), LoadMethod("insert", BUFFERED, fill=self._insert)]

    def private_folder(self) -> StoreFolder:
        """In the bucket that the output names; it has to say with which credentials Firebolt reads it."""
        credentials(self.connection, self.literal)
        return private_folder(self.connection)

    def carried(self, field: pa.Field, native: str) -> Carried | None:
        """How a column goes through a file."""
        return carried(native)

    def external(self, private: Relation) -> Relation:
        """The table into which files are copied whose values a query has to make."""
        return private.sibling(self.external_name(private))

    def external_sql(self, external: Relation, columns: str, url: str) -> str:
        """CREATE TABLE."""
        return " ".join(["create table", external.sql(self.dialect), "(", columns, ")"])

    def make_external(self, external: Relation, columns: Sequence[Carried], url: str) -> None:
        """That table, and what the files hold."""
        super().make_external(external, columns, url)
        self._copy(external, [f"c{place}" for place in range(len(columns))], url)

    def insert_files(self, filling: Filling, columns: Sequence[Carried], url: str) -> None:
        """COPY into the private table itself, where it takes all values as they are."""
        if any(column.made_by != "{}" for column in columns):
            super().insert_files(filling, columns, url)
        else:
            self._copy(filling.relation, filling.schema.names, url)

    def _copy(self, relation: Relation, columns: Sequence[str], url: str) -> None:
        self.run(copy_sql(relation, columns, url, credentials(self.connection, self.literal), self.literal))

    def _insert(self, filling: Filling) -> Filled:
        into = ["insert into", filling.relation.sql(self.dialect), "("]
        head = " ".join([*into, quote_all(filling.schema.names, self.dialect), ") values "])
        for rows in _rows(filling):
            self.run(head + ", ".join(rows))
        return Filled()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        return dataclasses.replace(relation, schema=relation.schema or self.connection.first("schema"))

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """The rows anew in a table whose columns stay, which keeps its indexes and views; else drop and rename.

        Both in one transaction. Views that stand on a dropped table go with it only where that is allowed.
        """
        columns = self._same_columns(private, target) if kind == "table" else None
        way = Way.ROWS if columns else Way.TRANSACTION
        words = Words(drop=_DROP_ALL if config.drop_dependents else Words.drop, delete_all="truncate table {target}")
        return replacing(words, way, self.dialect, private, target, kind=kind, columns=columns)


def _rows(filling: Filling) -> Iterator[list[str]]:
    for batch in filling.batches(_PIECE_BYTES):
        columns = [
            named(partial(literals, native=native), column, name, "Firebolt")
            for column, name, native in zip(batch.columns, filling.schema.names, filling.types, strict=True)
        ]
        if batch.num_rows:
            yield ["(" + ", ".join(values) + ")" for values in zip(*columns, strict=True)]
