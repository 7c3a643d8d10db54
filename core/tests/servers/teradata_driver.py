"""A double of Teradata's driver: `teradatasql`, as far as dvt uses it, over DuckDB.

Its surface, the Python types of its values, the blanks that UTF8 sessions add to CHAR, its escape functions and the
form of its errors are those of the driver's own documentation. Which Parquet types its export writes is not documented:
the double's are a guess, and a test may have it guess otherwise. It is not Teradata: functions and coercions are
DuckDB's.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from servers.driver_double import NativeSQL, blank_padded, installed, native_text
from servers.fake_sql import FakeColumn, FakeResult, FakeSQLError
from servers.place import Place, Tag

HOST, PORT, USER, PASSWORD, SCHEMA, VERSION = "td.test", 1025, "reader", "pa55 wörd", "kit", "17.20.03.22"
_DRIVER = "[Version 20.0.0.24] [Session 0] [Teradata SQL Driver] "
_DATABASE = "[Version 20.0.0.24] [Session 1001] [Teradata Database] "
_STACK = "\n at gosqldriver/teradatasql.formatError ErrorUtil.go:85\n at gosqldriver/teradatasql.(*teradataConnection)"
_ESCAPE = re.compile(r"^\{fn (\w+)(?:\(([^)]*)\))?\}")
_BYTES = re.compile(r"(?i)'([0-9a-f]*)'XB")
_BLANKS_A_CHARACTER = 3  # what UTF8 reserves
_STORED = {
    "BYTEINT": "TINYINT",
    "FLOAT": "DOUBLE",
    "NUMBER": "VARCHAR",
    "CHAR": "VARCHAR",
    "VARCHAR": "VARCHAR",
    "CLOB": "VARCHAR",
    "JSON": "VARCHAR",
    "XML": "VARCHAR",
    "BYTE": "BLOB",
    "VARBYTE": "BLOB",
    "BLOB": "BLOB",
    "TIME": "TIME",
    "TIME WITH TIME ZONE": "VARCHAR",
    "TIMESTAMP": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}
_PARQUET: dict[str, pa.DataType] = {
    "BYTEINT": pa.int32(),
    "SMALLINT": pa.int32(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float64(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.string(),
    "BYTE": pa.binary(),
    "VARBYTE": pa.binary(),
}
_LARGE = frozenset({"BLOB", "CLOB", "JSON", "XML"})
_NUMBERS = {"syntax": 3706, "table": 3807, "schema": 3802, "column": 5628, "query": 3707}


class Error(Exception):
    """As the driver's."""


class DatabaseError(Error):
    """As the driver's."""


class OperationalError(DatabaseError):
    """As the driver's."""


class TeradataDouble:
    """A system and the driver that reaches it.

    Args:
        statements: What sessions of dvt were asked to run, with the escape functions.
        given: The parameters of each login.
        open_cursors: Results that are open.
        cancelled: Whether `cancel` was called.
        hangs: While it is set, a fetch waits until it is cancelled.
        ends_quietly: Whether what is cancelled then ends as if there were no more rows.
        refuses: How many attempts to connect are refused.
        aborts: Numbers of errors with which the next statements that give rows end.
        breaks_after: Rows of a result after which the connection breaks; None for never.
        knows_parquet: Whether the driver has the export; older ones have not.
        can_fastexport: Whether the database lets the statement be exported.
        told_errors: What the driver tells of errors after an export.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.given: list[dict[str, str]] = []
        self.open_cursors = 0
        self.cancelled, self.hangs, self.is_hanging = threading.Event(), threading.Event(), threading.Event()
        self.refuses = 0
        self.aborts: list[int] = []
        self.ends_quietly = False
        self.breaks_after: int | None = None
        self.knows_parquet = self.can_fastexport = True
        self.told_errors = ""
        self.parquet_types: Callable[[str, pa.DataType], pa.DataType] = lambda native, type_: type_
        self.sql = NativeSQL("teradata", stored, _rewritten)
        for schema in (SCHEMA, "DBC", "sys_calendar"):
            self.sql.run(f'create schema "{schema}"')
        self.sql.run('create table "DBC"."StatsV" (DatabaseName VARCHAR(128), TableName VARCHAR(128), RowCount BIGINT)')
        self.sql.run(
            'create table "DBC"."TableSizeV" (DatabaseName VARCHAR(128), TableName VARCHAR(128), CurrentPerm BIGINT)'
        )
        self.sql.run('create table "DBC"."DatabasesV" (DatabaseName VARCHAR(128))')
        self.sql.run(
            'create table "DBC"."TablesV" (DatabaseName VARCHAR(128), TableName VARCHAR(128), TableKind CHAR(1))'
        )
        self.sql.run(f"insert into DBC.DatabasesV values ('{SCHEMA}')")
        # Days from 1 January 1900 to 31 December 2100.
        self.sql.define(
            'create table "fake"."sys_calendar"."calendar" as select range + 1 as day_of_calendar from range(73414)'
        )

    def execute(self, sql: str) -> None:
        """Run a statement beside dvt; dropping what is not there is no error."""
        try:
            self.sql.run(_BYTES.sub(r"UNHEX('\1')", sql), SCHEMA)
        except FakeSQLError as error:
            if not (error.kind == "table" and sql.startswith("drop table")):
                raise

    def connect(self, **given: str) -> Connection:
        """As the driver's."""
        self.given.append(given)
        if not all(isinstance(value, str) for value in given.values()):
            raise OperationalError(f"{_DRIVER}Unexpected type of connection parameter{_STACK}")
        if given["host"] != HOST:
            raise OperationalError(f"{_DRIVER}Hostname lookup failed for {given['host']}{_STACK}")
        if self.refuses or given.get("dbs_port", str(PORT)) != str(PORT):
            self.refuses = max(0, self.refuses - 1)
            words = f"Failed to connect to {HOST}:{given.get('dbs_port')}: connect: connection refused"
            raise OperationalError(f"{_DRIVER}{words}{_STACK}")
        if (given.get("user"), given.get("password")) != (USER, PASSWORD):
            words = "The UserId, Password or Account is invalid."
            raise OperationalError(f"{_DATABASE}[Error 8017] {words}{_STACK}")
        if given.get("database", SCHEMA) != SCHEMA:
            raise OperationalError(f"{_DATABASE}[Error 3802] Database '{given['database']}' does not exist.{_STACK}")
        return Connection(self)


