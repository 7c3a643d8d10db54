"""PostgreSQL loader: COPY FROM STDIN into a private table, and a swap that keeps what hangs on the old one."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.csv as csv

from dvt.connections.postgres import SPEC, cancel, connect, translate
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConfigurationError, ConnectionLostError, DataError, DvtError, InternalError, InterruptedRunError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.postgres_catalog import columns_of
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import count_sql, scan_sql
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult
from dvt.federation.loaders.postgres_encode import ValueUnfitError, as_csv, is_encodable, python_codec
from dvt.federation.loaders.postgres_landing import Landing
from dvt.federation.loaders.postgres_pipe import accepted, check_values, pipe
from dvt.federation.loaders.spark_row_pipe import _SparkRowPipe as _SparkRowPipe
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.postgres import ddl

if TYPE_CHECKING:
    import psycopg

    from dvt.connections.connection import Connection

# Batches of wide rows are cut to pieces of about this size before they are encoded.
_PIECE_BYTES = 8 * 1024 * 1024
_WRITE = csv.WriteOptions(include_header=False, quoting_style="needed")


class PostgresLoader(BaseLoader):
    """Writes to PostgreSQL.

    A private table is an ordinary, logged one: it may be renamed into place, and a table that was unlogged would have
    to be rewritten for that.
    """

    spec: ClassVar[ConnectionSpec] = SPEC

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: psycopg.Connection[Any] | None = None
        self._is_cancelled = threading.Event()

    def stage(
        self,
        stream: RowStream,
        relation: Relation,
        *,
        declared: Mapping[str, str] | None = None,
        batch_rows: int = 10_000,
    ) -> LoadResult:
        """Create the private table and copy the stream into it, in one transaction."""
        import psycopg

        started = time.monotonic()
        try:
            session = self._open()
            with session.transaction():
                types = self._column_types(session, stream.schema, declared or {})
                session.execute(_create_sql(relation, stream.schema.names, types))
                wanted = accepted(session, relation, stream.raw)
                if stream.raw is not None and wanted is not None:
                    method = stream.raw.format
                    names = stream.schema.names
                    given, copied, sent_bytes = pipe(session, relation, names, stream.raw, wanted, self._check)
                    check_values(session, relation, names, stream.raw)
                else:
                    method = "copy_csv"
                    copied, sent_bytes = self._copied(session, stream, relation, batch_rows)
                    given = stream.rows_read
                counted = self._count(session, relation)
                if not copied == counted == given:
                    raise InternalError(f"{given} rows were sent, COPY took {copied}, {counted} are there")
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "load", relation) from error
        return LoadResult(counted, sent_bytes, method, time.monotonic() - started)

    def _copied(
        self, session: psycopg.Connection[Any], stream: RowStream, relation: Relation, batch_rows: int
    ) -> tuple[int, int]:
        """Copy the stream's batches; the rows that the server took, and their bytes."""
        sent_bytes = 0
        codec = python_codec(_server_encoding(session))
        with session.cursor() as cursor:
            with cursor.copy(_copy_sql(relation, stream.schema.names)) as copy:
                for piece in _pieces(stream, batch_rows):
                    self._check()
                    sent_bytes += piece.nbytes
                    copy.write(_encoded(piece, codec))
            return cursor.rowcount, sent_bytes

    def _check(self) -> None:
        if self._is_cancelled.is_set():
            raise InterruptedRunError("the load was cancelled")

    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """The statements that land a private table; see `Landing`."""
        import psycopg

        try:
            return Landing(self._open(), private, config).statements()
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "land", config.relation) from error

    def dependents(self, relation: Relation) -> list[str]:
        """The views that read a relation, directly or through other views, the outermost first."""
        import psycopg

        from dvt.federation.loaders.postgres_target import dependent_views

        try:
            return [str(view.relation) for view in dependent_views(self._open(), relation)]
        except psycopg.Error as error:
            raise self._translated(error, "describe", relation) from error

    def execute(self, statements: list[str]) -> None:
        """Run statements in one transaction."""
        import psycopg

        try:
            session = self._open()
            with session.transaction():
                for statement in statements:
                    session.execute(statement.encode())
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "land", None) from error

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a relation, None when it does not exist."""
        import psycopg

        try:
            session = self._open()
            row = session.execute("select to_regclass(%s) is null", [relation.sql("postgres")]).fetchone()
            if row is None or row[0]:
                return None
            request = ExtractionConfig(relation=relation)
            described = Wire(session).describe(scan_sql(request, "postgres"))
            return list(columns_of(session, described, request, self.connection)[0])
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "describe", relation) from error

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema when it is missing; where it exists, no privilege to create one is needed."""
        import psycopg

        if relation.schema is None:
            return
        try:
            session = self._open()
            found = session.execute("select 1 from pg_catalog.pg_namespace where nspname = %s", [relation.schema])
            if found.fetchone() is None:
                statement = " ".join(["create schema if not exists", quote(relation.schema, "postgres")])
                session.execute(statement.encode())
        except (psycopg.Error, DvtError) as error:
            raise self._translated(error, "load", relation) from error

    def drop(self, relation: Relation) -> None:
        """Drop a private table if it exists."""
        if self._is_cancelled.is_set():
            self.close()
            self._is_cancelled.clear()
        self.execute([" ".join(["drop table if exists", relation.sql("postgres")])])

    def native_types(self, schema: pa.Schema) -> list[str]:
        """PostgreSQL's column types for an Arrow schema."""
        return [self._native(field) for field in schema]

    def close(self) -> None:
        """End the session; closing twice is allowed."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def cancel(self) -> None:
        """End a running load from another thread, on the server too."""
        self._is_cancelled.set()
        session = self._session
        if session is not None:
            cancel(session)

    def _open(self) -> psycopg.Connection[Any]:
        if self._is_cancelled.is_set():
            raise InterruptedRunError("the loader was cancelled")
        if self._session is None or self._session.closed:
            self._session = connect(self.connection, cancelled=self._is_cancelled)
            if self._is_cancelled.is_set():  # while it logged in, when there was nothing to cancel
                raise InterruptedRunError("the loader was cancelled")
        return self._session

    def _column_types(
        self, session: psycopg.Connection[Any], schema: pa.Schema, declared: Mapping[str, str]
    ) -> list[str]:
        types = []
        for field in schema:
            if field.name not in declared:
                types.append(self._native(field))
                continue
            # The text goes into DDL as it stands: the server's own parser says first that it is a type, and no more.
            row = session.execute("select to_regtype(%s) is not null", [declared[field.name]]).fetchone()
            if row is None or not row[0]:
                raise ConfigurationError(
                    f"the declared type {declared[field.name]!r} is none of PostgreSQL's",
                    column=field.name,
                    remedy="Correct data_type in the model's contract",
                )
            types.append(declared[field.name])
        return types

    def _native(self, field: pa.Field) -> str:
        found = ddl(field.type)
        if found is None:
            raise DataError(
                f"PostgreSQL has no column type for {field.type}",
                connection=self.connection.name,
                column=field.name,
                phase="load",
                remedy="Cast the column in the model, for example to JSON or text",
            )
        return found

    def _count(self, session: psycopg.Connection[Any], relation: Relation) -> int:
        row = session.execute(count_sql(relation, "postgres").encode()).fetchone()
        assert row is not None, "count(*) gives one row"
        return int(row[0])

    def _translated(self, error: BaseException, phase: str, relation: Relation | None) -> DvtError:
        found = translate(
            error,
            self.connection,
            phase=phase,
            relation=str(relation) if relation else None,
            is_cancelled=self._is_cancelled.is_set(),
        )
        if isinstance(found, ConnectionLostError):
            self.close()
        return found


def _create_sql(relation: Relation, names: list[str], types: list[str]) -> bytes:
    columns = ", ".join(" ".join([quote(name, "postgres"), type_]) for name, type_ in zip(names, types, strict=True))
    return "".join(["create table ", relation.sql("postgres"), " (", columns, ")"]).encode()


def _copy_sql(relation: Relation, names: list[str]) -> bytes:
    columns = quote_all(names, "postgres")
    return "".join(["copy ", relation.sql("postgres"), " (", columns, ") from stdin (format csv)"]).encode()


def _server_encoding(session: psycopg.Connection[Any]) -> str:
    return session.info.parameter_status("server_encoding") or "UTF8"


def _pieces(stream: RowStream, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """The stream's batches, cut so that no piece has more rows than `batch_rows` or is much larger than a few MB."""
    for batch in stream.batches():
        by_size = max(1, batch.num_rows * _PIECE_BYTES // max(batch.nbytes, 1))
        step = min(batch_rows, by_size)
        for start in range(0, batch.num_rows, step):
            yield batch.slice(start, step)


def _encoded(piece: pa.RecordBatch, codec: str | None) -> bytes:
    arrays = []
    for number, (array, field) in enumerate(zip(piece.columns, piece.schema, strict=True)):
        try:
            arrays.append(as_csv(array))
        except ValueUnfitError as error:
            remedy = "Cast or replace the value in the model"
            raise DataError(str(error), column=field.name, remedy=remedy) from error
        if codec and pa.types.is_string(arrays[number].type) and not is_encodable(arrays[number], codec):
            raise DataError(
                f"a text has characters that the database's encoding ({codec}) does not have",
                column=field.name,
                remedy="Land in a database with encoding UTF8, or replace the characters in the model",
            )
    sink = io.BytesIO()
    names = [str(number) for number in range(len(arrays))]
    csv.write_csv(pa.RecordBatch.from_arrays(arrays, names), sink, write_options=_WRITE)
    return sink.getvalue()
