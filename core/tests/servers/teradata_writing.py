"""Writing to the double of Teradata's driver: batches of rows, transactions of DML, and the catalogue.

As Teradata and its driver document it: CREATE TABLE without MULTISET makes in this session's mode (ANSI) a MULTISET
table, with SET one that drops rows which are there twice, without a word; texts that are too long are an error (3996);
CHAR is padded; DDL ends a transaction. A bind value's type is the database's own for it, NULLs of a column take the
type of its other values, and a column of NULLs alone is one of texts: no column of bytes takes it (3532), but where
`teradata_parameter` says its type.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from servers.driver_double import parts
from servers.fake_cursor import FakeCursor
from servers.fake_sql import FakeSQL, FakeSQLError
from servers.fake_transaction import Transaction
from servers.teradata_catalogue import VIEWS, row_of
from servers.teradata_driver import (
    _BYTES,
    _DATABASE,
    _DRIVER,
    _ESCAPE,
    _NUMBERS,
    _STACK,
    SCHEMA,
    Connection,
    Cursor,
    OperationalError,
    TeradataDouble,
)
from servers.teradata_fastload import LOADS, FastLoading, SessionLoad

_NAME = r"(?:\"(?:[^\"]|\"\")*\"|\w+)(?:\.(?:\"(?:[^\"]|\"\")*\"|\w+))?"
_RENAME = re.compile(rf"(?is)^rename table ({_NAME}) to ({_NAME})$")
_DROP = re.compile(rf"(?is)^drop (table|view) ({_NAME})$")
_VIEW = re.compile(rf"(?is)^replace view ({_NAME}) as")
_INDEX = r" no primary index| primary index \([^()]*\)"
_CREATE = re.compile(rf"(?is)^create (multiset |set )?table ({_NAME}) \((.*?)\)({_INDEX})?$")
_INTO = re.compile(rf"(?is)^insert into ({_NAME})")
_BATCH = re.compile(rf"(?is)^(insert into {_NAME} \( .* \)) values \( ([?, ]*) \)$")
_SIZED = re.compile(r"(?i)^(VARCHAR|CHAR|VARBYTE)\s*\((\d+)\)")
_COMMENT = re.compile(r"(?s)^\s*/\*.*?\*/\s*")
_TYPES = (int, Decimal, float, str, bytes, dt.date, dt.datetime, dt.time)


class TeradataWritingDouble(TeradataDouble):
    """A system that can be written."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_at = ""
        self.sets: set[str] = set()
        self.fastloading = FastLoading()
        self._loads = 0
        for statement in VIEWS:
            self.sql.run(statement)

    def execute(self, sql: str) -> None:
        """Run a statement beside dvt; dropping what is not there is no error."""
        found = _CREATE.match(sql)
        if found is None:
            if dropped := _DROP.match(sql):
                self._forget(parts(dropped.group(2))[-1], None)
            super().execute(sql)
            return
        *_, name = parts(found.group(2))
        columns = re.sub(r"(?i) character set unicode| (not )?casespecific| not null", "", found.group(3))
        self.sql.run(f"create multiset table {found.group(2)} ({columns})", SCHEMA)
        self._forget(name, None)
        if (found.group(1) or "").lower() == "set ":
            self.sets.add(name)
        kind = "O" if (found.group(4) or "").startswith(" no") else "T"
        values = f"'{SCHEMA}', {_text(name)}, '{kind}', '{'N' if name in self.sets else 'Y'}'"
        self.sql.run(f"insert into DBC.TablesV values ({values})")
        for number, (column, native) in enumerate(self.sql.natives(SCHEMA, name).items()):
            values = ", ".join([f"'{SCHEMA}'", _text(name), _text(column), *row_of(native), str(number)])
            self.sql.run(f"insert into DBC.ColumnsV values ({values})")

    def _forget(self, name: str, cursor: FakeCursor | None) -> None:
        self.sets.discard(name)
        for view in ("TablesV", "ColumnsV"):
            self.sql.run(f"delete from DBC.{view} where TableName = {_text(name)}")

    def connect(self, **given: str) -> WritingConnection:
        """As the driver's."""
        return WritingConnection(super().connect(**given).double)

    @property
    def was_asked(self) -> bool:
        """Whether it was sent anything."""
        return bool(self.statements)

    def listed(self) -> list[str]:
        """Names of what there is."""
        return [row[0] for row in self.sql.run("select TableName from DBC.TablesV").fetchmany(1000)]

    def content(self, name: str) -> list[list[Any]]:
        """The rows of a relation."""
        return [list(row) for row in self.sql.run(f'select * from "{SCHEMA}"."{name}"', SCHEMA).fetchmany(1000)]

    def asked(self, sql: str) -> list[str]:
        """The first column of a query's rows as texts."""
        return [str(row[0]) for row in self.sql.run(sql, SCHEMA).fetchmany(1000)]


