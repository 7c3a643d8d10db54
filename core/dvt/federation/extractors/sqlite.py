"""Reads SQLite files with the standard library's driver, in one read transaction, batch by batch."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from dvt.connections.sqlite import SPEC, connect, own, translate
from dvt.errors import DataError, RelationNotFoundError, TimeoutExceededError, nearest
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.extractors.batching import of_size
from dvt.federation.extractors.scan_sql import scan_sql
from dvt.federation.extractors.sqlite_functions import make_functions
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote
from dvt.types.sqlite import arrow_type
from dvt.types.sqlite_read import Builder, array_builder, first_refused

# Rows taken from the driver at a time: the values of more do not stay in the processor's caches until they are read.
_ROWS_A_FETCH = 2_000
# Columns examined in one pass, well below SQLite's limit of 2,000 result columns.
_COLUMNS_A_PASS = 200
_KINDS = ("integer", "real", "text", "blob")


@dataclass(frozen=True)
class _Column:
    schema: ColumnSchema
    build: Builder


class SQLiteExtractor(BaseExtractor):
    """One session on one file; the first statement begins the read transaction that all scans share."""

    spec = SPEC
    whole_because = "its snapshot belongs to one session"
    _session: sqlite3.Connection | None = None

    def ping(self) -> str:
        """SQLite's version, after opening the file."""
        version: str = self._open().execute("select sqlite_version()").fetchone()[0]
        return f"SQLite {version}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns from the declared types; where a type says nothing, from one pass over the values' storage."""
        return [column.schema for column in self._columns(request)]

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows by the last ANALYZE, which most files never had.

        The first number of each row of sqlite_stat1 is that of an index's entries: a partial index has fewer.
        """
        if request.relation is None:
            return None
        relation = own(request.relation)
        schema = quote(relation.schema or "main", "sqlite")
        is_analysed = " ".join(["select 1 from", f"{schema}.sqlite_master", "where name = 'sqlite_stat1'"])
        query = " ".join(["select stat from", f"{schema}.sqlite_stat1", "where tbl = ? collate nocase"])
        with self._limited(request):
            if self._open().execute(is_analysed).fetchone() is None:
                return None
            stats = self._open().execute(query, (relation.name,)).fetchall()
        numbers = [int(first) for (stat,) in stats if (first := str(stat).split(" ")[0]).isdigit()]
        return TableStatistics(rows=max(numbers)) if numbers else None

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of the primary key; none where SQLite lets NULL into it, as it does without NOT NULL."""
        relation = own(relation)
        asked = 'select name, "notnull", upper(type) from pragma_table_info(?, ?) where pk > 0 order by pk'
        with self._limited(ExtractionConfig(relation=relation)):
            found = self._open().execute(asked, (relation.name, relation.schema or "main")).fetchall()
        is_rowid = len(found) == 1 and found[0][2] == "INTEGER"
        return tuple(name for name, *_ in found) if is_rowid or all(row[1] for row in found) else ()

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Read in batches of the request's size."""
        columns = self._columns(request)
        session = self._open()
        with self._limited(request):
            cursor = session.execute(self._sql(request, columns))
        batches = of_size(self._batches(cursor, columns, request), self.batch_rows(request))
        return RowStream([column.schema for column in columns], batches, close=cursor.close)

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan; a relation's columns are named by the catalogue when the scan runs."""
        return scan_sql(_located(request), self.connection.dialect)

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows."""
        return super().get_row_count(own(relation))

    def cancel(self) -> None:
        """End the running statement; the session stays usable for `close`."""
        if self._session is not None:
            self._session.interrupt()

    def close(self) -> None:
        """End the read transaction and the session."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> sqlite3.Connection:
        if self._session is None:
            session = connect(self.connection, writable=False)
            make_functions(session)
            session.execute("begin")
            session.execute("select 1 from sqlite_master limit 1").fetchone()  # here the snapshot begins
            self._session = session
        return self._session

    @contextlib.contextmanager
    def _limited(self, request: ExtractionConfig) -> Iterator[None]:
        """Run one driver call under the statement timeout, with its errors translated."""
        limit_s = int(self.connection.options["statement_timeout_s"])
        is_over = threading.Event()

        def interrupt() -> None:
            is_over.set()
            self.cancel()

        timer = threading.Timer(limit_s, interrupt) if limit_s else None
        if timer:
            timer.start()
        try:
            yield
        except sqlite3.Error as error:
            place = {"relation": request.label, "phase": "extract"}
            if is_over.is_set():
                raise TimeoutExceededError(
                    f"the statement ran longer than {limit_s} s",
                    connection=self.connection.name,
                    **place,
                    remedy="Raise dvt.statement_timeout_s",
                ) from error
            raise translate(error, self.connection, **place) from error
        finally:
            if timer:
                timer.cancel()

    def _batches(
        self, cursor: sqlite3.Cursor, columns: list[_Column], request: ExtractionConfig
    ) -> Iterator[pa.RecordBatch]:
        size = min(self.batch_rows(request), _ROWS_A_FETCH)
        schema = pa.schema([pa.field(c.schema.name, c.schema.type, c.schema.nullable) for c in columns])
        first_row = 1
        while True:
            with self._limited(request):
                rows = cursor.fetchmany(size)
            if not rows:
                return
            arrays = [
                self._array(column, values, first_row, request)
                for column, values in zip(columns, zip(*rows, strict=True), strict=True)
            ]
            first_row += len(rows)
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _array(self, column: _Column, values: tuple[Any, ...], first_row: int, request: ExtractionConfig) -> pa.Array:
        try:
            return column.build(values)
        except (ValueError, TypeError) as error:  # pyarrow's errors are among them
            index = first_refused(values, column.build)
            value = repr(values[index])
            raise DataError(
                f"the {type(values[index]).__name__} {value if len(value) <= 80 else value[:77] + '...'} is not of the "
                f"declared type {column.schema.native_type or column.schema.type}",
                connection=self.connection.name,
                relation=request.label,
                column=column.schema.name,
                rows=f"row {first_row + index} of the scan",
                phase="extract",
                remedy="Mend the value, or declare the column's data_type as text to read values as their text",
            ) from error

    def _sql(self, request: ExtractionConfig, columns: list[_Column]) -> str:
        request = _located(request)
        if request.relation is not None:
            request = replace(request, columns=tuple(column.schema.name for column in columns))
        return scan_sql(request, self.connection.dialect)

    def _columns(self, request: ExtractionConfig) -> list[_Column]:
        with self._limited(request):
            declared = self._declared(request)
            # SQLite reads an unknown name in double quotes as a text: names are checked here.
            wanted = [self._found(name, declared, request) for name in request.columns or declared]
            for predicate in request.predicates:
                for column in predicate.find_all(_column_class()):
                    self._found(column.name, declared, request)
            types = {name: arrow_type(request.declared.get(name) or declared[name][0]) for name in wanted}
            unknown = [name for name, type_ in types.items() if type_ is None]
            types.update(self._stored_types(request, unknown))
        return [self._column(name, types[name], *declared[name], request) for name in wanted]

    def _column(
        self, name: str, type_: pa.DataType | None, native: str, is_not_null: bool, request: ExtractionConfig
    ) -> _Column:
        assert type_ is not None, "the pass over the values decided it"
        is_text_wished = name in request.declared and type_ == pa.string()
        # A name that says nothing about the values is none: the values themselves decided.
        known = request.declared.get(name) or (native if arrow_type(native) is not None else "")
        schema = ColumnSchema(name, type_, not is_not_null, known)
        return _Column(schema, array_builder(type_, is_text_wished))

    def _found(self, name: str, declared: dict[str, tuple[str, bool]], request: ExtractionConfig) -> str:
        if name in declared:
            return name
        folded = [known for known in declared if known.lower() == name.lower()]  # SQLite folds ASCII names
        if len(folded) == 1 and name.isascii():
            return folded[0]
        raise RelationNotFoundError(
            f"there is no such column: {nearest(name, declared)}",
            connection=self.connection.name,
            relation=request.label,
            column=name,
            phase="describe",
        )

    def _declared(self, request: ExtractionConfig) -> dict[str, tuple[str, bool]]:
        """Declared type and NOT NULL of each column, by name, from SQLite's catalogue."""
        session = self._open()
        if request.relation is not None:
            relation = own(request.relation)
            return self._table_columns(relation.name, relation.schema or "main", request)
        view = f"dvt_query_{uuid.uuid4().hex}"
        query = (request.query or "").strip().rstrip(";")
        session.execute(" ".join(["create temp view", quote(view, "sqlite"), "as", query]))
        try:
            return self._table_columns(view, "temp", request)
        finally:
            session.execute(" ".join(["drop view temp.", quote(view, "sqlite")]))

    def _table_columns(self, name: str, schema: str, request: ExtractionConfig) -> dict[str, tuple[str, bool]]:
        # hidden = 1 are columns that a virtual table does not show; 2 and 3 are generated ones.
        sql = 'select name, type, "notnull" from pragma_table_xinfo(?, ?) where hidden <> 1'
        rows = self._open().execute(sql, (name, schema)).fetchall()
        if not rows:
            known = self._open().execute("select name from sqlite_master where type in ('table', 'view')").fetchall()
            raise RelationNotFoundError(
                f"there is no such table or view: {nearest(name, [row[0] for row in known])}",
                connection=self.connection.name,
                relation=request.label,
                phase="describe",
                remedy=f"It is looked for in {self.connection.path('path')}",
            )
        return {name: (type_, bool(is_not_null)) for name, type_, is_not_null in rows}

    def _stored_types(self, request: ExtractionConfig, names: list[str]) -> dict[str, pa.DataType]:
        """Types for columns whose declared type says nothing: all values are looked at, not the first ones."""
        found: dict[str, pa.DataType] = {}
        source = scan_sql(replace(_located(request), columns=None, predicates=(), limit=None), self.connection.dialect)
        for start in range(0, len(names), _COLUMNS_A_PASS):
            part = names[start : start + _COLUMNS_A_PASS]
            counts = ", ".join(f"total(typeof({quote(name, 'sqlite')}) = '{kind}')" for name in part for kind in _KINDS)
            row = self._open().execute(" ".join(["select", counts, "from (", source, "\n)"])).fetchone()
            for index, name in enumerate(part):
                totals = row[index * len(_KINDS) : (index + 1) * len(_KINDS)]
                found[name] = self._stored_type(name, {k for k, n in zip(_KINDS, totals, strict=True) if n}, request)
        return found

    def _stored_type(self, name: str, kinds: set[str], request: ExtractionConfig) -> pa.DataType:
        if kinds == {"integer"}:
            return pa.int64()
        if kinds and kinds <= {"integer", "real"}:
            return pa.float64()
        if kinds <= {"text"}:
            return pa.string()
        if kinds == {"blob"}:
            return pa.binary()
        raise DataError(
            f"the column has no declared type and holds values of several: {', '.join(sorted(kinds))}",
            connection=self.connection.name,
            relation=request.label,
            column=name,
            phase="describe",
            remedy="Declare its data_type in the source's columns, or cast it in a view",
        )


def _located(request: ExtractionConfig) -> ExtractionConfig:
    return replace(request, relation=own(request.relation)) if request.relation is not None else request


def _column_class() -> Any:
    from sqlglot import exp

    return exp.Column
