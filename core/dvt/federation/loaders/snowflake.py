"""Writes Snowflake: Parquet in a temporary stage, one COPY into a private table, one CREATE OR REPLACE ... CLONE."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from dvt.connections.shared_folder import private_folder
from dvt.connections.snowflake import SPEC, cancel_all, connect, folded, qualified, translate
from dvt.errors import DataError, DvtError
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.file_columns import FileColumns
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing, Words
from dvt.federation.loaders.parquet_pieces import PIECE_BYTES, parquet_pieces
from dvt.federation.loaders.snowflake_external import external_words, require_integration
from dvt.federation.loaders.snowflake_ingest import AdbcIngest, why_not
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.snowflake_landing import expression, landing_of, sent, snowflake_type

_BATCH_BYTES = 4 << 20
# What is not said here would change values: a text `\N` is NULL by default, and bytes are texts.
_FORMAT = (
    "file_format = (type = parquet null_if = () trim_space = false binary_as_text = false use_logical_type = true)"
)
_PUT = "auto_compress=false overwrite=true"
_DIGITS = re.compile(r"(?i)(?:time|timestamp_\w+)\((\d)\)")


class SnowflakeLoader(SQLLoader):
    """Writes to one Snowflake account.

    DDL commits, so that each landing of a table is one statement: a new one is renamed; an old one is replaced by a
    clone, which shares the private table's data, and keeps its grants (SWAP WITH would take them away, and swaps no
    transient table with a permanent one). Append, merge and delete+insert are DML, in one transaction.
    """

    spec = SPEC
    # A name without a schema would be one of the session's own schema.
    words = Words(rename="alter table {private} rename to {target}")
    change_words = ChangeWords(delete="using", merge="merge")
    piece_bytes: ClassVar[int] = PIECE_BYTES
    _ingest: AdbcIngest | None = None

    def connect(self) -> Any:
        """A session of the account."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: Any) -> None:
        """End it; its temporary stages end with it."""
        import snowflake.connector

        with contextlib.suppress(snowflake.connector.Error, OSError):
            session.close()

    def interrupt(self, session: Any) -> None:
        """End what the session runs on the server."""
        if self._ingest is not None:
            self._ingest.cancel()
        cancel_all(self.connection, session.session_id)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the connector, the server or the socket raises."""
        import snowflake.connector

        is_own = isinstance(error, (snowflake.connector.Error, OSError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with contextlib.closing(self.session().cursor()) as cursor:
            return list(cursor.execute(sql).fetchall())

    def native_type(self, field: pa.Field) -> str | None:
        """Snowflake's type for a column."""
        return snowflake_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Raise when a type that a contract declares is none that dvt fills."""
        if landing_of(type_) is None:
            raise DataError(
                f"dvt puts no values into a column of type {type_}",
                connection=self.connection.name,
                column=column,
                phase="load",
                remedy="Declare a number, a text, bytes, a date, a time, a timestamp, variant, array or object",
            )

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE; names that need no quotes are upper-case, as in tables of Snowflake's own."""
        seen: set[str] = set()
        for name in schema.names:
            own = folded(name, self.connection)
            if own in seen:
                message = f"two columns would be named {own}"
                raise DataError(message, column=name, remedy="Rename one, or set dvt.names: exact")
            seen.add(own)
        super().create(relation, schema, types)

    def column_sql(self, name: str, type_: str) -> str:
        """A column's words in CREATE TABLE."""
        return super().column_sql(folded(name, self.connection), type_)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Parquet into a stage, and one COPY; before it the ADBC driver's ingest, where it is asked for."""
        self._ingest = None  # of a load that failed
        found = [LoadMethod("put_copy", fill=self._copy)]
        if self.connection.options["load_through"]:
            found = [*self._by_bucket(filling).methods(filling), *found]
        if self.connection.options["load_with"] != "adbc":
            return found
        return [LoadMethod("adbc_ingest", lacks=lambda: why_not(self.connection, filling), fill=self._by_adbc), *found]

    def _by_bucket(self, filling: Filling) -> BucketLoad:
        return BucketLoad(
            "external_copy",
            folder=lambda: private_folder(self.connection),
            columns=lambda: _file_columns(filling),
            load=lambda files: self._copy_external(filling, files),
            lacks=lambda: require_integration(self.connection),
        )

    def _copy_external(self, filling: Filling, files: BucketFiles) -> int:
        """The rows that COPY says it has loaded; exactly these files, by a stage over their folder."""
        with self._stage(filling, *external_words(self.connection, files.folder.url)) as place:
            return self._copied(filling, place)

    def _by_adbc(self, filling: Filling) -> Filled:
        self._ingest = ingest = AdbcIngest(self.connection, filling)
        return ingest.fill()

    def accept(self, filling: Filling) -> None:
        """What the ADBC driver loaded is read back."""
        ingest, self._ingest = self._ingest, None
        if ingest is not None:
            ingest.check()

    def _copy(self, filling: Filling) -> Filled:
        columns = _file_columns(filling)
        with self._stage(filling) as place:
            pieces = 0
            for piece in parquet_pieces(
                map(columns.batch, filling.batches(_BATCH_BYTES)), columns.schema, self.piece_bytes
            ):
                filling.check()
                self._put(piece, f"{pieces}.parquet", place)
                pieces += 1
            return Filled(taken=self._copied(filling, place) if pieces else 0)

    @contextlib.contextmanager
    def _stage(self, filling: Filling, *words: str) -> Iterator[str]:
        """A stage of this load's own, as COPY and PUT name it."""
        stage = filling.relation.sibling("DVT_" + uuid.uuid4().hex.upper())
        self.run(" ".join(["create temporary stage", stage.sql(self.dialect), *words]))
        try:
            yield self.literal("@" + stage.sql(self.dialect) + "/")
        finally:
            if self._session is not None:
                with contextlib.suppress(DvtError), self.guarded("load", filling.relation):
                    self.run(" ".join(["drop stage if exists", stage.sql(self.dialect)]))

    def _put(self, piece: bytes, name: str, place: str) -> None:
        """Send one file; it can be sent again, as its name is its own."""
        with contextlib.closing(self.session().cursor()) as cursor:
            cursor.execute(
                " ".join(["put", self.literal(f"file://{name}"), place, _PUT]), file_stream=io.BytesIO(piece)
            )

    def _copied(self, filling: Filling, place: str) -> int:
        """The rows that COPY says it has loaded: of all files, or it fails."""
        names = [folded(name, self.connection) for name in filling.schema.names]
        types = zip(filling.types, _file_columns(filling).schema, strict=True)
        values = ", ".join(expression(field.name, native, field.type) for native, field in types)
        into = ["copy into", filling.relation.sql(self.dialect), "(" + quote_all(names, self.dialect) + ")"]
        given = ["from (select", values, "from", place + ")", _FORMAT, "on_error = abort_statement"]
        with contextlib.closing(self.session().cursor()) as cursor:
            cursor.execute(" ".join([*into, *given]))
            told = [column[0].lower() for column in cursor.description].index("rows_loaded")
            return sum(int(row[told]) for row in cursor.fetchall())

    def qualified(self, relation: Relation) -> Relation:
        """With schema and database of the connection, as Snowflake keeps the names."""
        return qualified(relation, self.connection)

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        schemata = self._catalogue("SCHEMATA", None)
        return bool(self.rows(" ".join(["select 1 from", schemata, "where SCHEMA_NAME =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        found = self._told("TABLE_TYPE", "TABLES", relation)
        return None if not found else "view" if "VIEW" in str(found[0][0]).upper() else "table"

    def _told(self, columns: str, table: str, relation: Relation) -> list[Sequence[Any]]:
        """What the catalogue says of a relation."""
        where = ["where TABLE_SCHEMA =", self.literal(relation.schema or ""), "and TABLE_NAME ="]
        select = ["select", columns, "from", self._catalogue(table, relation.database)]
        return self.rows(" ".join([*select, *where, self.literal(relation.name)]))

    def _catalogue(self, table: str, database: str | None) -> str:
        own = database or self.qualified(Relation("x")).database
        return Relation(table, "INFORMATION_SCHEMA", own).sql(self.dialect)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """A clone in the target's place, with its grants, its kind (transient or not) and its comments."""
        if kind != "table":
            return super().replacing(private, target, kind, config)
        transient, comment = self._told("IS_TRANSIENT, COMMENT", "TABLES", target)[0]
        word = "create or replace transient table" if str(transient).upper() == "YES" else "create or replace table"
        clone = [word, target.sql(self.dialect), "clone", private.sql(self.dialect), "copy grants"]
        said = (
            [" ".join(["comment on table", target.sql(self.dialect), "is", self.literal(comment)])] if comment else []
        )
        return Landing(self.spec.landing, (*self._comments(private, target), " ".join(clone), *said))

    def _comments(self, private: Relation, target: Relation) -> Iterator[str]:
        """The target's comments on columns, for the private table's; a clone has them too."""
        there = {column.name for column in self.describe(private) or []}
        for name, comment in self._told("COLUMN_NAME, COMMENT", "COLUMNS", target):
            if comment and name in there:
                column = ".".join([private.sql(self.dialect), quote(name, self.dialect)])
                yield " ".join(["comment on column", column, "is", self.literal(comment)])

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """The key's names as Snowflake keeps them."""
        key = tuple(folded(name, self.connection) for name in config.unique_key)
        return super().changing(private, target, dataclasses.replace(config, unique_key=key))

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also what the target would change without a word: digits of a second, offsets, documents."""
        changes = super().changes(private, target, config)
        old = {column.name.lower(): column.native_type for column in self.describe(target) or []}
        for column in self.describe(private) or []:
            there, came = old[column.name.lower()], column.native_type
            is_cut = _DIGITS.match(came) and (_digits(there) < _digits(came) or _zoned(there) != _zoned(came))
            # A document in a column of arrays would be put into one.
            is_wrapped = there in ("ARRAY", "OBJECT", "MAP") and there != came
            if is_cut or is_wrapped:
                message = f"the target holds {there}, the new rows {came}: values could change"
                raise DataError(message, column=column.name, remedy="Cast it in the model, or run with --full-refresh")
        return changes


def _digits(native: str) -> int:
    found = _DIGITS.match(native)
    return int(found.group(1)) if found else 9


def _zoned(native: str) -> bool:
    return native.upper().startswith(("TIMESTAMP_TZ", "TIMESTAMP_LTZ"))


def _file_columns(filling: Filling) -> FileColumns:
    """Under plain words for names, so that none has to be quoted within a path."""
    return FileColumns.by_native(sent, filling, "Snowflake")
