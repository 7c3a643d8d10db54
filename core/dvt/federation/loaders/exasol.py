"""Writes Exasol: IMPORT of CSV through a tunnel into a private table, and a rename in one transaction."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.exasol import SPEC, connect
from dvt.connections.exasol_errors import translate
from dvt.connections.exasol_tunnel import StoppedError
from dvt.errors import DataError, DvtError
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Words
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation
from dvt.types.exasol_landing import exasol_type

if TYPE_CHECKING:
    from pyexasol import ExaConnection

    from dvt.federation.loaders.exasol_import import Import

# The server counts columns from 0.
_PLACE = re.compile(r"\[Column=(\d+) Row=\d+\]")
_DIGITS = re.compile(r"(?i)timestamp(?:\((\d)\))?")
_DIGITS_UNSAID = 3


class ExasolLoader(SQLLoader):
    """Writes to one Exasol cluster."""

    spec = SPEC
    words = Words(rename="rename table {private} to {bare}")
    change_words = ChangeWords(delete="exists", merge="merge")
    _running: Import | None = None

    def connect(self) -> ExaConnection:
        """A session of the cluster."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: ExaConnection) -> None:
        """End it."""
        if not session.is_closed:
            with contextlib.suppress(Exception):  # it is gone already
                session.close()

    def interrupt(self, session: ExaConnection) -> None:
        """Abort what runs on the server."""
        running = self._running
        if running is not None:
            running.stop()
            return
        with contextlib.suppress(Exception):  # a connection that is gone has nothing to abort
            session.abort_query()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver, the server or the socket raises."""
        import pyexasol

        if not isinstance(error, (pyexasol.ExaError, OSError, StoppedError)):
            return None
        return translate(error, self.connection, phase=phase, relation=relation)

    def run(self, sql: str) -> None:
        """Run one statement."""
        session: ExaConnection = self.session()
        session.execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        session: ExaConnection = self.session()
        return list(session.execute(sql).fetchall())

    def begin(self) -> None:
        """There is no BEGIN: the session is told not to commit by itself."""
        session: ExaConnection = self.session()
        session.set_autocommit(False)

    def commit(self) -> None:
        """COMMIT, and by itself again."""
        super().commit()
        self._session.set_autocommit(True)

    def roll_back(self) -> None:
        """ROLLBACK, and by itself again; a session that is gone has nothing open."""
        super().roll_back()
        if self._session is not None:
            self._session.set_autocommit(True)

    def native_type(self, field: pa.Field) -> str | None:
        """Exasol's type for a column."""
        return exasol_type(field.type)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """One IMPORT through a tunnel."""
        return [LoadMethod("csv_import", fill=self._import)]

    def _import(self, filling: Filling) -> Filled:
        from dvt.federation.loaders.exasol_import import Import

        running = self._running = Import(self.session(), filling)
        try:
            self.check()  # it was cancelled while there was nothing to stop
            return running.fill()
        except Exception as error:
            if found := _PLACE.search(str(error)):
                known = self.translated(error, "load", str(filling.relation))
                name = filling.schema.names[int(found.group(1))]
                if isinstance(known, DataError):
                    raise known.at(column=name) from error
            raise
        finally:
            self._running = None
            running.stop()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's schema: one that is made becomes the session's own."""
        schema = relation.schema or self.connection.first("schema")
        return Relation(relation.name, schema)

    def has_schema(self, name: str) -> bool:
        """Whether there is a schema of that name."""
        return bool(self.rows(" ".join(["select 1 from EXA_SCHEMAS where SCHEMA_NAME =", self.literal(name)])))

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        for kind, select in (("table", "select 1 from EXA_ALL_TABLES"), ("view", "select 1 from EXA_ALL_VIEWS")):
            if self._told(select, kind, relation):
                return kind
        return None

    def _told(self, select: str, kind: str, relation: Relation) -> list[Sequence[Any]]:
        """What the catalogue says of a relation."""
        schema, name = self.literal(relation.schema or ""), self.literal(relation.name)
        called = "TABLE" if kind == "column" else "NAME"
        where = [f"where {kind.upper()}_SCHEMA =", schema, f"and {kind.upper()}_{called} =", name]
        return self.rows(" ".join([select, *where]))

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also what the target would change without a word: digits of a second, blanks, hashes."""
        changes = super().changes(private, target, config)
        old, new = self._native(target), self._native(private)
        for name, there in old.items():
            came = new.get(name, there)
            is_text = came.startswith("VARCHAR")
            if (is_text and not there.startswith("VARCHAR")) or _digits(there) < _digits(came):
                message = f"the target holds {there}, the new rows {came}: values could change"
                raise DataError(message, column=name, remedy="Cast it in the model, or run with --full-refresh")
        return changes

    def _native(self, relation: Relation) -> dict[str, str]:
        """The types of a table's columns as the catalogue has them; the protocol does not say their digits."""
        select = "select COLUMN_NAME, COLUMN_TYPE from EXA_ALL_COLUMNS"
        return {str(name).lower(): str(type_).upper() for name, type_ in self._told(select, "column", relation)}


def _digits(native: str) -> int:
    """The digits of a second that a type's moments have; enough of them where it has no moments."""
    found = _DIGITS.match(native)
    return 9 if found is None else int(found.group(1) or _DIGITS_UNSAID)