class WritingConnection(Connection):
    """As the driver's."""

    double: TeradataWritingDouble

    def __init__(self, double: TeradataDouble) -> None:
        super().__init__(double)
        self.transaction = Transaction(double.sql)
        self.is_broken = False
        self.load = SessionLoad(double, lambda sql, rows: self.cursor().insert(sql, rows))

    def cursor(self) -> WritingCursor:
        self.cursors.append(WritingCursor(self))
        return self.cursors[-1]  # type: ignore[return-value]

    def commit(self) -> None:
        self.check()
        self.double.statements.append("COMMIT")
        self.load.end("commit")
        self.transaction.end("commit")

    def rollback(self) -> None:
        self.check()
        self.double.statements.append("ROLLBACK")
        self.load.end("rollback")
        self.transaction.end("rollback")

    def check(self) -> None:
        if self.is_broken:
            raise OperationalError(f"{_DRIVER}use of closed network connection{_STACK}")

    def close(self) -> None:
        self.load.end("rollback")
        self.transaction.end("rollback")
        super().close()


class WritingCursor(Cursor):
    """As the driver's."""

    def __init__(self, connection: WritingConnection) -> None:
        super().__init__(connection)
        self._session = connection
        self._server: TeradataWritingDouble = connection.double

    def execute(self, sql: str, rows: list[list[Any]] | None = None) -> WritingCursor:
        self.description = None
        plain, said, functions = _COMMENT.sub("", sql), {}, []
        while found := _ESCAPE.match(plain) or re.match(r"^\{fn (teradata_parameter)\((\d+,\w+\(\d+\))\)\}", plain):
            functions.append(found.group(1))
            if found.group(1) == "teradata_parameter":
                place, _, native = found.group(2).partition(",")
                said[int(place)] = native
            plain = plain[found.end() :]
        self._session.check()
        if LOADS.intersection(functions):
            self._fastload(sql, functions, rows)
            return self
        if functions and functions[-1] in ("teradata_autocommit_off", "teradata_autocommit_on"):
            self._server.statements.append(sql)
            self._session.transaction.set_automatic(functions[-1].endswith("_on"))
            return self
        for name in self._server.fastloading.tables:
            if f'"{name}"' in plain:
                raise OperationalError(
                    f"{_DATABASE}[Error 2652] Operation not allowed: {name} is being Loaded.{_STACK}"
                )
        if rows is None and re.match(r"(?is)^\s*(select|with|$)", plain):
            super().execute(_COMMENT.sub("", sql))
            return self
        self._server.statements.append(sql)
        if self._server.fails_at and self._server.fails_at in sql:
            raise OperationalError(f"{_DATABASE}[Error 3523] The user does not have the access.{_STACK}")
        transaction = self._session.transaction
        if rows is None and not re.match(r"(?i)(insert|delete|update)\b", plain):
            transaction.end("commit")
            self._define(plain)
            return self
        alone = transaction.is_automatic
        transaction.is_automatic = False
        try:
            self._change(plain, rows, said, transaction.cursor())
            if alone:
                transaction.end("commit")
        except BaseException:
            if alone:
                transaction.end("rollback")
            raise
        finally:
            transaction.is_automatic = alone
        return self

    def _fastload(self, sql: str, functions: list[str], rows: list[list[Any]] | None) -> None:
        asked = "".join("{fn " + name + "}" for name in functions[:2])
        load, transaction = self._session.load, self._session.transaction
        if functions[0] == "teradata_nativesql":
            self._tell(load.tells(functions[1], sql.removeprefix(asked)))
            return
        self._server.statements.append(sql)
        into = _INTO.match(sql[sql.index("}") + 1 :])
        assert into is not None
        assert rows is not None
        try:
            load.send(sql, into.group(1), rows)
        except OperationalError as error:
            self._session.is_broken = "EOF" in str(error)
            raise
        if transaction.is_automatic:
            load.end("commit")

    def insert(self, sql: str, rows: list[list[Any]]) -> None:
        """Rows that a FastLoad has kept, at its end."""
        cursor = self._server.sql.cursor()
        self._change(sql[sql.index("}") + 1 :], rows, {}, cursor)

    def _define(self, sql: str) -> None:
        server = self._server
        if _CREATE.match(sql):
            server.execute(sql)
        elif dropped := _DROP.match(sql):
            name = parts(dropped.group(2))[-1]
            if name not in server.listed():
                raise OperationalError(f"{_DATABASE}[Error 3807] Object '{name}' does not exist.{_STACK}")
            server.execute(sql)
        elif renamed := _RENAME.match(sql):
            (old, new) = (parts(renamed.group(n))[-1] for n in (1, 2))
            if old not in server.listed() or new in server.listed():
                raise OperationalError(f"{_DATABASE}[Error 3807] Object '{old}' does not exist.{_STACK}")
            natives = dict(server.sql.native_columns(SCHEMA, old))
            bare = '"' + new.replace('"', '""') + '"'
            self._apply(f"alter table {renamed.group(1)} rename to {bare}", server.sql.cursor())
            server.sql.is_now(SCHEMA, new, natives)
            for view in ("TablesV", "ColumnsV"):
                server.sql.run(f"update DBC.{view} set TableName = {_text(new)} where TableName = {_text(old)}")
        elif view := _VIEW.match(sql):
            self._apply("create or " + sql, server.sql.cursor())
            name = parts(view.group(1))[-1]
            server._forget(name, None)
            server.sql.run(f"insert into DBC.TablesV values ('{SCHEMA}', {_text(name)}, 'V', null)")
        else:
            raise OperationalError(f"{_DATABASE}[Error 3706] Syntax error: {sql[:100]}{_STACK}")

    def _change(self, sql: str, rows: list[list[Any]] | None, said: dict[int, str], cursor: FakeCursor) -> None:
        into = _INTO.match(sql)
        if rows is None:
            self._apply(sql, cursor)
        else:
            found = _BATCH.match(sql)
            assert found is not None, sql
            columns = [list(column) for column in zip(*rows, strict=True)]
            natives = list(self._server.sql.natives(SCHEMA, parts(into.group(1))[-1]).values()) if into else []
            for place, (column, native) in enumerate(zip(columns, natives, strict=True), start=1):
                kinds = {type(value) for value in column if value is not None}
                assert not kinds or kinds in [{kind} for kind in _TYPES], f"types of one column: {kinds}"
                if not kinds and native.upper().startswith("VARBYTE") and place not in said:
                    words = "Conversion between BYTE data and other types is illegal."
                    raise OperationalError(f"{_DATABASE}[Error 3532] {words}{_STACK}")
            self._server._loads += 1
            name = f"rows_{self._server._loads}"
            arrays = {f"c{n}": _array(values) for n, values in enumerate(columns, start=1)}
            cursor.own.register(name, pa.table(arrays))
            self._apply(f'{found.group(1)} select {", ".join(arrays)} from "{name}"', cursor)
            cursor.own.unregister(name)
        if into:
            self._settle(parts(into.group(1))[-1], into.group(1), cursor)

    def _apply(self, sql: str, cursor: FakeCursor) -> None:
        try:
            FakeSQL.run(self._server.sql, _BYTES.sub(r"UNHEX('\1')", sql), SCHEMA, sql, cursor)
            cursor.own.fetchall()
        except FakeSQLError as error:
            words = f"Syntax error: {error.message[:300]}"
            raise OperationalError(f"{_DATABASE}[Error {_NUMBERS[error.kind]}] {words}{_STACK}") from None

    def _settle(self, name: str, said: str, cursor: FakeCursor) -> None:
        run = cursor.own.execute
        if name in self._server.sets:
            run(f"create or replace temp table alone as select distinct * from {said}").fetchall()
            run(f"delete from {said}").fetchall()
            run(f"insert into {said} select * from alone").fetchall()
        for column, native in self._server.sql.natives(SCHEMA, name).items():
            if sized := _SIZED.match(native):
                quoted, most = '"' + column.replace('"', '""') + '"', int(sized.group(2))
                if sized.group(1).upper() == "CHAR":
                    run(f"update {said} set {quoted} = rpad({quoted}, {most}, ' ')").fetchall()
                measure = "octet_length" if sized.group(1).upper() == "VARBYTE" else "length"
                ((longest,),) = run(f"select max({measure}({quoted})) from {said}").fetchall()
                if longest is not None and longest > most:
                    raise OperationalError(f"{_DATABASE}[Error 3996] Right truncation of string data.{_STACK}")


def _array(values: list[Any]) -> pa.Array:
    return pa.array([Decimal(v) if type(v) is int else v for v in values])


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
