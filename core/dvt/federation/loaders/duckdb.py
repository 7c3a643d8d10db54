"""Writes DuckDB files through the database instance that dbt-duckdb uses in the same process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.duckdb import SPEC, connect, is_shared, translate
from dvt.errors import ConfigurationError, DataError, RelationNotFoundError
from dvt.federation.duckdb_result import describe_result
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult
from dvt.federation.loaders.duckdb_landing import Catalogue, landing_statements
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.duckdb import exact_cast
from dvt.types.duckdb_landing import check_intervals, duckdb_type

if TYPE_CHECKING:
    import duckdb

_BATCH = "dvt_batch"


class DuckDBLoader(BaseLoader):
    """One session on the database. DuckDB's writers do not block each other, so a load is one transaction."""

    spec = SPEC
    _session: duckdb.DuckDBPyConnection | None = None

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_cancelled = threading.Event()

    def stage(
        self,
        stream: RowStream,
        relation: Relation,
        *,
        declared: Mapping[str, str] | None = None,
        batch_rows: int = 10_000,
    ) -> LoadResult:
        """Create the private table and insert Arrow batches, in one transaction."""
        self._check_shared()
        started = time.monotonic()
        session = self._open()
        with self._errors("load", relation):
            session.begin()
            try:
                self._fill(session, stream, relation, declared or {}, batch_rows)
                count = " ".join(["select count(*) from", relation.sql("duckdb")])
                rows = int(session.execute(count).fetchall()[0][0])
                session.commit()
            except BaseException:
                self._rollback(session)
                raise
        return LoadResult(rows, stream.bytes_read, "arrow", time.monotonic() - started)

    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """Drop and rename, with comments and indexes; or the statements of an incremental mode."""
        with self._errors("land", config.relation):
            return landing_statements(Catalogue(self._open()), private, config)

    def execute(self, statements: list[str]) -> None:
        """Run statements in one transaction."""
        session = self._open()
        with self._errors("land", None):
            session.begin()
            try:
                for statement in statements:
                    session.execute(statement)
                session.commit()
            except BaseException:
                self._rollback(session)
                raise

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a table or view."""
        with self._errors("describe", relation):
            if Catalogue(self._open()).kind(relation) is None:
                return None
            return describe_result(self._open(), " ".join(["select * from", relation.sql("duckdb")]))

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema when it is missing."""
        self._check_shared()
        if relation.schema is None:
            return
        schema = Relation(relation.schema, relation.database)
        with self._errors("load", relation):
            self._open().execute(" ".join(["create schema if not exists", schema.sql("duckdb")]))

    def drop(self, relation: Relation) -> None:
        """Drop a private table if it exists."""
        with self._errors("load", relation):
            self._open().execute(" ".join(["drop table if exists", relation.sql("duckdb")]))

    def cancel(self) -> None:
        """Interrupt the running statement; the session stays usable, so that the private table can be dropped."""
        self._is_cancelled.set()
        if self._session is not None:
            self._session.interrupt()

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def native_types(self, schema: pa.Schema) -> list[str]:
        """The DuckDB types of an Arrow schema."""
        return [duckdb_type(field.type, field.name) for field in schema]

    def _fill(
        self,
        session: duckdb.DuckDBPyConnection,
        stream: RowStream,
        relation: Relation,
        declared: Mapping[str, str],
        batch_rows: int,
    ) -> None:
        names = stream.schema.names
        native = self.native_types(stream.schema)
        types = [declared.get(name) or type_ for name, type_ in zip(names, native, strict=True)]
        columns = ", ".join(" ".join([quote(n, "duckdb"), t]) for n, t in zip(names, types, strict=True))
        session.execute("".join(["create table ", relation.sql("duckdb"), " (", columns, ")"]))
        casts = ", ".join(
            exact_cast(quote(name, "duckdb"), name, from_, to)
            for name, from_, to in zip(names, native, types, strict=True)
        )
        into = ["insert into", relation.sql("duckdb"), "(", quote_all(names, "duckdb"), ") select", casts]
        insert = " ".join([*into, "from", _BATCH])
        # Batches are pulled here and not by DuckDB's threads: an error of the source comes up as itself.
        while (batch := stream.read_batch(batch_rows)) is not None:
            check_intervals(batch)
            session.register(_BATCH, pa.Table.from_batches([batch]))  # replaces the one before; a rollback ends it
            session.execute(insert)
        session.unregister(_BATCH)

    def _rollback(self, session: duckdb.DuckDBPyConnection) -> None:
        import duckdb

        with contextlib.suppress(duckdb.TransactionException):  # DuckDB ended it already
            session.rollback()

    def _check_shared(self) -> None:
        if not is_shared(self.connection):
            raise ConfigurationError(
                "path is ':memory:': what is loaded there nobody else can read",
                connection=self.connection.name,
                phase="load",
                remedy="Give the output a `path`",
            )

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._session is None:
            self._session = connect(self.connection, writable=True, cancelled=self._is_cancelled)
        return self._session

    @contextlib.contextmanager
    def _errors(self, phase: str, relation: Relation | None) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise translate(error, self.connection, relation=relation, phase=phase) from error
        except (DataError, RelationNotFoundError) as error:
            # The source's own errors have their place already.
            raise error.at(connection=self.connection.name, relation=str(relation), phase=phase) from error.__cause__
