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
        states: Its rows from each SCN on at which they were changed; before the first, and without any, `rows`.
    """

    columns: list[Info]
    arrow: list[pa.DataType]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    fails: str = ""
    states: dict[int, list[tuple[Any, ...]]] = field(default_factory=dict)

    def seen(self, sql: str, seen: int) -> list[tuple[Any, ...]]:
        """The rows that a statement sees: those of its AS OF, else of its transaction."""
        if past := re.search(r" AS OF SCN (\d+)", sql):
            seen = int(past[1])
        return self.states[max(scn for scn in self.states if scn <= seen)] if self.states else self.rows


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
        self.scns: Iterator[int] | None = None  # what it says when it is asked for its SCN
        self.now = 0  # the SCN at which a transaction begins; it rises with `commit`
        self.keys: dict[tuple[str, str], tuple[str, ...]] = {}
        self.is_flashback_denied = False
        self.frame: pa.Table | None = None  # what the driver gives in the place of a table's rows
        self.fails_at = ""  # a statement that holds this fails

    def statements(self) -> list[str]:
        """What it was sent since this was last asked."""
        log, self.log = self.log, []
        return log

    def commit(self, changes: dict[tuple[str, str], list[tuple[Any, ...]]]) -> None:
        """Change the rows of tables together; from now on the SCN is told."""
        self.now += 1
        self.scns = iter(lambda: self.now, None)
        for place, rows in changes.items():
            self.tables[place].states[self.now] = rows

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

    def writing(self) -> Any:
        """What a session does while it does not commit by itself; None where nothing is written."""
        return None

    def loaded_directly(self, place: tuple[str, str], columns: list[str], rows: Any) -> None:
        """`Connection.direct_path_load`."""
        raise failure("ORA-00942: table or view does not exist")

    def inserted(self, sql: str, sizes: tuple[Any, ...], rows: list[tuple[Any, ...]], session: _Session) -> int:
        """`Cursor.executemany`; the rows that it took."""
        raise failure("ORA-00942: table or view does not exist")

    def described(self, sql: str) -> list[Info]:
        """The columns of a query's result."""
        return self.find(sql).columns

    def counted(self, sql: str, seen: int) -> int:
        """What a `SELECT COUNT(*)` gives, in a transaction that began at an SCN."""
        return len(self.find(sql).seen(sql, seen))

    def size_of(self, owner: str, name: str) -> int | None:
        """The rows of a table as the catalogue counts them; None where there is no such table."""
        table = self.tables.get((owner, name))
        return len(table.rows) if table else None

    def extremes(self, sql: str) -> tuple[float, float]:
        """The least and the largest of a table's first column, as the driver gives numbers by itself."""
        numbers = [int(row[0]) for row in self.find(sql).rows if row[0] is not None]
        return float(min(numbers)), float(max(numbers))

    def written(self, sql: str, session: _Session) -> int:
        """Run a statement that writes; its rows."""
        raise failure("ORA-00900: invalid SQL statement")

    def catalogued(self, sql: str, bound: dict[str, Any]) -> list[tuple[Any, ...]] | None:
        """The rows of a query about what there is; None for another query."""
        return None

    def frames(self, sql: str, size: int, seen: int) -> Iterator[pa.Table]:
        """A query's rows, in frames of a number of rows; at least one.

        Args:
            sql: The query.
            size: Rows of a frame.
            seen: The SCN at which its transaction began.
        """
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
        rows = table.seen(sql, seen)
        rows = _of_part(rows, sql) if " AS OF SCN " in sql else rows
        for start in range(0, max(len(rows), 1), size):
            columns = list(zip(*rows[start : start + size], strict=True)) or [()] * len(names)
            arrays = [pa.array(columns[place], table.arrow[place]) for place in wanted]
            yield pa.table(arrays, schema=schema)
        if table.fails:
            raise failure(table.fails)


