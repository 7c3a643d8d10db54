"""Writes DuckDB files through the database instance that dbt-duckdb uses in the same process."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.duckdb import SPEC, connect, is_shared, translate
from dvt.errors import ConfigurationError, DvtError
from dvt.federation.duckdb_result import describe_result
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.duckdb_landing import Catalogue, casts, kept
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.duckdb import exact_cast
from dvt.types.duckdb_landing import check_intervals, duckdb_type

if TYPE_CHECKING:
    import duckdb

_BATCH = "dvt_batch"


class DuckDBLoader(SQLLoader):
    """One session on the database. DuckDB's writers do not block each other, so a load is one transaction."""

    spec = SPEC
    stages_in_transaction = True
    change_words = ChangeWords(delete="using", merge="update")

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A session on the instance that the process shares."""
        if not is_shared(self.connection):
            raise ConfigurationError(
                "path is ':memory:': what is loaded there nobody else can read",
                connection=self.connection.name,
                phase="load",
                remedy="Give the output a `path`",
            )
        return connect(self.connection, writable=True, cancelled=self.cancelled)

    def disconnect(self, session: duckdb.DuckDBPyConnection) -> None:
        """End it."""
        session.close()

    def interrupt(self, session: duckdb.DuckDBPyConnection) -> None:
        """End the running statement."""
        session.interrupt()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """DuckDB's errors."""
        import duckdb

        is_own = isinstance(error, duckdb.Error)
        return translate(error, self.connection, relation=relation, phase=phase) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.session().execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return list(self.session().execute(sql).fetchall())

    def roll_back(self) -> None:
        """Take back the open transaction, where DuckDB has not ended it itself."""
        import duckdb

        with contextlib.suppress(duckdb.TransactionException):
            super().roll_back()

    def native_type(self, field: pa.Field) -> str | None:
        """The DuckDB type of a column."""
        return duckdb_type(field.type, field.name)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """INSERT from Arrow batches."""
        return [LoadMethod("arrow", fill=self._insert)]

    def _insert(self, filling: Filling) -> Filled:
        session, names = self.session(), filling.schema.names
        columns = zip(names, self.native_types(filling.schema), filling.types, strict=True)
        values = ", ".join(exact_cast(quote(name, "duckdb"), name, from_, to) for name, from_, to in columns)
        into = ["insert into", filling.relation.sql("duckdb"), "(", quote_all(names, "duckdb"), ") select", values]
        insert = " ".join([*into, "from", _BATCH])
        taken = 0
        # Batches are pulled here and not by DuckDB's threads: an error of the source comes up as itself.
        for batch in filling.batches():
            check_intervals(batch)
            # As a reader, which is empty afterwards: DuckDB holds what is registered until the transaction's end.
            session.register(_BATCH, pa.RecordBatchReader.from_batches(batch.schema, [batch]))
            taken += int(session.execute(insert).fetchall()[0][0])
        session.unregister(_BATCH)
        return Filled(taken)

    def has_schema(self, name: str) -> bool:
        """CREATE SCHEMA IF NOT EXISTS is asked in any case: the schema may be another database's."""
        return False

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        return Catalogue(self.session()).kind(relation)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Drop and rename, with comments and indexes. Views on the target survive: they are bound when read."""
        swap = super().replacing(private, target, kind, config)
        more = kept(Catalogue(self.session()), private, config) if kind == "table" else []
        return Landing(swap.way, (*swap.statements, *more))

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """With casts that change no value."""
        values = casts(Catalogue(self.session()), private, target)
        return Changes(self.change_words, "duckdb", private, target, values, config.unique_key)

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view."""
        with self.guarded("describe", relation):
            if self.kind(relation) is None:
                return None
            return describe_result(self.session(), " ".join(["select * from", relation.sql("duckdb")]))
