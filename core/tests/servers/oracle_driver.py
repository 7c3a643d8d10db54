"""A double of python-oracledb's `connect`: no Oracle, no wire, only the driver's names over prepared answers.

There is no Oracle server for the tests, and none that speaks its protocol. The double takes the driver's own constants
and errors, answers the statements of the extractor from tables whose values are given as Oracle's TO_CHAR would write
them, and keeps the statements. It shows which SQL is sent, how frames become batches and which errors mean what; that
Oracle takes the SQL, and that the driver's Arrow frames are right, it does not show. For that, `DVT_LIVE_ORACLE_URL`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pyarrow as pa

USER, PASSWORD, VERSION = "SCOTT", "geheim-tiger", "23.26.0.0.0"
_QUOTED = re.compile(r'"((?:[^"]|"")+)"(?:\."((?:[^"]|"")+)")?')


@dataclass(frozen=True)
class Info:
    """A column as a cursor's description has it: the attributes of `oracledb.FetchInfo` that are used."""

    name: str
    type_code: Any
    precision: int | None = None
    scale: int | None = None
    display_size: int | None = None
    null_ok: bool = True


@dataclass
class Table:
    """A relation.

    Args:
        columns: Its columns.
        arrow: The Arrow type in which the driver gives each.
        rows: Values as the driver gives them for what it is asked.
        fails: A code that fetching ends with after all rows; empty for none.
    """

    columns: list[Info]
    arrow: list[pa.DataType]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    fails: str = ""


class OracleDouble:
    """What stands for the server."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Table] = {}
        self.charset = "AL32UTF8"
        self.log: list[str] = []
        self.given: dict[str, Any] = {}
        self.sessions = 0
        self.open_results = 0
        self.broken = threading.Event()
        self.blocks = False
        self.frame: pa.Table | None = None  # what the driver gives in the place of a table's rows

    def statements(self) -> list[str]:
        """What it was sent since this was last asked."""
        log, self.log = self.log, []
        return log

    def connect(self, **given: Any) -> _Session:
        """`oracledb.connect`."""
        self.given = given
        if given.get("port") == 1:
            raise failure("DPY-6005: cannot connect to database. Connection refused")
        if given.get("user") != USER or given.get("password") != PASSWORD:
            raise failure("ORA-01017: invalid credential or not authorized; logon denied")
        if given.get("host") == "nowhere":
            raise failure("DPY-6005: cannot connect to database. Connection refused")
        return _Session(self)

    def find(self, sql: str) -> Table:
        """The table that a statement reads."""
        for schema, name in _QUOTED.findall(sql):
            found = self.tables.get((schema.replace('""', '"'), name.replace('""', '"')))
            if found is not None:
                return found
        if "SECRET" in sql:
            raise failure("ORA-01031: insufficient privileges")
        raise failure('ORA-00942: table or view "X"."Y" does not exist')

    def cancelled(self) -> None:
        """A session asked that what it runs ends."""
        self.broken.set()

    def described(self, sql: str) -> list[Info]:
        """The columns of a query's result."""
        return self.find(sql).columns

    def counted(self, sql: str) -> int:
        """What a `SELECT COUNT(*)` gives."""
        return len(self.find(sql).rows)

    def frames(self, sql: str, size: int) -> Iterator[pa.Table]:
        """A query's rows, in frames of a number of rows; at least one."""
        table = self.find(sql)
        if self.blocks:
            assert self.broken.wait(20)
        if self.frame is not None:
            yield self.frame
            return
        names = [column.name for column in table.columns]
        head = sql.partition(" FROM ")[0]
        wanted = sorted(
            (p for p, name in enumerate(names) if _said(name) in head), key=lambda p: head.rfind(_said(names[p]))
        )
        wanted = wanted or list(range(len(names)))
        schema = pa.schema([(names[place], table.arrow[place]) for place in wanted])
        for start in range(0, max(len(table.rows), 1), size):
            columns = list(zip(*table.rows[start : start + size], strict=True)) or [()] * len(names)
            arrays = [pa.array(columns[place], table.arrow[place]) for place in wanted]
            yield pa.table(arrays, schema=schema)
        if table.fails:
            raise failure(table.fails)


class _Session:
    version = VERSION
    call_timeout = 0

    def __init__(self, server: OracleDouble) -> None:
        self._server = server
        server.sessions += 1
        self._is_open = True

    def cursor(self) -> _Cursor:
        return _Cursor(self._server)

    def fetch_df_batches(self, statement: str, *, size: int, fetch_decimals: bool) -> Iterator[_Frame]:
        assert fetch_decimals
        self._server.log.append(statement)
        self._server.open_results += 1
        try:
            for table in self._server.frames(statement, size):
                if self._server.broken.is_set():
                    raise failure("ORA-01013: user requested cancel of current operation")
                yield _Frame(table)
        finally:  # the result's cursor goes with its generator
            self._server.open_results -= 1

    def cancel(self) -> None:
        self._server.cancelled()

    def close(self) -> None:
        self._server.sessions -= self._is_open
        self._is_open = False


class _Frame:
    """A DataFrame: nothing but its Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def _said(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Cursor:
    def __init__(self, server: OracleDouble) -> None:
        self._server = server
        self._rows: list[Any] = []
        self.description: list[Info] = []

    def execute(self, sql: str, **bound: Any) -> None:
        self._server.log.append(sql)
        self._rows = []
        if "nls_database_parameters" in sql:
            self._rows = [(self._server.charset,)]
        elif "all_tables" in sql:
            table = self._server.tables.get((bound["owner"], bound["name"]))
            self._rows = [(len(table.rows), 10)] if table else []
        elif sql.startswith("SELECT COUNT(*)"):
            self._rows = [(self._server.counted(sql),)]
        elif sql.startswith("SELECT"):
            self.description = self._server.described(sql)

    def fetchall(self) -> list[Any]:
        return self._rows

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is held."""


def failure(text: str) -> Exception:
    """An error of the driver's own class."""
    import oracledb
    from oracledb.errors import _Error

    code = int(text[4:9].rstrip(":")) if text.startswith("ORA-") else 0
    return oracledb.DatabaseError(_Error(text, code=code))  # type: ignore[no-any-return]


def output(**more: Any) -> dict[str, Any]:
    """A profile output that reaches the double."""
    return {"type": "oracle", "user": USER, "password": PASSWORD, "host": "db", "service": "shop", **more}


@contextmanager
def oracle_double(double: OracleDouble | None = None) -> Iterator[OracleDouble]:
    """Within it, the driver connects to the double."""
    double = double or OracleDouble()
    with mock.patch("oracledb.connect", double.connect):
        yield double