class Connection:
    """As the driver's."""

    def __init__(self, double: TeradataDouble) -> None:
        self.double = double
        self.cursors: list[Cursor] = []
        self.was_fastexport = False

    def cursor(self) -> Cursor:
        self.cursors.append(Cursor(self))
        return self.cursors[-1]

    def cancel(self) -> None:
        self.double.cancelled.set()

    def close(self) -> None:
        for cursor in self.cursors:
            cursor.close()


class Cursor:
    """As the driver's; a result is open from its execution to the cursor's end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._double = connection.double
        self._result: FakeResult | None = None
        self._told: list[tuple[str]] = []
        self._fetched = 0
        self._is_open = False
        self.columntypename: list[str] = []
        self.description: list[tuple[Any, ...]] | None = None

    def execute(self, sql: str) -> Cursor:
        self._double.statements.append(sql)
        functions: dict[str, str] = {}
        rest = sql
        while found := _ESCAPE.match(rest):
            functions[found.group(1)] = found.group(2) or ""
            rest = rest[found.end() :]
        if "teradata_write_parquet" in functions and not self._double.knows_parquet:
            raise OperationalError(f"{_DRIVER}Unrecognized escape function teradata_write_parquet{_STACK}")
        if "teradata_nativesql" in functions:
            self._tell(self._tells(functions))
            return self
        if self._double.aborts and "teradata_rpo" not in functions:
            number = self._double.aborts.pop(0)
            raise OperationalError(f"{_DATABASE}[Error {number}] Transaction ABORTed due to deadlock.{_STACK}")
        self._result = self._run(rest)
        self.description = [_described(column) for column in self._result.columns]
        self.columntypename = [base(_native(column)) for column in self._result.columns]
        if "teradata_rpo" in functions:
            assert functions["teradata_rpo"] == "S"
            self._result = None
        elif "teradata_write_parquet" in functions:
            self._write(functions, self._result)
            self._result = None
        elif not self._is_open:
            self._is_open = True
            self._double.open_cursors += 1
        return self

    def _tell(self, text: str) -> None:
        self._told, self.description = [(text,)], [("text", object(), None, None, None, None, True)]

    def _run(self, sql: str) -> FakeResult:
        try:
            return self._double.sql.run(sql, SCHEMA)
        except FakeSQLError as error:
            number = _NUMBERS[error.kind]
            words = {
                3807: f"Object '{error.name}' does not exist.",
                3802: f"Database '{error.name}' does not exist.",
                5628: f"Column {error.name} not found in {SCHEMA}.t.",
            }.get(number, f"Syntax error: {error.message[:300]}")
            raise OperationalError(f"{_DATABASE}[Error {number}] {words}{_STACK}") from None

    def _tells(self, functions: dict[str, str]) -> str:
        if "teradata_database_version" in functions:
            return VERSION
        if "teradata_get_errors" in functions:
            return self._double.told_errors
        return "4242" if self._connection.was_fastexport else ""

    def _write(self, functions: dict[str, str], result: FakeResult) -> None:
        is_allowed = self._double.can_fastexport and not {base(_native(c)) for c in result.columns} & _LARGE
        if "teradata_require_fastexport" in functions and not is_allowed:
            raise OperationalError(
                f"{_DATABASE}[Error 3695] A Single AMP Select statement has been issued in FastExport."
            )
        is_tried = bool({"teradata_require_fastexport", "teradata_try_fastexport"} & functions.keys())
        self._connection.was_fastexport = is_tried and is_allowed
        natives = [_native(column) for column in result.columns]
        schema = pa.schema(
            [
                pa.field(column.name, self._double.parquet_types(native, _parquet_type(native)))
                for column, native in zip(result.columns, natives, strict=True)
            ]
        )
        with pq.ParquetWriter(functions["teradata_write_parquet"], schema) as writer:
            while rows := result.fetchmany(10_000):
                values = [
                    [_parquet_value(_value(row[index], column), field.type) for row in rows]
                    for index, (column, field) in enumerate(zip(result.columns, schema, strict=True))
                ]
                arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))

    def fetchmany(self, size: int) -> Sequence[Sequence[Any]]:
        if self._told:
            told, self._told = self._told, []
            return told
        if self._result is None:
            return []
        while self._double.hangs.is_set():
            self._double.is_hanging.set()
            if self._double.cancelled.wait(0.005) and self._double.ends_quietly:
                return []
            if self._double.cancelled.is_set():
                raise OperationalError(f"{_DATABASE}[Error 3110] The transaction was aborted by the user.{_STACK}")
        if self._double.breaks_after is not None and self._fetched >= self._double.breaks_after:
            raise OperationalError(f"{_DRIVER}EOF reading response message, connection reset by peer{_STACK}")
        rows = self._result.fetchmany(size)
        self._fetched += len(rows)
        columns = self._result.columns
        return [[_value(value, column) for value, column in zip(row, columns, strict=True)] for row in rows]

    def fetchone(self) -> Sequence[Any] | None:
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> Sequence[Sequence[Any]]:
        return self.fetchmany(1 << 30)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._double.open_cursors -= 1


def base(native: str) -> str:
    """A type's name as the driver tells it: without digits."""
    if native.upper().startswith("PERIOD"):
        return native.upper()
    return " ".join(re.sub(r"\([^)]*\)", " ", native).upper().split())


