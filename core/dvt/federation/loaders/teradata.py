"""Writes Teradata: batch inserts into a private MULTISET table, then DELETE and INSERT of its rows in one transaction.

By FastLoad where it is asked for (`teradata_fastload.py`), by way of a staging table: it drops rows that are there
twice. A SET table drops such rows too, so that nothing is appended to one. MERGE wants the target's primary index in
its condition: DELETE and INSERT stand for it.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.teradata import SPEC, connect
from dvt.connections.teradata_errors import error_number, translate
from dvt.errors import DataError, DvtError, RelationNotFoundError
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.changes import Changes, ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.fitting import require_length_of
from dvt.federation.loaders.landing import Words
from dvt.federation.loaders.setting_aside import SettingAside
from dvt.federation.loaders.sql import SQLLoader
from dvt.federation.loaders.teradata_fastload import BATCH_BYTES, FastLoad, staging_of, tables_of, why_not
from dvt.identifiers import Relation, quote_all
from dvt.types.landing_texts import named
from dvt.types.teradata_landing import Binding, is_bytes, is_declarable, teradata_type

# A batch is one request, which may not be longer than the database takes.
_PIECE_BYTES = 1 << 20
_NO_SUCH_TABLE = 3807
_COLUMNS = (
    "select ColumnName, ColumnType, ColumnLength, DecimalTotalDigits, DecimalFractionalDigits, CharType, UpperCaseFlag"
    " from DBC.ColumnsV where DatabaseName ="
)
_KIND = "select TableKind, CheckOpt from DBC.TablesV where TableKind in ('T', 'O', 'V') and DatabaseName ="
_NATIVE = "{fn teradata_nativesql}"


class TeradataLoader(SettingAside, SQLLoader):
    """Writes to one Teradata system."""

    spec = SPEC
    words = Words(rename="rename table {private} to {target}")
    change_words = ChangeWords(delete="exists", merge="replace", first="")
    table_options = "no primary index"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_running = False
        self._is_begun = False  # where nothing is, the driver wants no COMMIT and no ROLLBACK
        self._staged: dict[Relation, Relation] = {}  # FastLoad's table by the private one

    def connect(self) -> Any:
        """A session in which each statement commits by itself, until a transaction is begun."""
        return connect(self.connection, self.cancelled)

    def disconnect(self, session: Any) -> None:
        """End it; what it has not committed is undone."""
        import teradatasql

        with contextlib.suppress(teradatasql.Error):
            session.close()

    def interrupt(self, session: Any) -> None:
        """The driver's cancel, while a request runs."""
        import teradatasql

        if self._is_running:
            with contextlib.suppress(teradatasql.Error):
                session.cancel()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the driver raises."""
        import teradatasql

        if not isinstance(error, teradatasql.Error):
            return None
        return translate(error, self.connection, phase=phase, relation=relation)

    def run(self, sql: str) -> None:
        """Run one statement."""
        self.rows(sql)

    def rows(self, sql: str, *given: Any) -> list[Sequence[Any]]:
        """The rows of a small result."""
        session = self.session()
        self._is_running = True
        try:
            self.check()
            with contextlib.closing(session.cursor()) as cursor:
                cursor.execute(sql, *given)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            self._is_running = False

    def first_row(self, sql: str) -> Sequence[Any] | None:
        """The first row alone: Teradata says TOP before what is selected."""
        with contextlib.closing(self.session().cursor()) as cursor:
            cursor.execute(sql)
            found: Sequence[Any] | None = cursor.fetchone()
            return found

    def begin(self) -> None:
        """From here on nothing is committed."""
        self.run(_NATIVE + "{fn teradata_autocommit_off}")
        self._is_begun = True

    def commit(self, ask: Callable[[], None] = lambda: None) -> None:
        """COMMIT, and each statement by itself again.

        Args:
            ask: Is called between the two, while the driver still knows what became of the commit.
        """
        self.session().commit()
        self._is_begun = False
        try:
            ask()
        finally:
            self.run(_NATIVE + "{fn teradata_autocommit_on}")

    def roll_back(self) -> None:
        """ROLLBACK; where it fails the session is ended, which undoes what is open."""
        session, was_begun, self._is_begun = self._session, self._is_begun, False
        if session is None or not was_begun:
            return
        try:
            session.rollback()
            with contextlib.closing(session.cursor()) as cursor:
                cursor.execute(_NATIVE + "{fn teradata_autocommit_on}")
        except BaseException:
            self.close()
            raise

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE MULTISET TABLE, whatever the session's mode makes of CREATE TABLE."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        made = ["create multiset table", relation.sql("teradata"), "(", ", ".join(columns), ")"]
        self.run(" ".join([*made, self.table_options]))

    def native_type(self, field: pa.Field) -> str | None:
        """Teradata's type for a column."""
        return teradata_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses the types that change values: they pad, round, or have few characters."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of Teradata that keeps every value it is given",
                column=column,
                remedy="Declare for example varchar(n) character set unicode, decimal(p, s), timestamp(n) or float",
            )

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """INSERT with batches of rows; before it FastLoad, where it is asked for."""
        inserts = LoadMethod("batch_insert", BUFFERED, fill=self._fill)
        if self.connection.options["load_with"] != "fastload":
            return [inserts]
        return [LoadMethod("fastload", lacks=lambda: why_not(self.connection, filling), fill=self._fastload), inserts]

    def _fastload(self, filling: Filling) -> Filled:
        batches = filling.batches(BATCH_BYTES)
        first = next(batches, None)
        if first is None:
            return Filled()
        staging = self._staged[filling.relation] = staging_of(filling.relation)
        load = FastLoad(filling, staging, self.rows)
        self.run(load.create_sql())
        self.begin()
        load.send(itertools.chain([first], batches))
        self.commit(load.require_applied)
        load.require_all()
        self.run(load.insert_sql())
        self._drop_tables(*tables_of(staging))
        del self._staged[filling.relation]
        return Filled()

    def _fill(self, filling: Filling) -> Filled:
        names = filling.schema.names
        bindings = [Binding(native) for native in filling.types]
        said = [
            f"{{fn teradata_parameter({place},{native})}}"
            for place, native in enumerate(filling.types, start=1)
            if is_bytes(native)
        ]
        into = ["insert into", filling.relation.sql("teradata"), "(", quote_all(names, "teradata"), ") values ("]
        sql = "".join([*said, " ".join([*into, ", ".join("?" * len(names)), ")"])])
        for batch in filling.batches(_PIECE_BYTES):
            given = zip(bindings, batch.columns, names, strict=True)
            columns = [named(binding.values, column, name, "Teradata") for binding, column, name in given]
            self.rows(sql, [list(row) for row in zip(*columns, strict=True)])
        return Filled()

    def qualified(self, relation: Relation) -> Relation:
        """With the connection's database."""
        own = relation.schema or self.connection.first("schema", "database")
        if own is None:
            own = str(self.rows("select DATABASE")[0][0]).rstrip()
        return Relation(relation.name, str(own))

    def has_schema(self, name: str) -> bool:
        """Whether there is a database of that name."""
        return bool(self.rows(" ".join(["select 1 from DBC.DatabasesV where DatabaseName =", self.literal(name)])))

    def ensure_schema(self, relation: Relation) -> None:
        """A schema is a database with room of its own, which is for an administrator to create."""
        schema = self.qualified(relation).schema or ""
        with self.guarded("load", relation):
            if not self.has_schema(schema):
                remedy = f'Let an administrator run CREATE DATABASE "{schema}", or set another schema'
                raise RelationNotFoundError(f"there is no database {schema}", remedy=remedy)

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        found = self._kind(relation)
        return None if found is None else "view" if found[0] == "V" else "table"

    def remove(self, relation: Relation) -> None:
        """DROP TABLE, where there is one; what is open is undone before, as DDL ends a transaction.

        What FastLoad was given for it goes as well.
        """
        import teradatasql

        with contextlib.suppress(teradatasql.Error):  # its session was ended, then
            self.roll_back()
        staging = self._staged.get(relation)
        self._drop_tables(*(tables_of(staging) if staging else []), relation)
        self._staged.pop(relation, None)
        self.put_back(relation)

    def _drop_tables(self, *relations: Relation) -> None:
        """DROP TABLE of those that are there; one that cannot be dropped keeps none of the others."""
        with contextlib.ExitStack() as drops:
            for relation in reversed(relations):
                drops.callback(self._drop_table, relation)

    def _drop_table(self, relation: Relation) -> None:
        import teradatasql

        try:
            self.run(" ".join(["drop table", relation.sql("teradata")]))
        except teradatasql.Error as error:
            if error_number(str(error)) != _NO_SUCH_TABLE:
                raise

    def changes(self, private: Relation, target: Relation, config: LoadConfig) -> Changes:
        """Refuses also what the target would change without a word: doubled rows, blanks, digits, cut texts."""
        changes = super().changes(private, target, config)
        if self._is_set(target):
            raise DataError(
                f"the target {target} is a SET table, which drops rows that are there twice",
                remedy="Make it a MULTISET table, or run with --full-refresh",
            )
        there = {str(row[0]).lower(): row for row in self._columns(target)}
        for name, type_, length, _, digits, characters, _ in self._columns(private):
            into = there[str(name).lower()]
            is_moment = str(type_).strip() in ("TS", "SZ", "AT")
            is_same = str(into[1]).strip() == str(type_).strip() and into[5] == characters
            if (not is_same and not _is_number(into[1], type_)) or (is_moment and int(into[4]) < int(digits)):
                message = f"the target holds {into[1:]}, the new rows {(type_, length, digits, characters)}"
                raise DataError(f"{message}: values could change", column=str(name), remedy="Cast it in the model")
            if str(type_).strip() in ("CV", "BV") and int(into[2]) < int(length):
                measure = "character_length" if str(type_).strip() == "CV" else "bytes"
                most = int(into[2]) // (2 if str(type_).strip() == "CV" else 1)
                require_length_of(self, private, str(name), most, measure)
        return changes

    def _same_columns(self, private: Relation, target: Relation) -> list[str] | None:
        """As the catalogue has them; a SET table would drop rows."""
        new = self._columns(private)
        is_same = [list(row) for row in new] == [list(row) for row in self._columns(target)]
        return [str(row[0]) for row in new] if is_same and not self._is_set(target) else None

    def _is_set(self, relation: Relation) -> bool:
        found = self._kind(relation)
        return found is not None and found[1] == "N"

    def _kind(self, relation: Relation) -> tuple[str, str] | None:
        where = [self.literal(relation.schema or ""), "and TableName =", self.literal(relation.name)]
        found = self.rows(" ".join([_KIND, *where]))
        return (str(found[0][0]).strip(), str(found[0][1]).strip()) if found else None

    def _columns(self, relation: Relation) -> list[Sequence[Any]]:
        where = [self.literal(relation.schema or ""), "and TableName =", self.literal(relation.name)]
        return self.rows(" ".join([_COLUMNS, *where, "order by ColumnId"]))


def _is_number(there: Any, new: Any) -> bool:
    """Whether both are exact numbers, whose digits are compared elsewhere."""
    exact = ("I1", "I2", "I", "I8", "D")
    return str(there).strip() in exact and str(new).strip() in exact