class _Session:
    version = VERSION
    call_timeout = 0
    thin = True

    def __init__(self, server: OracleDouble) -> None:
        self._server = server
        server.sessions += 1
        self._is_open = True
        self.began_at: int | None = None  # None without a transaction: each statement sees what is committed
        self.writing = server.writing()

    @property
    def seen(self) -> int:
        return self._server.now if self.began_at is None else self.began_at

    def cursor(self) -> _Cursor:
        return _Cursor(self._server, self)

    def fetch_df_batches(self, statement: str, *, size: int, fetch_decimals: bool) -> Iterator[_Frame]:
        assert fetch_decimals
        self._server.log.append(statement)
        self._server.open_results += 1
        try:
            for table in self._server.frames(statement, size, self.seen):
                if self._server.broken.is_set():
                    raise failure("ORA-01013: user requested cancel of current operation")
                yield _Frame(table)
        finally:  # the result's cursor goes with its generator
            self._server.open_results -= 1

    def cancel(self) -> None:
        self._server.cancelled()

    @property
    def autocommit(self) -> bool:
        return self.writing is None or bool(self.writing.is_automatic)

    @autocommit.setter
    def autocommit(self, is_automatic: bool) -> None:
        if self.writing is not None:
            self.writing.is_automatic = is_automatic  # what is open stays open

    def direct_path_load(self, schema_name: str, table_name: str, column_names: list[str], data: Any) -> None:
        self._server.loaded_directly((schema_name, table_name), column_names, data)

    def commit(self) -> None:
        self._server.log.append("COMMIT")
        self.began_at = None
        if self.writing is not None:
            self.writing.end("commit")

    def rollback(self) -> None:
        self._server.log.append("ROLLBACK")
        self.began_at = None
        if self._server.fails_at and self._server.fails_at in "ROLLBACK":
            raise failure("DPY-4011: the database or network closed the connection")
        if self.writing is not None:
            self.writing.end("rollback")

    def close(self) -> None:
        if self.writing is not None:
            self.writing.end("rollback")
        self._server.sessions -= self._is_open
        self._is_open = False


class _Frame:
    """A DataFrame: nothing but its Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def _of_part(rows: list[tuple[Any, ...]], statement: str) -> list[tuple[Any, ...]]:
    """The rows whose first value, a number, satisfies a part's condition, as DuckDB judges it."""
    import duckdb

    condition = statement.partition(" WHERE ")[2].rpartition("\n)")[0] or statement.partition(" WHERE ")[2]
    with duckdb.connect() as db:
        db.execute('create table t (n int, "ID" decimal(38, 0))')
        db.executemany("insert into t values (?, ?)", [[n, row[0]] for n, row in enumerate(rows)])
        return [rows[n] for (n,) in db.sql(f"select n from t where {condition} order by n").fetchall()]


def _said(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _Cursor:
    def __init__(self, server: OracleDouble, session: _Session) -> None:
        self._server = server
        self._session = session
        self._rows: list[Any] = []
        self._sizes: tuple[Any, ...] = ()
        self.description: list[Info] = []
        self.rowcount = 0

    def setinputsizes(self, *sizes: Any) -> None:
        self._sizes = sizes

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        self._server.log.append(sql)
        self.rowcount = self._server.inserted(sql, self._sizes, rows, self._session)

    def execute(self, sql: str, parameters: Any = None, **bound: Any) -> None:
        self._server.log.append(sql)
        self._rows = []
        if self._server.fails_at and self._server.fails_at in sql:
            raise failure("ORA-01031: insufficient privileges")
        if sql == "SET TRANSACTION READ ONLY":
            if self._session.began_at is not None:
                raise failure("ORA-01453: SET TRANSACTION must be first statement of transaction")
            self._session.began_at = self._server.now
        elif "nls_database_parameters" in sql:
            self._rows = [(self._server.charset,)]
        elif "all_tables" in sql:
            size = self._server.size_of(bound["owner"], bound["name"])
            self._rows = [] if size is None else [(size, 10)]
        elif "get_system_change_number" in sql:
            if self._server.scns is None:
                raise failure("ORA-00904: invalid identifier")
            self._rows = [(next(self._server.scns),)]
        elif "all_constraints" in sql:
            self._rows = [(name,) for name in self._server.keys.get((bound["owner"], bound["name"]), ())]
        elif sql.startswith("SELECT MIN("):
            self._rows = [self._server.extremes(sql)]
        elif " AS OF SCN " in sql and self._server.is_flashback_denied:
            raise failure("ORA-01031: insufficient privileges")
        elif sql.startswith("SELECT COUNT(*)"):
            self._rows = [(self._server.counted(sql, self._session.seen),)]
        elif (found := self._server.catalogued(sql, bound or dict(enumerate(parameters or ())))) is not None:
            self._rows = found
        elif sql.startswith("SELECT"):
            self.description = self._server.described(sql)
        elif not sql.startswith("ALTER SESSION"):
            self.rowcount = self._server.written(sql, self._session)

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