def stored(native: str) -> str:
    """DuckDB's type for one of Teradata's."""
    name = base(native)
    if name.startswith(("INTERVAL", "PERIOD")):
        return "VARCHAR"
    if name in ("DECIMAL", "NUMBER") and "(" in native:
        return native.upper().replace("NUMBER", "DECIMAL")
    return _STORED.get(name, name)


def _rewritten(tree: exp.Expr) -> exp.Expr:
    for column in list(tree.find_all(exp.Column)):
        if column.name.upper() == "DATABASE" and not column.this.quoted:
            column.replace(exp.Literal.string(SCHEMA))
    return blank_padded(tree, ignore_case=True)


def _native(column: FakeColumn) -> str:
    native = native_text(column.native).upper().replace("VARCHAR2", "VARCHAR") or column.stored.upper()
    return {"HUGEINT": "DECIMAL(38,0)", "DOUBLE": "FLOAT"}.get(native, native)


def _described(column: FakeColumn) -> tuple[Any, ...]:
    native = _native(column)
    numbers = [int(text) for text in re.findall(r"\d+", native)] if base(native) in ("DECIMAL", "NUMBER") else []
    precision, scale = (numbers[0], numbers[1]) if len(numbers) > 1 else (None, None)
    return (column.name, object(), None, None, precision, scale, True)


def _value(value: Any, column: FakeColumn) -> Any:
    """What the driver gives for a value."""
    native = _native(column)
    if value is None:
        return None
    if native == "NUMBER":
        return Decimal(value)
    if base(native) == "TIME WITH TIME ZONE":
        return dt.time.fromisoformat(value)
    width = re.fullmatch(r"CHAR\((\d+)\)", native)
    return value.ljust(int(width.group(1)) * _BLANKS_A_CHARACTER) if width else value


def _parquet_type(native: str) -> pa.DataType:
    if base(native) in ("DECIMAL", "NUMBER") and "(" in native:
        precision, scale = (int(text) for text in re.findall(r"\d+", native))
        return pa.decimal128(precision, scale)
    return _PARQUET.get(base(native), pa.string())


def _parquet_value(value: Any, type_: pa.DataType) -> Any:
    if value is None or not pa.types.is_string(type_) or isinstance(value, str):
        return float(value) if isinstance(value, Decimal) and pa.types.is_floating(type_) else value
    return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)


def members(double: TeradataDouble) -> dict[str, dict[str, Any]]:
    """What is in the driver's module, by its name."""
    classes = (Error, DatabaseError, OperationalError)
    return {"teradatasql": {"connect": double.connect, **{kind.__name__: kind for kind in classes}}}


@contextmanager
def teradata_double(double: Any = None) -> Iterator[Any]:
    """Within it, the driver is the double."""
    double = double or TeradataDouble()
    with installed(members(double)):
        yield double


def teradata_place(double: TeradataDouble, **options: Any) -> Place:
    """The double as the kit needs it."""
    output = {
        "type": "teradata",
        "host": HOST,
        "port": PORT,
        "user": USER,
        "password": PASSWORD,
        "schema": SCHEMA,
        **({"dvt": options} if options else {}),
    }

    def statements() -> list[str]:
        found, double.statements = double.statements, []
        return found

    return Place(
        "teradata",
        Tag.DRIVER,
        output,
        double.execute,
        statements,
        schema=SCHEMA,
        refused={**output, "password": "wr0ng-pass"},
        running=lambda: double.open_cursors,
        ask=getattr(double, "asked", None),
        tables=getattr(double, "listed", None),
    )
