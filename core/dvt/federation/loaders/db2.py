"""Writes Db2: array inserts into a private table, and DROP and RENAME in one transaction, which undoes DDL there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.db2 import SPEC, application_handle, connect, driver_errors, force_off, translate
from dvt.connections.db2_errors import error_code, is_drivers
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.fitting import require_length_of
from dvt.federation.loaders.landing import Words
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation, quote_all
from dvt.types.db2_landing import Binding, db2_type, is_declarable
from dvt.types.landing_texts import named

_PIECE_BYTES = 4 << 20
_UTF8 = 1208
_UNDEFINED_NAME = -204
_COLUMNS = "select COLNAME, TYPENAME, LENGTH, SCALE, CODEPAGE from SYSCAT.COLUMNS where TABSCHEMA ="
_EMPTY_IS_NULL = "select 1 from SYSIBM.SYSDUMMY1 where '' is null"
# By the first word of a type, those that take its values as they are; texts are measured.
_HOLDING = {"VARCHAR": ("VARCHAR", "CLOB", "VARGRAPHIC", "DBCLOB"), "CLOB": ("CLOB", "DBCLOB")}
_HOLDING |= {"DATE": ("DATE",), "VARBINARY": ("VARBINARY", "BLOB"), "REAL": ("REAL", "DOUBLE")}


class Db2Loader(SQLLoader):
    """Writes to one Db2 database."""

    spec = SPEC
    words = Words(rename="rename table {private} to {bare}")
    change_words = ChangeWords(delete="exists", merge="merge", first="fetch first 1 rows only")
    create_schema_words = "create schema"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._handle = 0

    def connect(self) -> Any:
        """A session in which each statement commits by itself, until a transaction is begun."""
        session = connect(self.connection, self.cancelled)
        self._handle = application_handle(session)
        return session

    def disconnect(self, session: Any) -> None:
        """End it; what it has not committed is undone."""
        with contextlib.suppress(*driver_errors()):
            session.close()

    def interrupt(self, session: Any) -> None:
        """Force the session off; who may not has the load end at its next batch."""
        if self._handle:
            force_off(self.connection, self._handle)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver raises."""
        return translate(error, self.connection, phase=phase, relation=relation) if is_drivers(error) else None

    def run(self, sql: str) -> None:
        """Run one statement."""
        with contextlib.closing(self.session().cursor()) as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with contextlib.closing(self.session().cursor()) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def begin(self) -> None:
        """From here on nothing is committed."""
        self.session().set_autocommit(False)

    def commit(self) -> None:
        """COMMIT, and each statement by itself again."""
        session = self.session()
        session.commit()
        session.set_autocommit(True)

    def roll_back(self) -> None:
        """ROLLBACK; where it fails the session is ended, which undoes what is open."""
        session = self._session
        if session is None:
            return
        try:
            session.rollback()
            session.set_autocommit(True)
        except BaseException:
            self.close()
            raise

    @cached_property
    def _empty_is_null(self) -> bool:
        """Whether the database was made with Oracle's VARCHAR2."""
        return bool(self.rows(_EMPTY_IS_NULL))

    def native_type(self, field: pa.Field) -> str | None:
        """Db2's type for a column."""
        return db2_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses the types that change values: they pad or round."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of Db2 that keeps every value it is given",
                column=column,
                remedy="Declare for example varchar(n), clob(n), decimal(p, s), timestamp(n), double or blob(n)",
            )

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """INSERT with arrays of values."""
        return [LoadMethod("executemany", BUFFERED, fill=self._fill)]

    def _fill(self, filling: Filling) -> Filled:
        names = filling.schema.names
        is_unicode = all(int(row[4] or _UTF8) == _UTF8 for row in self._columns(filling.relation))
        bindings = [Binding(native, self._empty_is_null, is_unicode) for native in filling.types]
        head = ["insert into", filling.relation.sql("db2"), "(", quote_all(names, "db2"), ") values ("]
        sql = " ".join([*head, ", ".join(binding.expression for binding in bindings), ")"])
        for batch in filling.batches(_PIECE_BYTES):
            given = zip(bindings, batch.columns, names, strict=True)
            columns = [named(binding.values, column, name, "Db2") for binding, column, name in given]
            with contextlib.closing(self.session().cursor()) as cursor:
                cursor.executemany(sql, list(zip(*columns, strict=True)))
        return Filled()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema."""
        own = relation.schema or self.connection.first("schema")
        if own is None:
            own = str(self.rows("select CURRENT SCHEMA from SYSIBM.SYSDUMMY1")[0][0]).rstrip()
        return Relation(relation.name, str(own))

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        return bool(self.rows(" ".join(["select 1 from SYSCAT.SCHEMATA where SCHEMANAME =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        where = [self.literal(relation.schema or ""), "and TABNAME =", self.literal(relation.name)]
        found = self.rows(" ".join(["select TYPE from SYSCAT.TABLES where TABSCHEMA =", *where]))
        if not found:
            return None
        kind = str(found[0][0]).strip()
        if kind not in ("T", "V"):
            raise DataError(
                f"the target is neither a table nor a view (SYSCAT.TABLES.TYPE {kind})",
                remedy="Drop it, or give the model another name",
            )
        return "table" if kind == "T" else "view"

    def remove(self, relation: Relation) -> None:
        """DROP TABLE, where there is one."""
        try:
            self.run(" ".join(["drop table", relation.sql("db2")]))
        except driver_errors() as error:
            if error_code(str(error)) != _UNDEFINED_NAME:
                raise

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also what the target would change without a word: blanks that are filled up or cut, and digits."""
        changes = super().changes(private, target, config)
        there = {str(row[0]).lower(): row for row in self._columns(target)}
        for name, type_, length, scale, *_ in self._columns(private):
            _, into, most, digits, *_ = there[str(name).lower()]
            base, into = str(type_).strip(), str(into).strip()
            if into not in _HOLDING.get(base, (into,)) or (base == into == "TIMESTAMP" and digits < scale):
                message = f"the target holds {into}({most},{digits}), the new rows {base}({length},{scale})"
                raise DataError(f"{message}: values could change", column=str(name), remedy="Cast it in the model")
            if base in ("VARCHAR", "CLOB", "VARBINARY") and int(most) < int(length):
                require_length_of(self, private, str(name), int(most))
        return changes

    def _columns(self, relation: Relation) -> list[Sequence[Any]]:
        where = [self.literal(relation.schema or ""), "and TABNAME =", self.literal(relation.name), "order by COLNO"]
        return self.rows(" ".join([_COLUMNS, *where]))
