"""A double of IBM's driver: `ibm_db_dbi`, as far as dvt uses it, over DuckDB.

Its surface, the Python types of its values (decimals as their digits, hours modulo 24, fractions of a second cut), its
type objects and the words of its errors are those of ibm_db 3.3: of its Python part, of its C sources and of the
results that its own tests expect. It is not Db2: functions, plans and coercions are DuckDB's, names are found without
regard to case, and SYSCAT holds what dvt asks for.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from servers.driver_double import (
    NativeSQL,
    blank_padded,
    created_table,
    dropped_table,
    installed,
    native_text,
)
from servers.fake_sql import FakeColumn, FakeResult, FakeSQLError
from servers.place import Place, Tag

HOST, PORT, DATABASE, USER, PASSWORD, SCHEMA = "db2.test", 50000, "SHOP", "reader", "pa55 wörd", "KIT"
HANDLE = 4711
_SERVER = "[IBM][CLI Driver][DB2/LINUXX8664] "
_CLIENT = "[IBM][CLI Driver] "
_STORED = {
    "CHARACTER": "VARCHAR",
    "GRAPHIC": "VARCHAR",
    "VARGRAPHIC": "VARCHAR",
    "CLOB": "VARCHAR",
    "DBCLOB": "VARCHAR",
    "DECFLOAT": "VARCHAR",
    "XML": "VARCHAR",
    "TIME": "VARCHAR",
    "BINARY": "BLOB",
    "VARBINARY": "BLOB",
    "BLOB": "BLOB",
}
_FIELD_TYPES = (
    (("SMALLINT", "INTEGER", "INT"), "int"),
    (("BIGINT", "HUGEINT"), "bigint"),
    (("REAL", "FLOAT", "DOUBLE", "DECFLOAT"), "real"),
    (("DECIMAL", "NUMERIC", "NUMBER"), "decimal"),
    (("CLOB",), "clob"),
    (("DBCLOB",), "dbclob"),
    (("BLOB",), "blob"),
    (("XML",), "xml"),
    (("DATE",), "date"),
    (("TIMESTAMP",), "timestamp"),
    (("TIME",), "time"),
    (("BOOLEAN",), "boolean"),
)
_MACROS = (
    f'create macro "fake"."{SCHEMA}".VARCHAR_FORMAT(x, f)'
    " as case when f like '%FF6' and length(x::varchar) > 10"
    " then strftime(try_cast(x::varchar as timestamp), '%Y-%m-%d %H:%M:%S.%f') else x::varchar end",
)
# What sqlglot does not read.
_WORDS = (
    (re.compile(r"XMLSERIALIZE\((.+?) AS CLOB\(\d+\) EXCLUDING XMLDECLARATION\)"), r"CAST(\1 AS VARCHAR(4000))"),
    (re.compile(r"\bCHAR\((\"(?:[^\"]|\"\")*\"), JIS\)"), r"CAST(\1 AS VARCHAR(8))"),
    (re.compile(r"(?i)\bBX'([0-9a-f]*)'"), r"UNHEX('\1')"),
    (re.compile(r"\bCURRENT SCHEMA\b"), f"'{SCHEMA}'"),
)
_CLOSED_PORT = (
    'SQL30081N  A communication error has been detected. Communication protocol being used: "TCP/IP".  Communication '
    'API being used: "SOCKETS".  Location where the error was detected: "127.0.0.1".  Communication function detecting '
    'the error: "connect".  Protocol specific error code(s): "111", "*", "*".'
)
_BIT_DATA = re.compile(r"(?i)^(CHARACTER|CHAR|VARCHAR)\((\d+)\) FOR BIT DATA$")


class Error(Exception):
    """As the driver's: its text has the class before it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    def __str__(self) -> str:
        return f"ibm_db_dbi::{type(self).__name__}: {self._message}"


class Warning(Exception):
    """As the driver's."""


class DatabaseError(Error):
    """As the driver's."""


class OperationalError(DatabaseError):
    """As the driver's."""


