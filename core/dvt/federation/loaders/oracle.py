"""Writes Oracle: rows into a private table, by direct path load or array inserts, then DELETE and INSERT of its rows.

DDL commits there what was done before it, and itself. So nothing but DML stands between the begin of a landing and its
end, what is left open is undone before a private table is dropped, and a session whose rollback fails is ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.oracle import SPEC, connect, default_schema, folded, translate
from dvt.errors import DataError, DvtError, RelationNotFoundError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.oracle_columns import COLUMNS, NativeColumn, require_kept
from dvt.federation.loaders.oracle_fill import ArrayInsert, DirectPath, why_no_direct_path
from dvt.federation.loaders.setting_aside import SettingAside
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation
from dvt.types.oracle_landing import is_declarable, oracle_type

_CHARSET = "select value from nls_database_parameters where parameter = 'NLS_CHARACTERSET'"
_KINDS = "select object_type from all_objects where owner = :owner and object_name = :name"
_SCHEMA = "select 1 from all_users where username = :name"
_HAS_BOOLEAN = 23  # the first release that has the type
_NO_SUCH_TABLE = "ORA-00942"


class OracleLoader(SettingAside, SQLLoader):
    """Writes to one Oracle database."""

    spec = SPEC
    change_words = ChangeWords(delete="exists", merge="merge", alias="", first="fetch first 1 rows only")

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_running = False

    def connect(self) -> Any:
        """A session in which each statement is its own transaction, until one is begun."""
        return connect(self.connection, writes=True)

    def disconnect(self, session: Any) -> None:
        """End it; what it has not committed is undone."""
        import oracledb

        with contextlib.suppress(oracledb.Error, OSError):
            session.close()

    def interrupt(self, session: Any) -> None:
        """The server is sent a break."""
        import oracledb

        if self._is_running:
            with contextlib.suppress(oracledb.Error, OSError):
                session.cancel()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, the server or the socket raises."""
        import oracledb

        if not isinstance(error, (oracledb.Error, OSError)):
            return None
        return translate(error, self.connection, phase=phase, relation=relation)

    @contextlib.contextmanager
    def running(self) -> Iterator[Any]:
        """The session, while it is at the server: then there is something to break."""
        session = self.session()
        self._is_running = True
        try:
            self.check()
            yield session
        finally:
            self._is_running = False

    def run(self, sql: str) -> None:
        """Run one statement."""
        with self.running() as session, session.cursor() as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        return self.asked(sql)

    def asked(self, sql: str, **bound: Any) -> list[Sequence[Any]]:
        """The rows of a small result, with values bound."""
        with self.running() as session, session.cursor() as cursor:
            cursor.execute(sql, **bound)
            return list(cursor.fetchall())

    def begin(self) -> None:
        """From here on nothing is committed."""
        self.session().autocommit = False

    def commit(self) -> None:
        """COMMIT, and each statement by itself again."""
        with self.running() as session:
            session.commit()
            session.autocommit = True

    def roll_back(self) -> None:
        """ROLLBACK; where it fails the session is ended, or the next DDL would commit half of what was begun."""
        session = self._session
        if session is None:
            return
        try:
            session.rollback()
            session.autocommit = True
        except BaseException:
            self.close()
            raise

    @cached_property
    def charset(self) -> str:
        """The database's character set."""
        return str(self.asked(_CHARSET)[0][0])

    @cached_property
    def _has_boolean(self) -> bool:
        return int(str(self.session().version).partition(".")[0]) >= _HAS_BOOLEAN

    def native_type(self, field: pa.Field) -> str | None:
        """Oracle's type for a column."""
        return oracle_type(field.type, pa.types.is_boolean(field.type) and self._has_boolean)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses the types that change values: they pad or round."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of Oracle that keeps every value it is given",
                column=column,
                remedy="Declare for example varchar2(n), clob, number(p, s), timestamp(n), binary_double or blob",
            )

    def column_sql(self, name: str, type_: str) -> str:
        """By the name that the catalogue is to have."""
        return super().column_sql(self.column_name(name), type_)

    def column_name(self, name: str) -> str:
        """A column's name as the catalogue has it."""
        return folded(name) if self.connection.options["names_as"] == "folded" else name

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Direct path load, and array inserts for what it does not take."""
        names = [self.column_name(name) for name in filling.schema.names]
        direct, inserts = DirectPath(self, filling, names), ArrayInsert(self, filling, names)
        return [
            LoadMethod("direct_path", lacks=lambda: why_no_direct_path(self, direct), fill=direct.fill),
            LoadMethod("executemany", BUFFERED, fill=inserts.fill),
        ]

    def qualified(self, relation: Relation) -> Relation:
        """By the names that the catalogue has."""
        name, schema = relation.name, relation.schema or default_schema(self.connection)
        return Relation(self.column_name(name), self.column_name(schema))

    def has_schema(self, name: str) -> bool:
        """Whether there is a user of that name."""
        return bool(self.asked(_SCHEMA, name=name))

    def ensure_schema(self, relation: Relation) -> None:
        """A schema is a user, which is for an administrator to create."""
        schema = self.qualified(relation).schema or ""
        with self.guarded("load", relation):
            if not self.has_schema(schema):
                remedy = f'Let an administrator run CREATE USER "{schema}", or set another schema'
                raise RelationNotFoundError(f"there is no schema {schema}: in Oracle it is a user", remedy=remedy)

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        found = {str(row[0]) for row in self.asked(_KINDS, owner=relation.schema, name=relation.name)}
        if not found:
            return None
        if found in ({"TABLE"}, {"VIEW"}):
            return found.pop().lower()
        kinds = " and ".join(sorted(found)).lower()
        raise DataError(f"the target is a {kinds}", remedy="Drop it, or give the model another name")

    def remove(self, relation: Relation) -> None:
        """DROP TABLE, past the recycle bin, where there is one; what is open is undone before, as DDL commits."""
        import oracledb

        self.roll_back()
        try:
            self.run(" ".join(["drop table", relation.sql("oracle"), "purge"]))
        except oracledb.DatabaseError as error:
            if _NO_SUCH_TABLE not in str(error):
                raise
        self.put_back(relation)

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """The key by the names that the catalogue has."""
        key = tuple(self.column_name(name) for name in config.unique_key)
        return super().landing(private, dataclasses.replace(config, unique_key=key))

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also what the target would change without a word: digits of a second, blanks, roundings."""
        changes = super().changes(private, target, config)
        require_kept(self._columns(private), self._columns(target))
        return changes

    def _same_columns(self, private: Relation, target: Relation) -> list[str] | None:
        """As the catalogue has them: a description has no digits of a second."""
        new = self._columns(private)
        return [column.name for column in new] if new == self._columns(target) else None

    def _columns(self, relation: Relation) -> list[NativeColumn]:
        found = self.asked(COLUMNS, owner=relation.schema, name=relation.name)
        return [NativeColumn(str(row[0]), *row[1:]) for row in found]
