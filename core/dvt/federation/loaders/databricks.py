"""Writes Databricks: Parquet through a volume and COPY INTO, or bound rows; each change of a table is one statement."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.databricks import SPEC, connect
from dvt.connections.databricks_errors import translate
from dvt.connections.databricks_statement import cancel, end
from dvt.connections.landing_ways import Way
from dvt.connections.shared_folder import private_folder
from dvt.errors import ConfigurationError, DataError, DvtError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.databricks_fill import (
    copy_sql,
    documents,
    file_columns,
    insert_sql,
    literal,
    parquet_files,
)
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing, Words
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation
from dvt.types.databricks_landing import carrier, databricks_type, why_not

if TYPE_CHECKING:
    from databricks.sql.client import Connection as Session
    from databricks.sql.client import Cursor

_VOLUME = re.compile(r"/Volumes(?:/[^/]+){3,}/?")
_FILES = 200
_MOST_NAMED = 1000  # COPY INTO takes no longer list
# Delta takes these in a column's name only where columns have names apart from those in its files.
_ODD = re.compile(r"[ ,;{}()\n\t=]")
_VARIABLE = "${"
_MAPPED = "tblproperties ('delta.columnMapping.mode' = 'name')"


class DatabricksLoader(SQLLoader):
    """Writes to one warehouse or cluster. There are no transactions of several statements.

    A table is replaced by one statement, and so are its rows changed: Delta shows readers the state before it or
    after it.
    """

    spec = SPEC
    words = Words(rename="alter table {private} rename to {target}")
    change_words = ChangeWords(delete="merge")
    begins = ""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._running: Cursor | None = None
        self._staged: list[str] = []

    def connect(self) -> Session:
        """A session of the warehouse."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: Session) -> None:
        """End it; one that is broken has no end of its own."""
        import urllib3
        from databricks.sql import exc

        with contextlib.suppress(exc.Error, urllib3.exceptions.HTTPError, OSError):
            session.close()

    def interrupt(self, session: Session) -> None:
        """Cancel what runs, on the server too."""
        with contextlib.suppress(DvtError), self.guarded("load", None):
            cancel(lambda: self._running)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the connector, HTTP or the socket raises."""
        import urllib3
        from databricks.sql import exc

        is_own = isinstance(error, (exc.Error, urllib3.exceptions.HTTPError, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        with self._executed(sql):
            pass

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with self._executed(sql) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    @contextlib.contextmanager
    def _executed(self, sql: str, **more: Any) -> Iterator[Cursor]:
        if _VARIABLE in sql:
            message = f"a name or text of a statement holds {_VARIABLE}, which the server takes for a variable"
            raise UnsupportedError(message, connection=self.connection.name, remedy="Give it another name in the model")
        session: Session = self.session()
        cursor = session.cursor()
        self._running = cursor
        try:
            cursor.execute(sql, **more)
            self.check()
            yield cursor
        finally:
            self._running = None
            end(session, cursor)

    def native_type(self, field: pa.Field) -> str | None:
        """Databricks' type for a column."""
        return databricks_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Raise for a type whose values are not written as they are: padded texts, variants, intervals."""
        if carrier(type_) is None:
            message = f"values are not written to a column of type {type_} as they are"
            raise DataError(message, column=column, remedy="Declare another type, for example string")

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE; of Delta, whatever the session's default is."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        made = ["create table", relation.sql(self.dialect), "(", ", ".join(columns), ")"]
        self.run(" ".join([*made, "using delta", *_mapped(schema.names)]))

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Files where there is a volume, else rows that are bound."""
        for field, native in zip(filling.schema, filling.types, strict=True):
            if why := why_not(field.type, native):
                message = f"a column of {field.type} is not loaded into {native}: {why}"
                raise DataError(message, column=field.name, remedy="Cast it in the model, or declare another type")
        by_files = BucketLoad(
            "copy_into_external",
            folder=lambda: private_folder(self.connection),
            columns=lambda: file_columns(filling),
            load=lambda files: self._copy_external(filling, files),
            lacks=self._no_folder,
        )
        return [
            *(by_files.methods(filling) if self.connection.options["load_through"] else []),
            LoadMethod("copy_into", lacks=self._no_volume, fill=self._copy),
            LoadMethod("insert", BUFFERED, fill=self._insert),
        ]

    def _no_folder(self) -> None:
        private_folder(self.connection)  # raises for what is no address

    def _copy_external(self, filling: Filling, files: BucketFiles) -> int:
        """One COPY INTO, or one for each thousand files: it takes no more."""
        names = [file.name for file in files.written]
        taken = 0
        for at in range(0, len(names), _MOST_NAMED):
            taken += int(self.rows(copy_sql(filling, files.folder.url, names[at : at + _MOST_NAMED]))[0][0])
        return taken

    def _no_volume(self) -> str | None:
        volume = str(self.connection.options["volume"])
        if volume and not _VOLUME.fullmatch(volume):
            remedy = "Write it as /Volumes/catalog/schema/volume, with folders behind it where you like"
            raise ConfigurationError(f"dvt.volume is {volume!r}", connection=self.connection.name, remedy=remedy)
        return None if volume else "no `dvt.volume` is given"

    def _copy(self, filling: Filling) -> Filled:
        folder = str(self.connection.options["volume"]).rstrip("/") + "/"
        taken = sent = 0
        files: list[str] = []
        for content in parquet_files(filling):
            files.append(self._put(folder, content))
            sent += len(content)
            if len(files) == _FILES:
                taken += self._copy_files(filling, folder, files)
                files = []
        if files:
            taken += self._copy_files(filling, folder, files)
        return Filled(taken=taken, bytes=max(sent, filling.stream.bytes_read))

    def _put(self, folder: str, content: bytes) -> str:
        name = f"dvt_{uuid.uuid4().hex}.parquet"
        self._staged.append(folder + name)  # before, for what was put though its answer did not come
        statement = ["put '__input_stream__' into", literal(folder + name)]
        with self._executed(" ".join(statement), input_stream=io.BytesIO(content)):
            return name

    def _copy_files(self, filling: Filling, folder: str, files: Sequence[str]) -> int:
        taken = self.rows(copy_sql(filling, folder, files))[0][0]
        self._remove_files()
        return int(taken)

    def _remove_files(self) -> None:
        """Take away the files; of one that cannot be, the others are all the same."""
        paths, self._staged = self._staged, []
        with contextlib.ExitStack() as left:
            for path in paths:
                left.callback(self.run, " ".join(["remove", literal(path)]))

    def _insert(self, filling: Filling) -> Filled:
        statement = insert_sql(filling)
        for document, _ in documents(filling):
            with self._executed(statement, parameters={"rows": document}):
                pass
        return Filled()

    def remove(self, relation: Relation) -> None:
        """Drop a private table, and take away the files that were to fill it."""
        super().remove(relation)
        self._remove_files()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        schema = relation.schema or str(self.connection.first("schema", default="default"))
        return dataclasses.replace(relation, schema=schema)

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema when it is missing; where it exists, no privilege to create one is needed."""
        relation = self.qualified(relation)
        schema = Relation(str(relation.schema), relation.database).sql(self.dialect)
        try:
            with self.guarded("load", relation):
                self.run(" ".join(["describe schema", schema]))
        except RelationNotFoundError:
            with self.guarded("load", relation):
                self.run(" ".join(["create schema if not exists", schema]))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        try:
            with self.guarded("describe", relation):
                found = self._described(relation)
        except RelationNotFoundError:
            return None
        types = [type_ for name, type_, about in found if about and name == "Type"]
        return "view" if types and "VIEW" in types[0].upper() else "table"

    def _described(self, relation: Relation) -> list[tuple[str, str, bool]]:
        """What DESCRIBE says: names and types of columns, then, marked so, the table's own."""
        about, found = False, []
        for name, type_, *_ in self.rows(" ".join(["describe table extended", relation.sql(self.dialect)])):
            about = about or str(name).startswith("# ") or not name
            found.append((str(name), str(type_), about))
        return found

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """CREATE OR REPLACE TABLE, which keeps grants and history, and is one commit of Delta."""
        if kind != "table":
            return super().replacing(private, target, kind, config)
        names = [column.name for column in self.describe(private) or []]
        made = ["create or replace table", target.sql(self.dialect), "using delta", *_mapped(names)]
        return Landing(Way.STATEMENT, (" ".join([*made, "as select * from", private.sql(self.dialect)]),))

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also columns that would pad a text, or make a document of it: their Arrow type is a text's."""
        changes = super().changes(private, target, config)
        given = {name.lower() for name in changes.values}
        for name, type_, about in self._described(target):
            if not about and name.lower() in given and carrier(type_) is None:
                message = f"values are not written to a column of type {type_} as they are"
                raise DataError(message, column=name, remedy="Leave it out of the model, or run with --full-refresh")
        return changes


def _mapped(names: Sequence[str]) -> list[str]:
    return [_MAPPED] if any(_ODD.search(name) for name in names) else []
