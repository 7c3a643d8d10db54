"""Reads Db2 by a cursor of its driver, batch by batch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from dvt.connections.db2 import SPEC, connect, driver_errors, force_off, translate, tried_again
from dvt.connections.db2_errors import is_drivers
from dvt.connections.retrying import Retries
from dvt.errors import DvtError, QueryError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig, TableStatistics
from dvt.federation.extractors.driver_rows import DriverRowsExtractor, RowColumn, column_of, text_literal
from dvt.identifiers import Relation
from dvt.types.db2 import cursor_type, native_type, reading
from dvt.types.vocabulary import TIME

# An alias has no columns of its own, and a distinct type is read as the type that it is made of.
_COLUMNS = """SELECT C.COLNAME, COALESCE(D.SOURCENAME, C.TYPENAME), C.LENGTH, C.SCALE, C.CODEPAGE, C.NULLS, C.HIDDEN
FROM SYSCAT.TABLES T
JOIN SYSCAT.COLUMNS C
  ON C.TABSCHEMA = COALESCE(T.BASE_TABSCHEMA, T.TABSCHEMA) AND C.TABNAME = COALESCE(T.BASE_TABNAME, T.TABNAME)
LEFT JOIN SYSCAT.DATATYPES D
  ON D.TYPESCHEMA = C.TYPESCHEMA AND D.TYPENAME = C.TYPENAME AND D.METATYPE = 'T'
WHERE T.TABSCHEMA ="""
_CARDINALITY = "SELECT CARD FROM SYSCAT.TABLES WHERE TABSCHEMA ="
_SCHEMA = "CURRENT SCHEMA"


class Db2Extractor(DriverRowsExtractor):
    """Reads one Db2 database. Cursor stability: each scan sees rows as they are when it comes to them."""

    spec = SPEC
    whole_because = "its sessions do not share a snapshot"
    _handle: int | None = None

    def ping(self) -> str:
        """Connect, log in, and give the server's version."""
        session = self._opened()
        return f"Db2 {session.dbms_ver} ({session.dbms_name})"

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows by the last RUNSTATS."""
        if request.relation is None:
            return None
        sql = " ".join([_CARDINALITY, self._schema(request.relation), "AND TABNAME =", self._name(request.relation)])
        found = self._rows(sql, "describe", request.label)
        return TableStatistics(rows=int(found[0][0])) if found and int(found[0][0]) >= 0 else None

    def _connect(self) -> Any:
        return connect(self.connection, self._is_cancelled)

    def _statements_again(self) -> Retries:
        return tried_again(self.connection, statements=True)

    def _translated(self, error: Exception, phase: str, label: str) -> DvtError | None:
        return translate(error, self.connection, phase=phase, relation=label) if is_drivers(error) else None

    def _ending_errors(self) -> tuple[type[Exception], ...]:
        return driver_errors()

    def _schema(self, relation: Relation) -> str:
        return text_literal(relation.schema, "db2") if relation.schema else _SCHEMA

    def _name(self, relation: Relation) -> str:
        return text_literal(relation.name, "db2")

    def _catalogue(self, relation: Relation, label: str) -> Mapping[str, RowColumn]:
        own = [_COLUMNS, self._schema(relation), "AND T.TABNAME =", self._name(relation), "ORDER BY C.COLNO"]
        found = {}
        for name, type_, length, scale, codepage, nulls, hidden in self._rows(" ".join(own), "describe", label):
            native = native_type(str(type_).strip(), int(length), int(scale), int(codepage or 0))
            found[name] = self._column(name, native, nulls != "N", str(hidden).strip() not in ("I", "S"))
        return found

    def _of_query(self, query: str, label: str) -> Mapping[str, RowColumn]:
        session = self._opened()
        with self._guarded("describe", label), contextlib.closing(session.cursor()) as cursor:
            # Releases before 3.3 describe only what has been run.
            prepare = getattr(cursor, "prepare", cursor.execute)
            prepare(query)
            described = cursor.description or []
        found = {}
        # Where the driver has no name for a type, it leaves the type out.
        for name, *kind, _, _, precision, scale, nullable in described:
            native = cursor_type(kind[0] if kind else (), precision, scale)
            found[name] = self._column(name, native, bool(nullable), True)
        return found

    def _column(self, name: str, native: str, nullable: bool, in_star: bool) -> RowColumn:
        how = reading(native, time_as=str(self.connection.options["time_as"]))
        return column_of(name, native, how, nullable, in_star)

    def _execute(self, cursor: Any, sql: str) -> None:
        limit_s = int(self.connection.options["statement_timeout_s"])
        if not limit_s:
            cursor.execute(sql)
            return
        if not hasattr(cursor, "prepare"):
            raise UnsupportedError(
                "this release of ibm_db has no statement timeout",
                connection=self.connection.name,
                remedy="Install ibm_db 3.3 or newer, or remove dvt.statement_timeout_s",
            )
        import ibm_db

        cursor.prepare(sql)
        ibm_db.set_option(cursor.stmt_handler, {ibm_db.SQL_ATTR_QUERY_TIMEOUT: limit_s}, 0)
        cursor.execute()

    def _opened(self) -> Any:
        session = super()._opened()
        if self._handle is None:
            self._handle = 0
            with contextlib.suppress(QueryError):  # who may not ask cannot force it off either
                self._handle = int(self._rows("VALUES SYSPROC.MON_GET_APPLICATION_HANDLE()", "describe", "")[0][0])
        return session

    def _interrupt(self) -> None:
        """Have another session force this one off: the driver gives no way to end a statement."""
        if self._handle:  # who may not force has the scan end at its next batch
            force_off(self.connection, self._handle)

    def _remedy(self, column: RowColumn) -> str:
        if column.schema.type == TIME:
            return "Set the connection's option dvt.time_as: text"
        return super()._remedy(column)
