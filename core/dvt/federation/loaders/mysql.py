"""Writes MySQL and MariaDB: LOAD DATA LOCAL from the stream, then one RENAME or one transaction."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.mysql import SPEC, default_database, open_session, spec_for
from dvt.connections.mysql_errors import ServerError, translate
from dvt.connections.spec import ConnectionSpec
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.jdbc_fill import JdbcTexts
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote
from dvt.types.mysql import native_type

if TYPE_CHECKING:
    from dvt.connections.mysql_session import Server, Session
    from dvt.federation.loaders.mysql_cells import ColumnWriter

_NO_SUCH = frozenset({1146, 1049})


class MySQLLoader(SQLLoader):
    """Writes to one MySQL or MariaDB server.

    Text columns of new tables get a binary collation that does not ignore trailing spaces, where the server has one:
    what differs in the source differs here.
    """

    spec = SPEC
    interrupt_is_final = True

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec under the name "mysql" or "mariadb"."""
        return spec_for(type_)

    def connect(self) -> Session:
        """A session without a current database: the landing's may not exist yet."""
        return open_session(self.connection, None, self.cancelled)

    def disconnect(self, session: Session) -> None:
        """End it."""
        session.close()

    def interrupt(self, session: Session) -> None:
        """Kill the session on the server; what fills a table has a moment to stop by itself."""
        session.interrupt()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the server or the socket raises."""
        if not isinstance(error, (ServerError, OSError)):
            return None
        return translate(error, self.connection, phase=phase, relation=relation)

    def run(self, sql: str) -> None:
        """Run one statement; rows that the server had to change are an error."""
        from dvt.federation.loaders.mysql_fill import require_no_warnings

        session: Session = self.session()
        done = session.run(sql)
        if done.warning_count and sql.startswith(("insert", "update")):
            require_no_warnings(session, Relation("the target"), "land")

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result, as texts."""
        return list(self.session().rows(sql))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Rows change in one transaction, which each DDL statement ends."""
        session: Session = self.session()
        session.run("set session autocommit = 0")
        try:
            yield
            session.run("commit")
        except BaseException:
            with contextlib.suppress(ServerError, OSError):
                session.run("rollback")
            raise
        finally:
            with contextlib.suppress(ServerError, OSError):
                session.run("set session autocommit = 1")

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """An InnoDB table."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        options = ["engine = InnoDB default character set = utf8mb4 collate =", collation(self.session().server)]
        self.run(" ".join(["create table", relation.sql("mysql"), "(", ", ".join(columns), ")", *options]))

    def column_sql(self, name: str, type_: str) -> str:
        """NULL is said aloud: a TIMESTAMP would otherwise be NOT NULL on some servers, with the time of the change."""
        return " ".join([quote(name, "mysql"), type_, "" if "not null" in type_.lower() else "null"])

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """LOAD DATA from the stream, or INSERT where the server or the output forbids it."""
        return [
            LoadMethod("load_data", lacks=self._why_no_load_data, fill=self._load_data),
            LoadMethod("insert", BUFFERED, fill=self._insert),
        ]

    def _why_no_load_data(self) -> str | None:
        if not self.connection.options["local_infile"]:
            return "dvt.local_infile is false"
        return None if self.session().server.allows_local_infile else "the server's local_infile is off"

    def over_jdbc(self, filling: Filling) -> JdbcTexts | None:
        """The texts of LOAD DATA; bytes go as they are."""
        if not filling.types:  # there is nothing to load yet
            return []
        return [partial(_text_or_bytes, writer) for writer in self._writers(filling)]

    def _load_data(self, filling: Filling) -> Filled:
        from dvt.federation.loaders import mysql_fill

        batches = filling.batches(mysql_fill.PART_BYTES)
        mysql_fill.load_data(self.session(), filling.relation, self._writers(filling), batches)
        return Filled()

    def _insert(self, filling: Filling) -> Filled:
        from dvt.federation.loaders import mysql_fill

        batches = filling.batches(mysql_fill.PART_BYTES)
        mysql_fill.insert(self.session(), filling.relation, self._writers(filling), batches)
        return Filled()

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """A RENAME for a table; statements of one transaction, after DDL on the private table, for the other modes."""
        from dvt.federation.loaders.mysql_landing import MySQLLanding

        config = dataclasses.replace(config, relation=self.qualified(config.relation))
        with self.guarded("land", config.relation):
            statements = MySQLLanding(self.session(), self.qualified(private), config).statements()
            return Landing(self.spec.landing, tuple(statements))

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view, None when it does not exist."""
        from dvt.federation.extractors.mysql_schema import catalogue, relation_readers

        relation = self.qualified(relation)
        with self.guarded("describe", relation):
            try:
                columns = catalogue(self.session(), relation)
            except ServerError as error:
                if error.errno in _NO_SUCH:
                    return None
                raise
            return [reader.schema for reader in relation_readers(self.connection, columns, None, relation)]

    def ensure_schema(self, relation: Relation) -> None:
        """Create the relation's database when it is missing."""
        schema = self.qualified(relation).schema or ""
        with self.guarded("land", relation):
            if not self.has_schema(schema):
                created = ["create database if not exists", quote(schema, "mysql"), "character set utf8mb4"]
                self.run(" ".join(created))

    def native_type(self, field: pa.Field) -> str | None:
        """A column's type; before a login, that of the type that the profile names."""
        is_mariadb = self._session.server.is_mariadb if self._session else self.connection.type == "mariadb"
        return native_type(field.type, is_mariadb=is_mariadb)

    def check_declared(self, type_: str, column: str) -> None:
        """BIT is not loaded."""
        if type_.lower().startswith("bit"):
            remedy = "Declare a number or text"
            raise DataError("loading into BIT is not supported", column=column, phase="load", remedy=remedy)

    def _writers(self, filling: Filling) -> list[ColumnWriter]:
        from dvt.federation.loaders.mysql_cells import ColumnWriter

        server = self.session().server
        return [
            ColumnWriter(
                field.name,
                field.type,
                native,
                has_unsigned_timestamps=server.is_mariadb and server.numbers >= (11, 5),
                max_value_length=server.max_packet_bytes,
            )
            for field, native in zip(filling.schema, filling.types, strict=True)
        ]

    def qualified(self, relation: Relation) -> Relation:
        """With the default database: the session has none."""
        if relation.schema:
            return relation
        return dataclasses.replace(relation, schema=default_database(self.connection))

    def literal(self, text: str) -> str:
        """A text as the server reads it, whatever its SQL mode says of backslashes."""
        from dvt.federation.extractors.mysql_schema import text_literal

        return text_literal(text)


def _text_or_bytes(writer: ColumnWriter, values: pa.Array) -> pa.Array:
    return values if writer.is_hex else writer.text(values)


def collation(server: Server) -> str:
    """The collation of text columns: by bytes, and not ignoring trailing spaces where the server can."""
    if server.is_mariadb:
        return "utf8mb4_nopad_bin" if server.numbers >= (10, 2, 2) else "utf8mb4_bin"
    return "utf8mb4_0900_bin" if server.numbers >= (8, 0, 17) else "utf8mb4_bin"
