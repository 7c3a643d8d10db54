"""Writes MySQL and MariaDB: LOAD DATA LOCAL from the stream, then one RENAME or one transaction."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.mysql import SPEC, default_database, open_session, spec_for
from dvt.connections.mysql_errors import ServerError, is_lost, translating
from dvt.connections.spec import ConnectionSpec
from dvt.errors import DataError, DvtError, InterruptedRunError
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote
from dvt.types.mysql import native_type

if TYPE_CHECKING:
    from dvt.connections.mysql_session import Server, Session
    from dvt.federation.loaders.mysql_cells import ColumnWriter

_NO_SUCH = frozenset({1146, 1049})


class MySQLLoader(BaseLoader):
    """Writes to one MySQL or MariaDB server.

    Text columns of new tables get a binary collation that does not ignore trailing spaces, where the server has one:
    what differs in the source differs here.
    """

    spec = SPEC

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: Session | None = None
        self._is_cancelled = threading.Event()

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec under the name "mysql" or "mariadb"."""
        return spec_for(type_)

    def stage(
        self,
        stream: RowStream,
        relation: Relation,
        *,
        declared: Mapping[str, str] | None = None,
        batch_rows: int = 10_000,
    ) -> LoadResult:
        """Create a private InnoDB table, load it, and count it."""
        started = time.monotonic()
        session = self._opened()
        relation = self._qualified(relation)
        with self._guarded("load", relation):
            writers = self._writers(session, stream.schema, declared or {})
            session.run(_create_sql(relation, writers, collation(session.server)))
            try:
                method = self._fill(session, stream, relation, writers, batch_rows)
                counted = self._count(session, relation)
                if counted != stream.rows_read:
                    raise DataError(f"{stream.rows_read} rows were sent, the table holds {counted}")
            except BaseException:
                with contextlib.suppress(ServerError, OSError, DvtError):  # the first error is the one to tell
                    self._drop_anywhere(relation)
                raise
        return LoadResult(counted, stream.bytes_read, method, time.monotonic() - started)

    def _fill(
        self, session: Session, stream: RowStream, relation: Relation, writers: list[ColumnWriter], batch_rows: int
    ) -> str:
        from dvt.federation.loaders import mysql_fill

        batches = mysql_fill.parts(stream, batch_rows)
        if self.connection.options["local_infile"] and session.server.allows_local_infile:
            mysql_fill.load_data(session, relation, writers, batches)
            return "load_data"
        mysql_fill.insert(session, relation, writers, batches)
        return "insert"

    def _count(self, session: Session, relation: Relation) -> int:
        return int(session.rows(" ".join(["select count(*) from", relation.sql("mysql")]))[0][0] or 0)

    def _drop_anywhere(self, relation: Relation) -> None:
        """Drop a table, on a new session where the old one is gone."""
        drop = " ".join(["drop table if exists", relation.sql("mysql")])
        if self._session is not None:
            try:
                self._session.run(drop)
                return
            except (ServerError, OSError) as error:
                if not is_lost(error):
                    raise
        other = open_session(self.connection, None)
        try:
            other.run(drop)
        finally:
            other.close()

    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """A RENAME for a table; statements of one transaction, after DDL on the private table, for the other modes."""
        from dvt.federation.loaders.mysql_landing import Landing

        config = dataclasses.replace(config, relation=self._qualified(config.relation))
        with self._guarded("land", config.relation):
            return Landing(self._opened(), self._qualified(private), config).statements()

    def execute(self, statements: list[str]) -> None:
        """Run statements; rows change in one transaction, which each DDL statement ends."""
        from dvt.federation.loaders.mysql_fill import require_no_warnings

        session = self._opened()
        with self._guarded("land", None):
            session.run("set session autocommit = 0")
            try:
                for statement in statements:
                    done = session.run(statement)
                    if done.warning_count and statement.startswith(("insert", "update")):
                        require_no_warnings(session, Relation("the target"), "land")
                session.run("commit")
            except BaseException:
                with contextlib.suppress(ServerError, OSError):
                    session.run("rollback")
                raise
            finally:
                with contextlib.suppress(ServerError, OSError):
                    session.run("set session autocommit = 1")

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view, None when it does not exist."""
        from dvt.federation.extractors.mysql_schema import catalogue, relation_readers

        relation = self._qualified(relation)
        with self._guarded("describe", relation):
            try:
                columns = catalogue(self._opened(), relation)
            except ServerError as error:
                if error.errno in _NO_SUCH:
                    return None
                raise
            return [reader.schema for reader in relation_readers(self.connection, columns, None, relation)]

    def ensure_schema(self, relation: Relation) -> None:
        """Create the relation's database when it is missing."""
        from dvt.federation.extractors.mysql_schema import text_literal

        schema = self._qualified(relation).schema or ""
        asked = ["select 1 from information_schema.schemata where schema_name =", text_literal(schema)]
        with self._guarded("land", relation):
            session = self._opened()
            if not session.rows(" ".join(asked)):
                created = ["create database if not exists", quote(schema, "mysql"), "character set utf8mb4"]
                session.run(" ".join(created))

    def drop(self, relation: Relation) -> None:
        """Drop a private table if it exists."""
        relation = self._qualified(relation)
        with self._guarded("land", relation):
            self._drop_anywhere(relation)

    def native_types(self, schema: pa.Schema) -> list[str]:
        """Column types for an Arrow schema; before a login, those of the type that the profile names."""
        is_mariadb = self._session.server.is_mariadb if self._session else self.connection.type == "mariadb"
        return self._native_types(schema, {}, is_mariadb)

    def _native_types(self, schema: pa.Schema, declared: Mapping[str, str], is_mariadb: bool) -> list[str]:
        types = []
        for field in schema:
            found = declared.get(field.name) or native_type(field.type, is_mariadb=is_mariadb)
            is_bit = (found or "").lower().startswith("bit")
            if found is None or is_bit:
                raise DataError(
                    f"a {field.type} has no column type here" if found is None else "loading into BIT is not supported",
                    connection=self.connection.name,
                    column=field.name,
                    phase="load",
                    remedy="Cast it in the model" if found is None else "Declare a number or text",
                )
            types.append(found)
        return types

    def _writers(self, session: Session, schema: pa.Schema, declared: Mapping[str, str]) -> list[ColumnWriter]:
        from dvt.federation.loaders.mysql_cells import ColumnWriter

        server = session.server
        natives = self._native_types(schema, declared, server.is_mariadb)
        return [
            ColumnWriter(
                field.name,
                field.type,
                native,
                has_unsigned_timestamps=server.is_mariadb and server.numbers >= (11, 5),
                max_value_length=server.max_packet_bytes,
            )
            for field, native in zip(schema, natives, strict=True)
        ]

    def close(self) -> None:
        """End the session; closing twice is allowed."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def cancel(self) -> None:
        """End a running load from another thread: the session is killed on the server."""
        self._is_cancelled.set()
        session = self._session
        if session is not None:
            session.kill("connection")

    def _opened(self) -> Session:
        if self._is_cancelled.is_set():
            raise InterruptedRunError("the load was cancelled", connection=self.connection.name, phase="load")
        if self._session is None:
            # Without a current database: the landing's may not exist yet.
            self._session = open_session(self.connection, None, self._is_cancelled)
            if self._is_cancelled.is_set():  # while it logged in, when there was nothing to kill
                raise InterruptedRunError("the load was cancelled", connection=self.connection.name, phase="load")
        return self._session

    def _qualified(self, relation: Relation) -> Relation:
        if relation.schema:
            return relation
        return dataclasses.replace(relation, schema=default_database(self.connection))

    def _guarded(self, phase: str, relation: Relation | None) -> AbstractContextManager[None]:
        return translating(self.connection, phase, str(relation) if relation else None, self._is_cancelled)


def collation(server: Server) -> str:
    """The collation of text columns: by bytes, and not ignoring trailing spaces where the server can."""
    if server.is_mariadb:
        return "utf8mb4_nopad_bin" if server.numbers >= (10, 2, 2) else "utf8mb4_bin"
    return "utf8mb4_0900_bin" if server.numbers >= (8, 0, 17) else "utf8mb4_bin"


def _create_sql(relation: Relation, writers: list[ColumnWriter], collate: str) -> str:
    # NULL is said aloud: a TIMESTAMP column would otherwise be NOT NULL on some servers, with the time of the change.
    columns = [
        " ".join([quote(w.name, "mysql"), w.native, "" if "not null" in w.native.lower() else "null"]) for w in writers
    ]
    options = ["engine = InnoDB default character set = utf8mb4 collate =", collate]
    return " ".join(["create table", relation.sql("mysql"), "(", ", ".join(columns), ")", *options])
