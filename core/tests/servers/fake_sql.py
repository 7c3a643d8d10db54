"""The engine of the wire fakes: DuckDB behind another engine's dialect.

What it is: a statement in the dialect is parsed by sqlglot, run by DuckDB, and its columns get the type names that the
engine itself would say, as far as they can be read off the statement: a table's columns keep the types with which they
were created, a cast has its own. What it is not: the engine. Functions, coercions, rounding and messages are DuckDB's.

A type that DuckDB does not hold (a dozen digits of a second, text that is padded) is kept as the text of its values,
letter for letter as the test wrote them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from servers.fake_cursor import FakeCursor, FakeSQLError

# What a SELECT reads, by the names that it gives it: columns with their native types, where they are known.
Columns = list[tuple[str, "exp.DataType | None"]]
Sources = dict[str, Columns]
StoredAs = Callable[[exp.DataType], str | None]


@dataclass(frozen=True)
class FakeColumn:
    """A column of a result.

    Args:
        name: Its name.
        native: The dialect's type, None where nothing but DuckDB's type is known.
        stored: DuckDB's type.
        node: The expression behind it, None where it is not one of a select list.
    """

    name: str
    native: exp.DataType | None
    stored: str
    node: exp.Expr | None = None


@dataclass
class FakeResult:
    """A running result.

    Args:
        columns: Its columns; none when the statement gives no rows.
        cursor: What runs it.
        reader: Its rows as Arrow, where these were asked for; they are then not to be fetched.
    """

    columns: list[FakeColumn]
    cursor: FakeCursor
    reader: pa.RecordBatchReader | None = None

    def fetchmany(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows, none at the end."""
        with self.cursor.working():
            return self.cursor.own.fetchmany(rows) if self.columns else []