class ProgrammingError(DatabaseError):
    """As the driver's."""


class TypeObject(frozenset):  # type: ignore[type-arg]
    """As the driver's: a set of names, which is equal to each of them."""

    def __eq__(self, other: object) -> bool:
        return other in set(self)

    def __hash__(self) -> int:
        return id(self)


_TYPE_OBJECTS = (
    TypeObject(("CHARACTER", "CHAR", "VARCHAR", "CHARACTER VARYING", "CHAR VARYING", "STRING")),
    TypeObject(("CLOB", "CHARACTER LARGE OBJECT", "CHAR LARGE OBJECT", "DBCLOB")),
    TypeObject(("XML",)),
    TypeObject(("BLOB", "BINARY LARGE OBJECT")),
    TypeObject(("INTEGER", "INT", "SMALLINT")),
    TypeObject(("BIGINT",)),
    TypeObject(("FLOAT", "REAL", "DOUBLE", "DECFLOAT")),
    TypeObject(("DECIMAL", "DEC", "NUMERIC", "NUM")),
    TypeObject(("DATE",)),
    TypeObject(("TIME",)),
    TypeObject(("TIMESTAMP",)),
    TypeObject(("BOOLEAN",)),
)


class Db2Double:
    """A database and the driver that reaches it.

    Args:
        statements: What sessions of dvt were asked to run.
        open_cursors: Results that are open.
        forced: Application handles that were forced off.
        breaks_after: Rows of a result after which the connection breaks; None for never.
        hangs: While it is set, a fetch waits until the session is forced off.
        may_force: Whether the login may force sessions off.
        refuses: How many attempts to connect are refused.
        rolls_back: Reason codes with which the next statements are rolled back: "2" is a deadlock, "68" a timeout.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.options: list[dict[int, int]] = []
        self.strings: list[str] = []
        self.forced: list[int] = []
        self.open_cursors = 0
        self.breaks_after: int | None = None
        self.hangs = threading.Event()
        self.is_hanging = threading.Event()
        self.may_force = True
        self.refuses = 0
        self.rolls_back: list[str] = []
        self.sql = NativeSQL("db2", stored, lambda tree: blank_padded(tree, ignore_case=False))
        for schema in (SCHEMA, "SYSCAT", "SYSIBM"):
            self.sql.run(f'create schema "{schema}"')
        self.sql.define(*_MACROS)
        for ddl in (
            'create table "SYSIBM"."SYSDUMMY1" (IBMREQD VARCHAR(1))',
            'create table "SYSCAT"."TABLES" (TABSCHEMA VARCHAR(128), TABNAME VARCHAR(128),'
            " BASE_TABSCHEMA VARCHAR(128), BASE_TABNAME VARCHAR(128), CARD BIGINT, TYPE CHAR(1))",
            'create table "SYSCAT"."SCHEMATA" (SCHEMANAME VARCHAR(128))',
            'create table "SYSCAT"."COLUMNS" (TABSCHEMA VARCHAR(128), TABNAME VARCHAR(128), COLNAME VARCHAR(128),'
            " COLNO SMALLINT, TYPESCHEMA VARCHAR(128), TYPENAME VARCHAR(128), LENGTH INTEGER, SCALE SMALLINT,"
            " CODEPAGE SMALLINT, NULLS VARCHAR(1), HIDDEN VARCHAR(1))",
            'create table "SYSCAT"."DATATYPES" (TYPESCHEMA VARCHAR(128), TYPENAME VARCHAR(128),'
            " SOURCENAME VARCHAR(128), METATYPE VARCHAR(1))",
        ):
            self.sql.run(ddl)
        self.sql.run("insert into SYSIBM.SYSDUMMY1 values ('Y')")
        self.sql.run(f"insert into SYSCAT.SCHEMATA values ('{SCHEMA}')")

    def execute(self, sql: str) -> None:
        """Run a statement beside dvt, and keep SYSCAT."""
        self.sql.run(read_words(sql), SCHEMA)
        if created := created_table(sql):
            *owner, name = created
            self._catalogued((owner or [SCHEMA])[0], name)
        elif dropped := dropped_table(sql):
            *owner, name = dropped
            for table in ("TABLES", "COLUMNS"):
                where = f"TABSCHEMA = {_text((owner or [SCHEMA])[0])} and TABNAME = {_text(name)}"
                self.sql.run(f"delete from SYSCAT.{table} where {where}")

    def _catalogued(self, schema: str, table: str) -> None:
        self.sql.run(f"insert into SYSCAT.TABLES values ({_text(schema)}, {_text(table)}, null, null, -1, 'T')")
        for number, (name, native) in enumerate(self.sql.natives(schema, table).items()):
            type_, length, scale, codepage = described(native)
            values = f"{number}, 'SYSIBM', {_text(type_)}, {length}, {scale}, {codepage}, 'Y', ' '"
            self.sql.run(
                f"insert into SYSCAT.COLUMNS values ({_text(schema)}, {_text(table)}, {_text(name)}, {values})"
            )

    def connect(
        self, dsn: str, user: str = "", password: str = "", host: str = "", database: str = "", conn_options: Any = None
    ) -> Connection:
        """As the driver's."""
        self.strings.append(dsn)
        given = dict(part.split("=", 1) for part in dsn.split(";") if part)
        if self.refuses or given.get("PORT") != str(PORT):
            self.refuses = max(0, self.refuses - 1)
            raise OperationalError(f"{_CLIENT}{_CLOSED_PORT}  SQLSTATE=08001 SQLCODE=-30081")
        if given["HOSTNAME"] != HOST:
            words = f'The remote host "{given["HOSTNAME"]}" was not found.'
            raise OperationalError(f"{_CLIENT}SQL1336N  {words}  SQLSTATE=08001 SQLCODE=-1336")
        if given["DATABASE"] != DATABASE:
            words = f'The database alias or database name "{given["DATABASE"]}" was not found at the remote node.'
            raise OperationalError(f"{_CLIENT}SQL30061N  {words}  SQLSTATE=08004 SQLCODE=-30061")
        if (given.get("UID"), given.get("PWD")) != (USER, PASSWORD):
            words = 'Security processing failed with reason "24" ("USERNAME AND/OR PASSWORD INVALID").'
            raise OperationalError(f"{_CLIENT}SQL30082N  {words}  SQLSTATE=08001 SQLCODE=-30082")
        assert conn_options == {102: 1}, "each statement is to commit by itself"
        return Connection(self)


