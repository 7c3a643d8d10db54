"""Writing to the double of Db2's driver: arrays of values, transactions that undo DDL, and the catalogue.

As Db2 documents it: what a column has no place for is an error (SQL0433N, SQL0413N), but blanks at the end of a text
that is too long are cut without a word; CHAR is filled up with blanks; RENAME TABLE takes a new name without a schema;
there is no DROP TABLE IF EXISTS in older releases, so that it is refused here. In arrays the driver binds texts, floats
and bytes; what it makes of other values depends on the first row, so that they are refused here too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from servers.db2_driver import _SERVER, SCHEMA, Connection, Cursor, Db2Double, ProgrammingError, _text, read_words
from servers.driver_double import parts
from servers.fake_cursor import FakeCursor
from servers.fake_sql import FakeSQL, FakeSQLError
from servers.fake_transaction import Transaction

_NAME = r"(?:\"(?:[^\"]|\"\")*\"|\w+)(?:\.(?:\"(?:[^\"]|\"\")*\"|\w+))?"
_RENAME = re.compile(rf"(?is)^rename table ({_NAME}) to (\"(?:[^\"]|\"\")*\"|\w+)$")
_DROP = re.compile(rf"(?is)^drop (table|view) ({_NAME})$")
_VIEW = re.compile(rf"(?is)^create or replace view ({_NAME}) as")
_INTO = re.compile(rf"(?is)^(?:insert|merge) into ({_NAME})")
_ARRAY = re.compile(rf"(?is)^(insert into {_NAME} \( .* \)) values \( (.*) \)$")
_SIZED = re.compile(r"(?i)^(VARCHAR|CHARACTER|CHAR|CLOB|VARBINARY|BLOB)\s*\((\d+)\s*([KMG]?)")
_COMMENT = re.compile(r"(?s)^\s*/\*.*?\*/\s*")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Db2WritingDouble(Db2Double):
    """A database that can be written."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_at = ""  # a statement that holds this fails
        self.empty_is_null = False
        self._loads = 0

    def connect(self, *given: Any, **more: Any) -> WritingConnection:
        """As the driver's; a new session is none that was forced off."""
        self.forced.clear()
        return WritingConnection(super().connect(*given, **more).double)

    @property
    def was_asked(self) -> bool:
        """Whether it was sent anything."""
        return bool(self.statements)

    def listed(self) -> list[str]:
        """Names of what there is."""
        sql = f"select TABNAME from SYSCAT.TABLES where TABSCHEMA = '{SCHEMA}'"
        return [row[0] for row in self.sql.run(sql).fetchmany(1000)]

    def content(self, name: str) -> list[list[Any]]:
        """The rows of a relation."""
        rows = self.sql.run(f'select * from "{SCHEMA}"."{name}"', SCHEMA).fetchmany(1000)
        return [list(row) for row in rows]

    def asked(self, sql: str) -> list[str]:
        """The first column of a query's rows as texts."""
        return [str(row[0]) for row in self.sql.run(read_words(sql), SCHEMA).fetchmany(1000)]


class WritingConnection(Connection):
    """As the driver's."""

    double: Db2WritingDouble

    def __init__(self, double: Db2Double) -> None:
        super().__init__(double)
        self.transaction = Transaction(double.sql)

    def set_autocommit(self, is_on: bool) -> None:
        self.transaction.set_automatic(is_on)

    def commit(self) -> bool:
        self.double.statements.append("COMMIT")
        self.transaction.end("commit")
        return True

    def rollback(self) -> bool:
        self.double.statements.append("ROLLBACK")
        self.transaction.end("rollback")
        return True

    def cursor(self) -> WritingCursor:
        made = WritingCursor(self)
        self.cursors.append(made)
        return made

    def close(self) -> bool:
        self.transaction.end("rollback")
        return super().close()