@dataclass
class FakeSQL:
    """One server's data. Threads may run statements at the same time.

    Args:
        dialect: sqlglot's name of the dialect.
        database: The catalogue in which everything lies, for dialects with three-part names.
        stored_as: The DuckDB type that holds a native one; None for what sqlglot makes of it.
        rewrite: Changes a parsed statement before it becomes DuckDB's.
        functions: Macros in DuckDB's SQL to define.
    """

    dialect: str
    database: str = "fake"
    stored_as: StoredAs = lambda native: None
    rewrite: Callable[[exp.Expr], exp.Expr] = lambda tree: tree
    functions: tuple[str, ...] = ()
    statements: list[str] = field(default_factory=list)
    _tables: dict[tuple[str, str], dict[str, exp.DataType]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._root = duckdb.connect(":memory:", config={"threads": 1})  # many small statements
        self._root.execute("set global TimeZone = 'UTC'")
        self._root.execute("set global python_enable_replacements = false")  # no variable of ours is a table
        self.attach(self.database)
        for function in self.functions:
            self._root.execute(function)

    def attach(self, database: str) -> None:
        """Make another catalogue, with a schema `main`."""
        self._root.execute(f"attach ':memory:' as {_quoted(database)}")

    def cursor(self) -> FakeCursor:
        """A cursor for one statement."""
        return FakeCursor(self._root.cursor())

    def run(
        self,
        sql: str,
        schema: str = "main",
        said: str | None = None,
        cursor: FakeCursor | None = None,
        batch_rows: int | None = None,
    ) -> FakeResult:
        """Run one statement of the dialect.

        Args:
            sql: The statement.
            schema: Where names without a schema are looked up.
            said: What the client said, where this stands for it.
            cursor: What is to run it, where it may be interrupted before there is a result.
            batch_rows: The result is read as Arrow, in batches of so many rows; None for Python's values. 0 for its
                columns alone: a query is not run.

        Raises:
            FakeSQLError: It cannot be parsed or run, or was interrupted.
        """
        self.statements.append(sql if said is None else said)
        tree = self._parsed(sql)
        natives = self._natives(tree, schema) if isinstance(tree, exp.Query) else []
        cursor, reader = cursor or self.cursor(), None
        with cursor.working():
            cursor.own.execute(f"use {_quoted(self.database)}.{_quoted(schema)}")
            in_duckdb = self.rewrite(self._stored(tree.copy())).sql(dialect="duckdb")
            if batch_rows is not None and isinstance(tree, exp.Query):
                relation = cursor.own.sql(in_duckdb)  # `execute` would make rows first
                about = relation.description
                reader = cursor.told(relation.to_arrow_reader(batch_rows)) if batch_rows else None
            else:
                about = cursor.own.execute(in_duckdb).description
        self._remember(tree, schema)
        if not isinstance(tree, exp.Query):
            return FakeResult([], cursor)
        described = [(str(name), str(kind)) for name, kind, *_ in about or []]
        names = self._star_names(tree, schema) if tree.is_star else []
        if len(names) == len(described):  # DuckDB gives the second column of a name another one
            described = [(name, kind) for name, (_, kind) in zip(names, described, strict=True)]
        known = natives if len(natives) == len(described) else [(None, None)] * len(described)
        pairs = zip(described, known, strict=True)
        columns = [FakeColumn(name, native, stored, node) for (name, stored), (native, node) in pairs]
        return FakeResult(columns, cursor, reader)

    def native_columns(self, schema: str, table: str) -> Mapping[str, exp.DataType]:
        """The columns of a table with the types with which it was created; empty when there is none.

        A type's arguments `nullable` and `collate` are what the column was declared with.
        """
        return self._tables.get((schema.lower(), table.lower()), {})

    @property
    def natives(self) -> Mapping[tuple[str, str], Mapping[str, exp.DataType]]:
        """`native_columns` of all tables that were created, by schema and name; dropped ones too."""
        return self._tables

    def is_now(self, schema: str, table: str, columns: Mapping[str, exp.DataType]) -> None:
        """A table has another one's columns: it was renamed."""
        with self._lock:
            self._tables[schema.lower(), table.lower()] = dict(columns)

    def _parsed(self, sql: str) -> exp.Expr:
        try:
            parsed = sqlglot.parse(sql, read=self.dialect)
        except sqlglot.errors.SqlglotError as error:
            raise FakeSQLError("syntax", str(error)) from error
        if len(parsed) != 1 or parsed[0] is None or isinstance(parsed[0], (exp.Command, exp.Column)):
            raise FakeSQLError("syntax", f"mismatched input: {sql}")
        tree = parsed[0]
        if isinstance(tree, exp.Query) and tree.find(exp.Insert, exp.Update, exp.Delete, exp.Merge):
            raise FakeSQLError("syntax", f"mismatched input: {sql}")  # DuckDB would write from within a query
        return tree

    def _stored(self, tree: exp.Expr) -> exp.Expr:
        for native in list(tree.find_all(exp.DataType)):
            if isinstance(native.parent, exp.DataType):
                continue
            stored = self.stored_as(native)
            if stored is not None:
                native.replace(exp.DataType.build(stored, dialect="duckdb"))
        for table in list(tree.find_all(exp.Table)):
            if table.db.lower() == "information_schema":  # DuckDB has one for all catalogues
                key = "catalog_name" if table.name.lower() == "schemata" else "table_catalog"
                own = exp.column(key).eq(exp.Literal.string(table.catalog or self.database))
                bare = exp.select("*").from_(exp.table_(table.name, db="information_schema")).where(own)
                table.replace(bare.subquery(table.alias_or_name))
        return tree

    def _remember(self, tree: exp.Expr, schema: str) -> None:
        renamed = tree.args["actions"][0] if isinstance(tree, exp.Alter) else None
        if isinstance(renamed, exp.AlterRename):
            old = (tree.this.db or schema).lower(), tree.this.name.lower()
            with self._lock:
                if old in self._tables:
                    self._tables[old[0], renamed.this.name.lower()] = self._tables.pop(old)
            return
        if not isinstance(tree, exp.Create) or tree.kind not in ("TABLE", "VIEW"):
            return
        table = tree.find(exp.Table)
        assert table is not None
        if isinstance(tree.expression, exp.Query):
            natives = self._natives(tree.expression, schema)
            names = tree.expression.named_selects
            columns = {n: native for n, (native, _) in zip(names, natives, strict=False) if native is not None}
        else:
            columns = {c.name: _declared(c) for c in tree.find_all(exp.ColumnDef) if c.parent is tree.this}
        with self._lock:
            self._tables[(table.db or schema).lower(), table.name.lower()] = columns

    def _natives(self, query: exp.Expr, schema: str) -> list[tuple[exp.DataType | None, exp.Expr | None]]:
        """The native type of each output column, and the expression that gives it."""
        if isinstance(query, exp.SetOperation):
            return [(_may_be_null(native), node) for native, node in self._natives(query.this, schema)]
        if isinstance(query, exp.Subquery):
            return self._natives(query.this, schema)
        if not isinstance(query, exp.Select):
            return []
        sources = self._sources(query, schema)
        found: list[tuple[exp.DataType | None, exp.Expr | None]] = []
        for item in query.expressions:
            inner = item.unalias()
            if isinstance(inner, exp.Star):
                found += [(native, exp.column(name)) for columns in sources.values() for name, native in columns]
            else:
                found.append((self._native_of(inner, sources), inner))
        return found

    def _native_of(self, node: exp.Expr, sources: Sources) -> exp.DataType | None:
        if isinstance(node, exp.Paren):
            return self._native_of(node.this, sources)
        if isinstance(node, exp.Cast):
            return node.to
        if isinstance(node, exp.Convert):
            return node.this if isinstance(node.this, exp.DataType) else None
        if isinstance(node, (exp.AtTimeZone, exp.Max, exp.Min)):
            return _may_be_null(self._native_of(node.this, sources))
        if not isinstance(node, exp.Column):
            return None
        inside = [sources[node.table.lower()]] if node.table.lower() in sources else list(sources.values())
        by_name = {name.lower(): native for columns in inside for name, native in columns}
        return by_name.get(node.name.lower())

    def _sources(self, query: exp.Select, schema: str) -> Sources:
        """The columns of what a SELECT reads, by the names that it gives them."""
        from_ = query.args.get("from_") or query.args.get("from")
        items = ([from_.this] if from_ else []) + [join.this for join in query.args.get("joins") or []]
        named = {
            cte.alias.lower(): cte.this for with_ in (query.args.get("with_"), query.args.get("with")) if with_
            for cte in with_.expressions
        }  # fmt: skip
        found: Sources = {}
        for number, item in enumerate(items):
            inner = named.get(item.name.lower()) if isinstance(item, exp.Table) else None
            if isinstance(item, exp.Table) and inner is None:
                columns: Columns = list(self.native_columns(item.db or schema, item.name).items())
            else:
                body = inner if inner is not None else item.this
                names = item.alias_column_names or (body.named_selects if isinstance(body, exp.Query) else [])
                natives = [native for native, _ in self._natives(body, schema)]
                if isinstance(body, exp.Query) and body.is_star:
                    names = item.alias_column_names or self._star_names(body, schema)
                columns = list(zip(names, natives, strict=False))
            if any(join.side for join in query.args.get("joins") or []):
                columns = [(name, _may_be_null(native)) for name, native in columns]
            found[(item.alias_or_name or f"#{number}").lower()] = columns
        return found

    def _star_names(self, body: exp.Query, schema: str) -> list[str]:
        select = body.this if isinstance(body, exp.SetOperation) else body
        names: list[str] = []
        for item in select.selects:
            if isinstance(item, exp.Star):
                names += [name for columns in self._sources(select, schema).values() for name, _ in columns]
            else:
                names.append(item.alias_or_name)
        return names


def _declared(column: exp.ColumnDef) -> exp.DataType:
    """A column's type, with whether it may be NULL, and its collation."""
    native: exp.DataType = column.args["kind"].copy()
    kinds = [constraint.kind for constraint in column.constraints]
    refusing = (exp.NotNullColumnConstraint, exp.PrimaryKeyColumnConstraint)
    native.set("nullable", not any(isinstance(k, refusing) and not k.args.get("allow_null") for k in kinds))
    native.set("collate", next((k.this for k in kinds if isinstance(k, exp.CollateColumnConstraint)), None))
    return native


def _may_be_null(native: exp.DataType | None) -> exp.DataType | None:
    if native is None or native.args.get("nullable") is not False:
        return native
    native = native.copy()
    native.set("nullable", True)
    return native


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