class Connection:
    """As the driver's."""

    dbms_name, dbms_ver = "DB2/LINUXX8664", "11.05.0900"

    def __init__(self, double: Db2Double) -> None:
        self.double = double
        self.FIX_RETURN_TYPE = 1
        self.is_open = True
        self.cursors: list[Cursor] = []

    def set_fix_return_type(self, is_on: bool) -> int:
        self.FIX_RETURN_TYPE = int(is_on)
        return self.FIX_RETURN_TYPE

    def set_autocommit(self, is_on: bool) -> None:
        """Nothing is written here: `db2_writing` has transactions."""

    def commit(self) -> bool:
        return True

    def rollback(self) -> bool:
        return True

    def cursor(self) -> Cursor:
        if not self.is_open:
            raise ProgrammingError("Cursor cannot be returned; connection is no longer active.")
        self.cursors.append(Cursor(self))
        return self.cursors[-1]

    def close(self) -> bool:
        self.is_open = False
        for cursor in self.cursors:
            cursor.close()
        return True


class Cursor:
    """As the driver's; a result is open from its execution to its end or the cursor's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._double = connection.double
        self._result: FakeResult | None = None
        self._fixed = connection.FIX_RETURN_TYPE
        self._fetched = 0
        self._prepared = ""
        self._is_open = False
        self.stmt_handler = object()

    @property
    def description(self) -> list[list[Any]] | None:
        if self._result is None or not self._result.columns:
            return None
        return [_described(column) for column in self._result.columns]

    def prepare(self, sql: str) -> None:
        self._prepared = sql
        self._result = self._run(sql)

    def execute(self, sql: str | None = None, parameters: Sequence[Any] | None = None) -> bool:
        assert parameters is None
        sql = self._prepared if sql is None else sql
        self._double.statements.append(sql)
        if self._double.rolls_back:
            words = (
                "The current transaction has been rolled back because of a deadlock or timeout.  Reason code "
                f'"{self._double.rolls_back.pop(0)}".'
            )
            raise OperationalError(f"{_SERVER}SQL0911N  {words}  SQLSTATE=40001 SQLCODE=-911")
        if forced := re.fullmatch(r"CALL SYSPROC.ADMIN_CMD\('FORCE APPLICATION \((\d+)\)'\)", sql):
            if not self._double.may_force:
                words = "The statement failed because the authorization ID does not have the required authority."
                raise ProgrammingError(f"{_SERVER}SQL1092N  {words}  SQLSTATE=42501 SQLCODE=-1092")
            self._double.forced.append(int(forced.group(1)))
            return True
        if sql == "VALUES SYSPROC.MON_GET_APPLICATION_HANDLE()":
            sql = f"SELECT {HANDLE}"
        self._result = self._run(sql)
        if not self._is_open:
            self._is_open = True
            self._double.open_cursors += 1
        return True

    def _run(self, sql: str) -> FakeResult:
        try:
            return self._double.sql.run(read_words(sql), SCHEMA, sql)
        except FakeSQLError as error:
            raise _error(error) from None

    def fetchmany(self, size: int = 0) -> list[tuple[Any, ...]]:
        assert self._result is not None
        breaks = self._double.breaks_after
        while self._double.hangs.is_set() and HANDLE not in self._double.forced:
            self._double.is_hanging.set()
            time.sleep(0.005)
        if (breaks is not None and self._fetched >= breaks) or HANDLE in self._double.forced:
            # Not one of the module's classes: nothing translates what a fetch raises.
            raise Exception(  # noqa: TRY002
                f"Fetch Failure: {_SERVER}SQL1224N  The database manager is not able to accept new requests, has"
                " terminated all requests in progress, or has terminated the specified request because of an error or a"
                " forced interrupt.  SQLSTATE=55032 SQLCODE=-1224"
            )
        rows = self._result.fetchmany(size)
        self._fetched += len(rows)
        return [
            tuple(_value(value, column, self._fixed) for value, column in zip(row, self._result.columns, strict=True))
            for row in rows
        ]

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(1 << 30)

    def close(self) -> bool:
        if self._is_open:
            self._is_open = False
            self._double.open_cursors -= 1
        return True


def stored(native: str) -> str:
    """DuckDB's type for one of Db2's."""
    base, length, scale, _ = described(native)
    if base in _STORED:
        return "BLOB" if native.upper().endswith("FOR BIT DATA") else _STORED[base]
    if base == "TIMESTAMP":
        return "TIMESTAMP" if scale <= 6 else "VARCHAR"
    if base == "VARCHAR":
        return "BLOB" if native.upper().endswith("FOR BIT DATA") else "VARCHAR"
    return f"DECIMAL({length},{scale})" if base == "DECIMAL" else base


def described(native: str) -> tuple[str, int, int, int]:
    """TYPENAME, LENGTH, SCALE and CODEPAGE of a type, as SYSCAT has them."""
    if bits := _BIT_DATA.match(native):
        base = "VARCHAR" if bits.group(1).upper() == "VARCHAR" else "CHARACTER"
        return base, int(bits.group(2)), 0, 0
    base, _, rest = native.upper().partition("(")
    numbers = [int(text) for text in re.findall(r"\d+", rest)]
    base = {"CHAR": "CHARACTER", "INT": "INTEGER"}.get(base.strip(), base.strip())
    if base == "TIMESTAMP":
        return base, 10, numbers[0] if numbers else 6, 0
    if base == "DECIMAL":
        return base, numbers[0], numbers[1], 0
    is_text = base in ("CHARACTER", "VARCHAR", "CLOB")
    return base, numbers[0] if numbers else 8, 0, 1208 if is_text else 0


def read_words(sql: str) -> str:
    """A statement without what sqlglot does not read."""
    for pattern, words in _WORDS:
        sql = pattern.sub(words, sql)
    return sql


def _native(column: FakeColumn) -> str:
    return native_text(column.native).upper().replace("VARCHAR2", "VARCHAR") or column.stored.upper()


def _field_type(column: FakeColumn) -> str:
    """As `ibm_db.field_type`: several types share one name."""
    base = _native(column).partition("(")[0].strip()
    return next((name for bases, name in _FIELD_TYPES if base in bases), "string")


def _described(column: FakeColumn) -> list[Any]:
    native, kind = _native(column), _field_type(column).upper()
    type_ = [found for found in _TYPE_OBJECTS if found == kind]
    numbers = [int(text) for text in re.findall(r"\d+", native.partition("(")[2])]
    precision = numbers[0] if numbers else 0
    scale = (numbers[0] if numbers else 6) if kind == "TIMESTAMP" else (numbers[1] if len(numbers) > 1 else 0)
    return [column.name, *type_[:1], precision, precision, precision, scale, True]


def _value(value: Any, column: FakeColumn, fixed: int) -> Any:
    """What the driver gives for a value."""
    if value is None:
        return None
    native = _native(column)
    if isinstance(value, bool):
        return int(value)  # a BOOLEAN is bound as a small integer
    if isinstance(value, Decimal):
        return value if fixed else str(value)
    if native.startswith("TIMESTAMP") and isinstance(value, str):
        return dt.datetime.fromisoformat(value[:26])  # cut
    if native == "TIME":
        hour, minute, second = (int(text) for text in value.split(":"))
        return dt.time(hour % 24, minute, second)
    width = re.fullmatch(r"(?:CHARACTER|CHAR|GRAPHIC)\((\d+)\)", native)
    return value.ljust(int(width.group(1))) if width and isinstance(value, str) else value


def _error(error: FakeSQLError) -> DatabaseError:
    if error.kind in ("table", "schema"):
        return ProgrammingError(
            f'{_SERVER}SQL0204N  "{SCHEMA}.{error.name}" is an undefined name.  SQLSTATE=42704 SQLCODE=-204'
        )
    if error.kind == "column":
        words = f'"{error.name}" is not valid in the context where it is used.'
        return ProgrammingError(f"{_SERVER}SQL0206N  {words}  SQLSTATE=42703 SQLCODE=-206")
    words = f'An unexpected token "END-OF-STATEMENT" was found following "{error.message[:200]}".'
    return ProgrammingError(f"{_SERVER}SQL0104N  {words}  SQLSTATE=42601 SQLCODE=-104")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def members(double: Db2Double) -> dict[str, dict[str, Any]]:
    """What is in the driver's modules, by their names."""

    def set_option(handle: object, options: dict[int, int], kind: int) -> bool:
        double.options.append(options)
        return True

    classes = (Error, Warning, DatabaseError, OperationalError, ProgrammingError)
    constants = {"SQL_ATTR_AUTOCOMMIT": 102, "SQL_AUTOCOMMIT_ON": 1}
    return {
        "ibm_db_dbi": {"connect": double.connect, **{kind.__name__: kind for kind in classes}, **constants},
        "ibm_db": {"SQL_ATTR_QUERY_TIMEOUT": 0, "set_option": set_option},
    }


@contextmanager
def db2_double(double: Any = None) -> Iterator[Any]:
    """Within it, the driver is the double."""
    double = double or Db2Double()
    with installed(members(double)):
        yield double


def db2_place(double: Db2Double) -> Place:
    """The double as the kit needs it."""
    output = {
        "type": "db2",
        "host": HOST,
        "port": PORT,
        "database": DATABASE,
        "user": USER,
        "password": PASSWORD,
        "schema": SCHEMA,
    }

    def statements() -> list[str]:
        found, double.statements = double.statements, []
        return found

    return Place(
        "db2",
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
