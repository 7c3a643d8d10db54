"""Writes Redshift: COPY of Parquet files, or INSERTs of many rows, into a private table; a swap in one transaction."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.redshift import SPEC, connect, end_session, forget, run, translate
from dvt.errors import ConfigurationError, DvtError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.extractors.redshift_unload import authorization, private_folder
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.redshift_copy import copy, file_columns, insert
from dvt.federation.loaders.redshift_landing import RedshiftLanding, check_room
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation
from dvt.types.redshift_landing import redshift_type, sent

if TYPE_CHECKING:
    import redshift_connector


class RedshiftLoader(SQLLoader):
    """Writes to one Redshift database."""

    spec = SPEC
    stages_in_transaction = True
    # DELETE takes no other name for its table, and UPDATE does; MERGE takes none either.
    change_words = ChangeWords(delete="plain", merge="update")
    _pid = 0

    def connect(self) -> redshift_connector.Connection:
        """A session in which each statement is a transaction, unless one is begun."""
        session = connect(self.connection, self.cancelled)
        self._pid = int(run(session, "select pg_backend_pid()")[0][0])
        session.max_prepared_statements = 0  # INSERTs are never the same: none is kept
        return session

    def disconnect(self, session: redshift_connector.Connection) -> None:
        """End it."""
        end_session(session)

    def interrupt(self, session: redshift_connector.Connection) -> None:
        """End the session on the server, by another one, as dbt-redshift does."""
        try:
            other = connect(self.connection)
        except DvtError:
            return  # the server is not there: nothing runs
        try:
            run(other, f"select pg_terminate_backend({int(self._pid)})")
        finally:
            end_session(other)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, the server, S3 or the socket raises."""
        import redshift_connector
        from botocore.exceptions import BotoCoreError, ClientError

        # The driver takes a socket that broke for a message that is too short.
        own = (redshift_connector.Error, BotoCoreError, ClientError, OSError)
        broken = (AttributeError, IndexError, struct.error)
        is_own = isinstance(error, (*own, *broken))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        session = self.session()
        try:
            return run(session, sql)
        finally:
            forget(session)

    def native_type(self, field: pa.Field) -> str | None:
        """Redshift's type for a column."""
        return redshift_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """A declared type is one of those that values can be made for."""
        if sent(type_) is None:
            raise ConfigurationError(
                f"the declared type {type_!r} is none of Redshift's that dvt fills",
                column=column,
                remedy="Correct data_type in the model's contract, or declare varchar",
            )

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """COPY where the output names a bucket, INSERT otherwise."""
        by_copy = BucketLoad(
            "copy_parquet",
            folder=lambda: private_folder(self.connection, "load_through"),
            columns=lambda: file_columns(filling),
            load=lambda files: self._copy(filling, files),
            lacks=self._why_no_bucket,
        )
        return [*by_copy.methods(filling), LoadMethod("insert", BUFFERED, fill=self._insert)]

    def _why_no_bucket(self) -> str | None:
        return None if self.connection.options["load_through"] else "dvt.load_through names no bucket"

    def _copy(self, filling: Filling, files: BucketFiles) -> None:
        copy(filling, files, authorization(self.connection, "load_through", "load_role", "unload_role"), self.run)

    def _insert(self, filling: Filling) -> Filled:
        return Filled(bytes=max(insert(filling, self.run), filling.stream.bytes_read))

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        return Relation(relation.name, relation.schema or self.connection.first("schema", default="public"))

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        return bool(self.rows(" ".join(["select 1 from pg_namespace where nspname =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        found = RedshiftLanding(self.rows, relation).kind
        return {"r": "table", None: None}.get(found, "view")

    def literal(self, text: str) -> str:
        """A text; Redshift takes a backslash for the beginning of an escape."""
        from dvt.federation.extractors.redshift_unload import literal

        return literal(text)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Three renames in one transaction. The old table is dropped afterwards, under the private name: a reader that
        waited for the swap still finds it."""
        if kind is None:
            return super().replacing(private, target, kind, config)
        columns = self._same_columns(private, target) if kind == "table" else None
        return RedshiftLanding(self.rows, target).replaced(private, columns, config)

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also texts for which the target has no room: Redshift would cut blanks at their ends."""
        changes = super().changes(private, target, config)
        check_room(self.rows, private, changes.values, self.describe(target) or [])
        return changes
