"""PostgreSQL loader: COPY FROM STDIN into a private table, and a swap that keeps what hangs on the old one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.postgres import SPEC, cancel, connect, translate
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConfigurationError, DvtError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.extractors.postgres_catalog import columns_of
from dvt.federation.extractors.postgres_methods import refusal
from dvt.federation.extractors.postgres_wire import Wire
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.jdbc_fill import JdbcTexts
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.postgres_binary import BinaryPlan, binary_plan
from dvt.federation.loaders.postgres_encode import python_codec
from dvt.federation.loaders.postgres_insert import insert, texts
from dvt.federation.loaders.postgres_landing import PostgresLanding
from dvt.federation.loaders.postgres_pipe import accepted, check_values, pipe
from dvt.federation.loaders.postgres_rows import PIECE_BYTES, encoded
from dvt.federation.loaders.postgres_sending import SendingAhead
from dvt.federation.loaders.postgres_spread import SpreadFill
from dvt.federation.loaders.postgres_target import copy_counts, dependent_views
from dvt.federation.loaders.spark_row_pipe import _SparkRowPipe as _SparkRowPipe
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.spread import BY_COPY, SpreadRows
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote_all
from dvt.native import library as native
from dvt.types.postgres import ddl

if TYPE_CHECKING:
    import psycopg


class PostgresLoader(SQLLoader):
    """Writes to PostgreSQL.

    A private table is an ordinary, logged one, unless the connection asks for another: it may be renamed into place,
    and a table that was unlogged would have to be rewritten to become a logged one.
    """

    spec: ClassVar[ConnectionSpec] = SPEC
    stages_in_transaction = True

    def connect(self) -> psycopg.Connection[Any]:
        """A session in which each statement is a transaction, unless one is begun."""
        return connect(self.connection, cancelled=self.cancelled)

    def disconnect(self, session: psycopg.Connection[Any]) -> None:
        """End it."""
        session.close()

    def session(self) -> psycopg.Connection[Any]:
        """The session; anew where the server has ended it."""
        if self._session is not None and self._session.closed:
            self._session = None
        found: psycopg.Connection[Any] = super().session()
        return found

    def interrupt(self, session: psycopg.Connection[Any]) -> None:
        """End the running statement on the server."""
        cancel(session)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """The errors of psycopg."""
        import psycopg

        if not isinstance(error, psycopg.Error):
            return None
        is_cancelled = self.cancelled.is_set()
        return translate(error, self.connection, phase=phase, relation=relation, is_cancelled=is_cancelled)

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.session().execute(sql.encode())

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return list(self.session().execute(sql.encode()).fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction."""
        with self.session().transaction():
            yield

    def native_type(self, field: pa.Field) -> str | None:
        """PostgreSQL's type for a column."""
        return ddl(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """The text goes into DDL as it stands: the server's own parser says first that it is a type, and no more."""
        row = self.session().execute("select to_regtype(%s) is not null", [type_]).fetchone()
        if row is None or not row[0]:
            raise ConfigurationError(
                f"the declared type {type_!r} is none of PostgreSQL's",
                column=column,
                remedy="Correct data_type in the model's contract",
            )

    @property
    def create_words(self) -> str:
        """UNLOGGED where the connection says so."""
        return "create unlogged table" if self.connection.options.get("unlogged") else "create table"

    def _form(self, form: str) -> str:
        """What COPY is told. Rows are frozen only in a table of the same transaction."""
        from psycopg.pq import TransactionStatus

        is_new = self.session().info.transaction_status == TransactionStatus.INTRANS
        return f"(format {form}, freeze)" if self.connection.options.get("freeze") and is_new else f"(format {form})"

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The bytes of another PostgreSQL as they are, where it offers them; binary COPY, COPY of CSV otherwise."""
        raw, found = filling.stream.raw, list[LoadMethod]()
        spread = self._offer(filling.stream)
        if spread is not None:
            found += SpreadFill(self.session(), self.connection, filling, spread).methods()
        if raw is not None:
            found.append(LoadMethod(raw.format, lacks=lambda: self._why_not_raw(filling), fill=self._pipe))
        if self.connection.options["native"] and not isinstance(native.load(), str):
            plan = functools.cache(lambda: binary_plan(self.session(), filling))  # asked for twice, the same
            found.append(
                LoadMethod(
                    "copy_binary",
                    lacks=lambda: self._why_not_binary(plan(), filling),
                    fill=lambda filling: self._copy_binary(plan(), filling),
                )
            )
        copy = LoadMethod("copy_csv", lacks=lambda: self._why_no_copy(filling), fill=self._copy)
        return [*found, copy, LoadMethod("insert", BUFFERED, fill=self._insert)]

    def _why_not_raw(self, filling: Filling) -> str | None:
        if accepted(self.session(), filling.relation, filling.stream.raw) is None:
            return "the bytes of the source's types are not those of the target's"
        return self._why_no_copy(filling)

    def _why_not_binary(self, plan: BinaryPlan | str, filling: Filling) -> str | None:
        return plan if isinstance(plan, str) else self._why_no_copy(filling)

    def _why_no_copy(self, filling: Filling) -> str | None:
        """What the server, or a pooler before it, says of a COPY of no rows; nothing is said of a table to come."""
        import psycopg

        def probe(session: psycopg.Connection[Any]) -> None:
            statement = " ".join(["copy", filling.relation.sql("postgres"), "from stdin (format csv)"])
            with session.transaction(), session.cursor() as cursor, cursor.copy(statement.encode()):
                pass

        key = (*self.connection.place, self.connection.first("user"), "copy_in")
        try:
            return refusal(self.session(), key, probe)
        except psycopg.errors.UndefinedTable:
            return None

    def _insert(self, filling: Filling) -> Filled:
        session = self.session()
        batches = (filling.fitting(batch, self.dialect) for batch in filling.batches(PIECE_BYTES))
        return Filled(insert(session, filling.relation, filling.schema.names, batches, _codec(session)))

    def over_jdbc(self, filling: Filling) -> JdbcTexts | None:
        """PostgreSQL's own input texts, which take the type of their column."""
        return texts(filling.schema.names, _codec(self.session()) if filling.types else None)

    def is_filled_by_others(self, stream: RowStream) -> bool:
        """Also whether Spark's executors do: they are asked, and may still lack something."""
        spread = self._offer(stream)
        if super().is_filled_by_others(stream):
            return True
        return spread is not None and spread.by == "executors" and not spread.why_not and bool(spread.parts)

    @classmethod
    def landed_by_executors(cls, connection: Connection) -> str:
        """COPY of parts, into PostgreSQL itself."""
        return BY_COPY if cls.spec is SPEC else ""

    def _offer(self, stream: RowStream) -> SpreadRows | None:
        """What Spark offers; only PostgreSQL itself is known to keep the ledger's primary key."""
        return stream.spread if self.spec is SPEC else None

    def _pipe(self, filling: Filling) -> Filled:
        session, relation, names, raw = self.session(), filling.relation, filling.schema.names, filling.stream.raw
        wanted = accepted(session, relation, raw)
        assert raw is not None, "the method was found to have it"
        assert wanted is not None, "the method was found to have it"
        form = self._form("binary")
        given, copied, sent_bytes = pipe(session, relation, names, raw, wanted, self.check, form)
        check_values(session, relation, names, raw)
        return Filled(copied, sent_bytes, given, is_count=copy_counts(session, relation))

    def _copy(self, filling: Filling) -> Filled:
        codec = _codec(self.session())
        return self._copied(filling, "csv", (encoded(piece, codec) for piece in filling.batches(PIECE_BYTES)))

    def _copy_binary(self, plan: BinaryPlan | str, filling: Filling) -> Filled:
        assert not isinstance(plan, str), "the method was found to lack nothing"
        return self._copied(filling, "binary", plan.blocks(filling.batches(PIECE_BYTES)))

    def _copied(self, filling: Filling, form: str, blocks: Iterator[bytes | memoryview]) -> Filled:
        columns = quote_all(filling.schema.names, "postgres")
        statement = ["copy ", filling.relation.sql("postgres"), " (", columns, ") from stdin ", self._form(form)]
        with self.session().cursor() as cursor:
            with cursor.copy("".join(statement).encode(), writer=SendingAhead(cursor)) as copy:
                for block in blocks:
                    copy.write(block)
            return Filled(cursor.rowcount, is_count=copy_counts(self.session(), filling.relation))

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """The statements that land a private table; see `PostgresLanding`."""
        with self.guarded("land", config.relation):
            statements = PostgresLanding(self.session(), private, config).statements()
            return Landing(self.spec.landing, tuple(statements))

    def dependents(self, relation: Relation) -> list[str]:
        """The views that read a relation, directly or through other views, the outermost first."""
        with self.guarded("describe", relation):
            return [str(view.relation) for view in dependent_views(self.session(), relation)]

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a relation, None when it does not exist."""
        with self.guarded("describe", relation):
            session = self.session()
            row = session.execute("select to_regclass(%s) is null", [relation.sql("postgres")]).fetchone()
            if row is None or row[0]:
                return None
            request = ExtractionConfig(relation=relation)
            described = Wire(session).describe(scan_sql(request, "postgres"))
            return list(columns_of(session, described, request, self.connection)[0])

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name, also one that the login may not use."""
        sql = "select 1 from pg_catalog.pg_namespace where nspname = %s"
        return self.session().execute(sql, [name]).fetchone() is not None


def _codec(session: psycopg.Connection[Any]) -> str | None:
    return python_codec(session.info.parameter_status("server_encoding") or "UTF8")
