"""Writes Athena: Parquet files in a folder of their own, a table over them, and one update of Glue's table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.athena import SPEC, QueryFailedError, translate
from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, DataError, DvtError
from dvt.federation.extractors.s3_parquet import S3Folder
from dvt.federation.loaders.athena_changes import rewritten
from dvt.federation.loaders.athena_session import AthenaSession
from dvt.federation.loaders.athena_swap import Statement, append, as_statement, rename, require_plain, swap
from dvt.federation.loaders.bucket_files import ParquetForm
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.filling import Filling, LoadMethod
from dvt.federation.loaders.landing import Landing, Words
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote
from dvt.types.athena_landing import Stored, athena_type, stored

# Athena's own words for names; it takes no others in tables that it makes.
_NAME = re.compile(r"[A-Za-z0-9_]+")
_HIVE = re.compile(
    r"(?is)^\s*(?:/\*.*?\*/\s*)*(?P<words>create (?:schema|database)|drop (?:table|schema))\b(?P<rest>.*)$"
)


class AthenaLoader(SQLLoader):
    """Writes to the tables of one Glue catalogue that are files. There are no transactions.

    A table's files lie in a folder of their own; Glue's table says where. So a table is replaced by one update of that,
    columns and place together, which readers see as a whole. What a query that has begun may still read stays for a
    time.
    """

    spec = SPEC
    words = Words(
        rename="alter table {private} rename to {target}", exchange="alter table {target} exchange with {private}"
    )
    change_words = ChangeWords(merge="replace")
    create_schema_words = "create schema if not exists"
    begins = ""

    def connect(self) -> AthenaSession:
        """The clients; nothing is sent yet."""
        return AthenaSession(self.connection, self.cancelled)

    def disconnect(self, session: AthenaSession) -> None:
        """End them."""
        session.close()

    def interrupt(self, session: AthenaSession) -> None:
        """Stop what runs."""
        session.stop()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What AWS's clients, S3's writer or the service raise."""
        from botocore.exceptions import BotoCoreError, ClientError

        is_own = isinstance(error, (BotoCoreError, ClientError, QueryFailedError, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement: Athena's, or one of those that stand for calls of Glue's API (`athena_swap`)."""
        session: AthenaSession = self.session()
        statement = as_statement(sql)
        if statement is not None:
            keep_s = int(self.connection.options["keep_files_s"])
            calls = {"rename": rename, "exchange": swap, "append": append}
            calls[statement.kind](session, self._own(statement), keep_s)
            return
        hive = _HIVE.match(sql)
        if hive is not None:  # Hive's words have other quotes, and drop what is below by themselves
            sql = hive["words"] + re.sub(r"(?i)\s+cascade\s*$", "", hive["rest"]).replace('"', "`")
        session.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result, as texts."""
        session: AthenaSession = self.session()
        return session.rows(sql)

    def _own(self, statement: Statement) -> Statement:
        return Statement(statement.kind, self.qualified(statement.target), self.qualified(statement.private))

    def native_type(self, field: pa.Field) -> str | None:
        """Hive's type for a column."""
        return athena_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """A declared type is one of those that files can be written for."""
        if stored(type_) is None:
            raise ConfigurationError(
                f"the declared type {type_!r} is none of Athena's that dvt fills",
                column=column,
                remedy="Correct data_type in the model's contract, or declare varchar",
            )

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE EXTERNAL TABLE over a folder that is empty yet."""
        _check_names(relation, schema.names)
        session: AthenaSession = self.session()
        columns = [self.column_sql(n, c.native) for n, c in zip(schema.names, _columns(types), strict=True)]
        name = relation.sql("hive")
        made = ["create external table", name, "(", ", ".join(columns), ") stored as parquet location"]
        session.rows(" ".join([*made, self.literal(session.new_folder(relation).url)]))

    def column_sql(self, name: str, type_: str) -> str:
        """Hive's words."""
        return " ".join([quote(name.lower(), "hive"), type_])

    @classmethod
    def landed_by_executors(cls, connection: Connection) -> str:
        """The table's files."""
        return "as files in the table's own folder"

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Parquet files, which are the table's."""
        by_files = BucketLoad(
            "parquet_files",
            folder=lambda: self._folder_of(filling.relation),
            columns=lambda: _file_columns(filling),
            load=lambda files: None,
            form=ParquetForm(timestamps="ms"),
            is_kept=True,
        )
        return by_files.methods(filling)

    def _folder_of(self, relation: Relation) -> S3Folder:
        session: AthenaSession = self.session()
        table = session.table(relation)
        if table is None:
            raise DataError(f"{relation} has gone", remedy="Run it again")
        return session.folder_at(table["StorageDescriptor"]["Location"])

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema. Athena's names have no upper case."""
        schema = relation.schema or self.connection.first("schema", default="default")
        return Relation(relation.name.lower(), str(schema).lower())

    def has_schema(self, name: str) -> bool:
        """Whether there is a database of that name."""
        session: AthenaSession = self.session()
        try:
            session.glue.get_database(Name=name)
        except session.glue.exceptions.EntityNotFoundException:
            return False
        return True

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        session: AthenaSession = self.session()
        found = session.table(relation)
        return None if found is None else "view" if found.get("TableType") == "VIRTUAL_VIEW" else "table"

    def remove(self, relation: Relation) -> None:
        """Take a private table and its files away, and what was made beside it."""
        session: AthenaSession = self.session()
        for name in (relation, _next(relation)):
            session.drop(name)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """One update of Glue's table."""
        session: AthenaSession = self.session()
        if kind == "table":
            require_plain(session.table(target) or {})
        return super().replacing(private, target, kind, config)

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """An append of files where they are of the target's columns; else the whole table written anew, by one query
        into a folder of its own, and swapped."""
        session: AthenaSession = self.session()
        new, old = session.table(private) or {}, session.table(target) or {}
        require_plain(old)
        changes = self.changes(private, target, config)
        if config.mode == "append" and _types(new).items() <= _types(old).items() and session.is_own(_at(old)):
            return [f"alter table {target.sql(self.dialect)} append files of {private.sql(self.dialect)}"]
        if config.mode != "append":
            self.require_unique_key(private, changes.values, config)
        following = _next(private)
        location = self.literal(session.new_folder(following).url)
        query = rewritten(changes, config.mode, _types(old), set(_types(new)))
        made = ["create table", following.sql(self.dialect), _stored_as(location), "as\n"]
        swapped = self.words.exchange.format(target=target.sql(self.dialect), private=following.sql(self.dialect))
        return [" ".join(made) + query, swapped]

    def creating(self, relation: Relation, query: str) -> list[str]:
        """CREATE TABLE AS, into a folder of its own."""
        session: AthenaSession = self.session()
        relation = self.qualified(relation)
        location = self.literal(session.new_folder(relation).url)
        return [" ".join(["create table", relation.sql(self.dialect), _stored_as(location), "as\n"]) + query]


def _stored_as(location: str) -> str:
    return f"with (format = 'PARQUET', write_compression = 'SNAPPY', external_location = {location})"


def _next(private: Relation) -> Relation:
    return private.sibling(f"{private.name}_next")


def _types(table: dict[str, Any]) -> dict[str, str]:
    """Glue's columns, and their types."""
    return {column["Name"]: column["Type"] for column in table.get("StorageDescriptor", {}).get("Columns", [])}


def _at(table: dict[str, Any]) -> str:
    return str(table.get("StorageDescriptor", {}).get("Location", ""))


def _columns(types: Sequence[str]) -> list[Stored]:
    found = [stored(native) for native in types]
    return [column for column in found if column is not None]


def _file_columns(filling: Filling) -> FileColumns:
    """Under the names that Glue has, by which files are read."""
    columns, names = _columns(filling.types), filling.schema.names
    found = FileColumns.of((c.type for c in columns), (c.values for c in columns), names, "Athena")
    return found.under([name.lower() for name in names])


def _check_names(relation: Relation, names: Sequence[str]) -> None:
    """Raise for names that Athena does not take, or takes for one."""
    if not _NAME.fullmatch(relation.name):
        raise DataError(
            f"Athena's names have letters, digits and underscores: {relation.name!r}", remedy="Set an alias"
        )
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name) or name.lower() in seen:
            why = "is there twice, in upper and lower case" if name.lower() in seen else "has other characters"
            raise DataError(
                f"Athena's names have letters of one case, digits and underscores, and {name!r} {why}",
                column=name,
                remedy="Give the column another name in the model",
            )
        seen.add(name.lower())
