"""Writes SQL Server: Arrow batches by its bulk load into a private table, and sp_rename in one transaction."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp

from dvt.connections.connection import Connection
from dvt.connections.sqlserver import SPEC, cancel, connect, translate
from dvt.connections.sqlserver_login import login_of
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.sqlserver_sql import count_sql
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, private_name, quote
from dvt.types.sqlserver_landing import Sending, is_declarable, sqlserver_type

_PIECE_BYTES = 4 << 20


class SqlServerLoader(SQLLoader):
    """Writes to one database.

    The driver's bulk load has a session of its own, so that a private table is made, and committed, before it is
    filled. Rows change by DELETE and INSERT, never by MERGE, of which Microsoft lists cases that go wrong.
    """

    spec = SPEC
    change_words = ChangeWords(delete="join", merge="replace", first="offset 0 rows fetch next 1 rows only")
    create_schema_words = "create schema"
    begins = "begin transaction"
    commits = "commit transaction"
    rolls_back = "if @@trancount > 0 rollback transaction"  # XACT_ABORT may have done it

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        # Between two calls of the driver there is nothing to cancel, and it would read in two threads.
        self._cursor: Any = None
        self._lock = threading.Lock()

    def connect(self) -> Any:
        """A session in which each statement is its own transaction, until one is begun."""
        return connect(self.connection, self.cancelled, writes=True)

    def disconnect(self, session: Any) -> None:
        """End it."""
        import mssql_python

        with contextlib.suppress(mssql_python.Error, RuntimeError):
            session.close()

    def interrupt(self, session: Any) -> None:
        """Send an attention. A bulk load, which runs elsewhere, ends with its next batch."""
        with self._lock:
            if self._cursor is not None:
                cancel(self._cursor)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver or the server raises."""
        import mssql_python

        is_own = isinstance(error, (mssql_python.Error, mssql_python.Warning, RuntimeError))
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        with self._running(sql):
            pass

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with self._running(sql) as cursor:
            return list(cursor.fetchall())

    @contextlib.contextmanager
    def _running(self, sql: str) -> Iterator[Any]:
        cursor = self.session().cursor()
        with self._lock:
            self.check()
            self._cursor = cursor
        try:
            cursor.execute(sql)
            yield cursor
        finally:
            with self._lock:
                self._cursor = None
            cursor.close()
        self.check()  # a cancelled call may end without a word

    def native_type(self, field: pa.Field) -> str | None:
        """SQL Server's type for a column."""
        return sqlserver_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses also the types that change values: they round, pad or cut."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of SQL Server that keeps every value it is given",
                column=column,
                remedy="Declare for example nvarchar(n), decimal(p, s), datetime2(n), float or varbinary(n)",
            )

    def creating(self, relation: Relation, query: str) -> list[str]:
        """By a view: a query may begin with WITH, which neither SELECT INTO nor a derived table takes."""
        relation = self.qualified(relation)
        view = relation.sibling(private_name(relation.name, "view", self.spec.max_identifier_bytes))
        made, own = relation.sql("tsql"), Relation(view.name, view.schema).sql("tsql")
        filled = " ".join(["select * into", made, "from", view.sql("tsql")])
        return ["\n".join([" ".join(["create view", own, "as"]), query]), filled, " ".join(["drop view", own])]

    def column_sql(self, name: str, type_: str) -> str:
        """A column that may be NULL, whatever the database's default is."""
        return " ".join([super().column_sql(name, type_), "null"])

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The driver's bulk load of Arrow batches."""
        return [LoadMethod("bulkcopy_arrow", lacks=self._why_no_copy, fill=self._copy)]

    def _why_no_copy(self) -> str | None:
        """The bulk load's own session gets what is in the connection string, and no attributes."""
        if login_of(self.connection).attributes:
            return "mssql-python's bulk load takes no access_token: log in as a service principal, or by a user's name"
        return None

    def _copy(self, filling: Filling) -> Filled:
        reader, failed = _sent(filling)
        cursor = self.session().cursor()
        limit_s = int(self.connection.options["statement_timeout_s"])
        try:
            done = cursor.bulkcopy_arrow(
                _bracketed(filling.relation), reader, timeout=limit_s, table_lock=True, keep_nulls=True
            )
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            if failed:  # the driver tells another's error in its own words
                raise failed[0] from failed[0].__cause__
            label = str(filling.relation)
            if isinstance(error, ValueError):
                raise DataError(f"the driver sends no such value: {error}", relation=label) from error
            raise translate(error, self.connection, phase="load", relation=label) from error
        finally:
            cursor.close()
        return Filled(taken=int(done["rows_copied"]))

    def count(self, relation: Relation) -> int:
        """COUNT_BIG; COUNT ends at two thousand millions."""
        return int(self.rows(count_sql(relation))[0][0])

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        own = str(self.connection.first("schema", default="dbo"))
        return relation if relation.schema else dataclasses.replace(relation, schema=own)

    def literal(self, text: str) -> str:
        """A text in Unicode."""
        return exp.National(this=text).sql(dialect="tsql")

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name; the information schema has only those that the login owns."""
        return bool(self.rows(" ".join(["select name from sys.schemas where name =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        tables = Relation("TABLES", "INFORMATION_SCHEMA", relation.database).sql("tsql")
        where = ["where TABLE_NAME =", self.literal(relation.name), "and TABLE_SCHEMA ="]
        sql = ["select TABLE_TYPE from", tables, *where, self.literal(relation.schema or "dbo")]
        found = self.rows(" ".join(sql))
        return None if not found else "view" if "VIEW" in str(found[0][0]).upper() else "table"

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """Drop what is there and rename the private table, in one transaction."""
        procedure = [quote(private.database, "tsql") + "."] if private.database else []
        renamed = _bracketed(Relation(private.name, private.schema))
        names = ", ".join([self.literal(renamed), self.literal(target.name), "'OBJECT'"])
        rename = " ".join(["exec", "".join([*procedure, "sys.sp_rename"]), names])
        drop = [] if kind is None else [" ".join(["drop", kind, target.sql("tsql")])]
        return Landing(self.spec.landing, (*drop, rename))


def _bracketed(relation: Relation) -> str:
    """A name within a text, where what double quotes are depends on a setting."""
    return str(relation.ast().sql(dialect="tsql"))


def _sent(filling: Filling) -> tuple[pa.RecordBatchReader, list[BaseException]]:
    """The rows as the driver takes them, and the error that ended them, should one."""
    names = filling.schema.names
    columns = [Sending(name, type_) for name, type_ in zip(names, filling.types, strict=True)]
    empty = [each.sent(pa.array([], field.type)) for each, field in zip(columns, filling.schema, strict=True)]
    schema = pa.schema([(name, array.type) for name, array in zip(names, empty, strict=True)])
    failed: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in filling.batches(_PIECE_BYTES):
                arrays = [each.sent(array) for each, array in zip(columns, batch.columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except Exception as error:
            failed.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, batches()), failed