class WritingCursor(Cursor):
    """As the driver's."""

    rowcount = -1

    def __init__(self, connection: WritingConnection) -> None:
        super().__init__(connection)
        self._session = connection
        self._server: Db2WritingDouble = connection.double

    def execute(self, sql: str | None = None, parameters: Sequence[Any] | None = None) -> bool:
        if sql is None or re.match(r"(?is)^(\s|/\*.*?\*/)*(select|with|values|call)\b", sql):
            if sql == "select 1 from SYSIBM.SYSDUMMY1 where '' is null" and self._server.empty_is_null:
                sql = "select 1 from SYSIBM.SYSDUMMY1"
            if sql is not None and sql.startswith("select max( octet_length("):
                sql = sql.replace("octet_length", "strlen")  # DuckDB's is of bytes alone
            return super().execute(sql, parameters)
        self._server.statements.append(sql)
        if self._server.fails_at and self._server.fails_at in sql:
            words = "The statement failed because the authorization ID does not have the required authorization."
            raise ProgrammingError(f"{_SERVER}SQL0551N  {words}  SQLSTATE=42501 SQLCODE=-551")
        with self._changing() as cursor:
            self._write(_COMMENT.sub("", sql), cursor)
        return True

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> int:
        self._server.statements.append(sql)
        found = _ARRAY.match(sql)
        assert found is not None, sql
        columns = [list(column) for column in zip(*rows, strict=True)]
        for column in columns:
            kinds = {type(value) for value in column if value is not None}
            assert kinds in (set(), {str}, {float}, {bytes}), f"bound by the first row's type: {kinds}"
        if self._server.empty_is_null:
            columns = [[None if value == "" else value for value in column] for column in columns]
        numbers = iter(range(1, len(columns) + 1))
        given = re.sub(r"\?", lambda _: f'"c{next(numbers)}"', found.group(2))
        given = re.sub(r"(?i)\bas (varbinary|blob)\s*\([^)]*\)", "as blob", given)
        given = re.sub(r"(?i)\bas (varchar|clob)\s*\([^)]*\)", "as varchar", given)
        self._server._loads += 1
        name = f"rows_{self._server._loads}"
        with self._changing() as cursor:
            cursor.own.register(name, pa.table({f"c{n}": pa.array(v) for n, v in enumerate(columns, start=1)}))
            self._write(f'{found.group(1)} select {given} from "{name}"', cursor)
            cursor.own.unregister(name)
        return len(rows)

    def _changing(self) -> Any:
        return _Changing(self._session.transaction)

    def _write(self, sql: str, cursor: FakeCursor) -> None:
        server = self._server
        if re.match(r"(?is)^create (multiset )?table [^(]*\(", sql):
            server.execute(sql)
        elif dropped := _DROP.match(sql):
            name = parts(dropped.group(2))[-1]
            if not self._listed(name, cursor):
                words = f'"{SCHEMA}.{name}" is an undefined name.'
                raise ProgrammingError(f"{_SERVER}SQL0204N  {words}  SQLSTATE=42704 SQLCODE=-204")
            self._apply(sql, cursor)
            for table in ("TABLES", "COLUMNS"):
                self._apply(f"delete from SYSCAT.{table} where TABNAME = {_text(name)}", cursor)
        elif renamed := _RENAME.match(sql):
            old = parts(renamed.group(1))[-1]
            (new,) = parts(renamed.group(2))
            natives = dict(server.sql.native_columns(SCHEMA, old))
            self._apply(f"alter table {renamed.group(1)} rename to {renamed.group(2)}", cursor)
            server.sql.is_now(SCHEMA, new, natives)
            for table in ("TABLES", "COLUMNS"):
                self._apply(f"update SYSCAT.{table} set TABNAME = {_text(new)} where TABNAME = {_text(old)}", cursor)
        elif view := _VIEW.match(sql):
            name = parts(view.group(1))[-1]
            self._apply(sql, cursor)
            self._apply(f"delete from SYSCAT.TABLES where TABNAME = {_text(name)}", cursor)
            self._apply(
                f"insert into SYSCAT.TABLES values ({_text(SCHEMA)}, {_text(name)}, null, null, -1, 'V')", cursor
            )
        else:
            self._apply(sql, cursor)
            if into := _INTO.match(sql):
                self._settle(parts(into.group(1))[-1], into.group(1), cursor)

    def _listed(self, name: str, cursor: FakeCursor) -> bool:
        rows = FakeSQL.run(self._server.sql, f"select 1 from SYSCAT.TABLES where TABNAME = {_text(name)}", SCHEMA, "",
                           cursor)  # fmt: skip
        return bool(rows.fetchmany(1))

    def _apply(self, sql: str, cursor: FakeCursor) -> None:
        try:
            FakeSQL.run(self._server.sql, read_words(sql), SCHEMA, sql, cursor)
            cursor.own.fetchall()
        except FakeSQLError as error:
            words = f'An unexpected token was found: "{error.message[:300]}".'
            raise ProgrammingError(f"{_SERVER}SQL0104N  {words}  SQLSTATE=42601 SQLCODE=-104") from None

    def _settle(self, name: str, said: str, cursor: FakeCursor) -> None:
        for column, native in self._server.sql.natives(SCHEMA, name).items():
            sized = _SIZED.match(native)
            if sized is None:
                continue
            base, most = sized.group(1).upper(), int(sized.group(2)) * _UNITS[sized.group(3).upper()]
            quoted = '"' + column.replace('"', '""') + '"'
            if base in ("VARBINARY", "BLOB"):
                length, cut = f"octet_length({quoted})", ""
            else:
                length, cut = (
                    f"strlen({quoted})",
                    f"update {said} set {quoted} = rtrim({quoted}) where strlen({quoted}) > {most}",
                )
            if cut:
                cursor.own.execute(cut).fetchall()
            if base in ("CHAR", "CHARACTER"):
                cursor.own.execute(f"update {said} set {quoted} = rpad({quoted}, {most}, ' ')").fetchall()
            ((longest,),) = cursor.own.execute(f"select max({length}) from {said}").fetchall()
            if longest is not None and longest > most:
                words = f'Value "..." is too long for column {column}.'
                raise ProgrammingError(f"{_SERVER}SQL0433N  {words}  SQLSTATE=22001 SQLCODE=-433")


class _Changing:
    """One statement, undone as a whole where it fails."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._alone = transaction.is_automatic

    def __enter__(self) -> FakeCursor:
        self._transaction.is_automatic = False
        return self._transaction.cursor()

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        if self._alone:
            self._transaction.end("commit" if kind is None else "rollback")
        self._transaction.is_automatic = self._alone
