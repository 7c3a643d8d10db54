"""What stands behind the SQL Server fake: the engine of all fakes (`fake_sql.py`), and SQL Server's catalogue over it.

It is no SQL Server: what a statement means there and whom it lets in is not shown by it. Texts that are compared with
literals by `=` or IN are compared without case and without the blanks at their end; other comparisons are DuckDB's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from servers.fake_cursor import FakeCursor
from servers.fake_sql import FakeResult, FakeSQL, FakeSQLError
from servers.sqlserver_types import SqlServer, stored_as, wire_column
from servers.sqlserver_words import PADDING, said_in_duckdb
from servers.tds import Column

DATABASE, VERSION = "shop", "16.0.1000.6"
_BIGGER_BATCH = 2000
_DISABLE = re.compile(r"(?is)^\s*alter\s+index\s+all\s+on\s+(\S+)\s+disable\s*$")
# SQL Server's catalogue views, as far as dvt and its tests ask them, over DuckDB's; tests change the tables.
_CATALOGUE = (
    "create table shop.sys.properties as select * from"
    f" (values ('productversion', '{VERSION}'), ('engineedition', '3')) as p(name, value)",
    "create table shop.sys.disabled (object_id bigint)",
    "create macro shop.dbo.serverproperty(asked) as (select value from shop.sys.properties where name = lower(asked))",
    "create macro shop.dbo.object_number(owner, named) as (select table_oid from duckdb_tables() where"
    " database_name = 'shop' and lower(schema_name) = lower(owner) and lower(table_name) = lower(named))",
    "create view shop.sys.schemas as select schema_name as name from duckdb_schemas()"
    " where database_name = 'shop' and schema_name <> 'main'",
    "create view shop.sys.columns as select table_oid as object_id, column_index as column_id, column_name as name"
    " from duckdb_columns() where database_name = 'shop'",
    "create view shop.sys.indexes as select table_oid as object_id, constraint_index + 1 as index_id,"
    " constraint_type = 'PRIMARY KEY' as is_primary_key,"
    " table_oid in (select object_id from shop.sys.disabled) as is_disabled"
    " from duckdb_constraints() where database_name = 'shop' and constraint_type in ('PRIMARY KEY', 'UNIQUE')",
    "create view shop.sys.index_columns as select table_oid as object_id, constraint_index + 1 as index_id,"
    " unnest(constraint_column_indexes) + 1 as column_id,"
    " generate_subscripts(constraint_column_indexes, 1) as key_ordinal"
    " from duckdb_constraints() where database_name = 'shop' and constraint_type in ('PRIMARY KEY', 'UNIQUE')",
    "create view shop.sys.partitions as select table_oid as object_id, 1 as index_id, table_oid as hobt_id,"
    " table_oid as partition_id, estimated_size as \"rows\" from duckdb_tables() where database_name = 'shop'",
    "create view shop.sys.allocation_units as select table_oid as container_id, 1 as used_pages"
    " from duckdb_tables() where database_name = 'shop'",
)
_SETUP = (
    "create schema shop.dbo",
    "create schema shop.sys",
    *(f"create macro shop.dbo.{macro}" for macro in PADDING),
    *_CATALOGUE,
)
_INTO = re.compile(r"(?is)^select \* into (.+) from (.+)$")
_BY_CLASS = {
    "Conversion Error": (245, "Conversion failed when converting a value: {}"),
    "Out of Range Error": (8115, "Arithmetic overflow error converting expression: {}"),
}


@dataclass
class SqlServerError(Exception):
    """An error as SQL Server numbers it."""

    number: int
    message: str
    severity: int = 16


class Engine:
    """The database of one fake."""

    def __init__(self) -> None:
        self._sql = FakeSQL("sqlserver", DATABASE, stored_as, self._rewritten, _SETUP)

    def execute(self, sql: str) -> None:
        """Run a statement beside the wire."""
        if disabled := _DISABLE.match(sql):
            sql = f"insert into sys.disabled values (object_id('{disabled.group(1)}'))"
        self._run(sql)

    def described(self, sql: str) -> list[Column]:
        """The columns of a statement's result, which is not run; none for what gives no rows."""
        with _numbered():
            try:
                is_query = isinstance(sqlglot.parse_one(sql, read=SqlServer), exp.Query)
            except sqlglot.errors.SqlglotError as error:
                raise FakeSQLError("syntax", str(error)) from error
        if not is_query:
            return []
        inner = sql.rstrip().rstrip(";")
        return self.query(f"select top 0 * from (\n{inner}\n) as described")[0]

    def query(self, sql: str, cursor: FakeCursor | None = None) -> tuple[list[Column], Iterator[list[tuple[Any, ...]]]]:
        """The columns of a statement's result and its rows, some at a time; a cursor may hold a transaction."""
        into = _INTO.match(sql)  # of which sqlglot makes nothing that DuckDB takes
        result = self._run("create table {} as select * from {}".format(*into.groups()) if into else sql, cursor)
        return [wire_column(column) for column in result.columns], _blocks(result)

    def begun(self) -> FakeCursor:
        """A cursor with an open transaction."""
        cursor = self._sql.cursor()
        cursor.own.execute("begin transaction")
        return cursor

    def ended(self, cursor: FakeCursor, word: str) -> None:
        """Commit or roll back."""
        with _numbered(), cursor.working():
            cursor.own.execute(word)

    def renamed(self, name: str, new: str, cursor: FakeCursor | None) -> Callable[[], None]:
        """`sp_rename`; gives what is to be done when the transaction is committed."""
        table = sqlglot.parse_one(f"select * from {name}", read="tsql").find(exp.Table)
        assert table is not None
        schema = table.db or "dbo"
        natives = self._sql.native_columns(schema, table.name)
        if not natives:
            raise SqlServerError(15225, f"No item by the name of '{name}' could be found in the current database.", 11)
        bare = exp.to_identifier(new, quoted=True).sql(dialect="tsql")
        before = self._sql.native_columns(schema, new)
        self._run(f"alter table {table.sql(dialect='tsql')} rename to {bare}", cursor)
        self._sql.is_now(schema, table.name, natives)  # until the transaction is committed
        self._sql.is_now(schema, new, before)
        return lambda: self._sql.is_now(schema, new, natives)

    def loaded(self, table: str, rows: pa.Table) -> int:
        """Put a bulk load's rows in, all or none."""
        own = self._sql.cursor().own
        with _numbered():
            own.register("incoming", rows)
            into = sqlglot.parse_one(f"select * from {table}", read="tsql").find(exp.Table)
            assert into is not None
            into.set("catalog", exp.to_identifier(DATABASE))
            own.execute(f"insert into {into.sql(dialect='duckdb')} select * from incoming")
        return rows.num_rows

    def _run(self, sql: str, cursor: FakeCursor | None = None) -> FakeResult:
        with _numbered():
            return self._sql.run(sql, "dbo", cursor=cursor)

    def _rewritten(self, tree: exp.Expr) -> exp.Expr:
        for table in tree.find_all(exp.Table):
            if table.db == "secret":
                words = f"The SELECT permission was denied on the object '{table.name}', database 'shop',"
                raise SqlServerError(229, f"{words} schema '{table.db}'.", 14)
        return said_in_duckdb(tree, self._columns)

    def _columns(self, table: exp.Table) -> Mapping[str, exp.DataType]:
        return self._sql.native_columns(table.db or "dbo", table.name)


@contextlib.contextmanager
def _numbered() -> Iterator[None]:
    """Within it, what fails in DuckDB fails as SQL Server says it."""
    try:
        yield
    except (FakeSQLError, duckdb.Error) as error:
        raise _error(error) from error


def _blocks(result: FakeResult) -> Iterator[list[tuple[Any, ...]]]:
    while True:
        with _numbered():
            block = result.fetchmany(_BIGGER_BATCH)
        if not block:
            return
        yield block


def _error(error: FakeSQLError | duckdb.Error) -> SqlServerError:
    kind = error.kind if isinstance(error, FakeSQLError) else "query"
    name = error.name if isinstance(error, FakeSQLError) else ""
    if kind == "syntax":
        return SqlServerError(102, "Incorrect syntax near 'x'.", 15)
    if kind in ("table", "schema"):
        return SqlServerError(208, f"Invalid object name '{name}'.")
    if kind == "column":
        return SqlServerError(207, f"Invalid column name '{name}'.")
    words = str(error)[:300]
    number, said = next((found for start, found in _BY_CLASS.items() if words.startswith(start)), (8134, "{}"))
    return SqlServerError(number, said.format(words))
