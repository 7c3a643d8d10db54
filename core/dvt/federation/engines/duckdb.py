"""The embedded compute engine: a private in-memory DuckDB that spills to a private folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from dvt.errors import DvtError, InterruptedRunError
from dvt.federation.duckdb_result import DuckDBResult, describe_result, open_result
from dvt.federation.engines.base import BaseEngine, EngineLimits, Handle
from dvt.federation.engines.duckdb_bind import bound, check_names, one_query
from dvt.federation.engines.duckdb_errors import translate
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote
from dvt.types.duckdb import SESSION_SETTINGS

_SOURCE = "dvt_source"
_INTERRUPT_EVERY_S = 0.05


class DuckDBEngine(BaseEngine):
    """One DuckDB instance per session. Several threads may register relations; each statement has its own cursor.

    A stream is always read to its end into a table of an attached in-memory catalogue, which keeps three-part names
    and spills like any other table. (A view over an Arrow reader would give no rows on its second scan, silently.)
    """

    def __init__(self, limits: EngineLimits, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(limits, options)
        import duckdb

        limits.spill_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = Path(tempfile.mkdtemp(prefix="duckdb_", dir=limits.spill_folder))  # mkdtemp gives 0700
        self._lock = threading.RLock()
        self._cursors: set[Any] = set()
        self._is_interrupted = False
        self._is_closed = False
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{max(limits.memory_bytes, 1) // 1024}KiB",
                "temp_directory": os.fspath(self._folder),
                "threads": max(limits.threads, 1),
                # Nothing is downloaded at run time.
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        for setting in SESSION_SETTINGS:  # of all its cursors: what is set in one session is not set in another
            self._connection.execute(setting.replace("set ", "set global ", 1))

    def register(self, handle: Handle, stream: RowStream) -> int:
        """Read a stream to its end into a table; returns the rows.

        Raises:
            PlanError: Two columns that DuckDB cannot tell apart, or a relation without columns.
            DvtError: Whatever the stream itself raised, unchanged.
        """
        check_names(stream.schema.names, f"relation {handle.catalog}.{handle.schema}.{handle.name}")
        source = _Watched(stream, self._check_interrupted)
        with self._cursor() as cursor:
            target = self._place(cursor, handle)
            cursor.register(_SOURCE, pa.RecordBatchReader.from_batches(stream.schema, source.batches()))
            try:
                cursor.execute(" ".join(["create or replace table", target, "as select * from", _SOURCE]))
            except Exception as error:
                if source.error is None:
                    raise translate(error) from error
                raise source.error  # noqa: B904 the stream's error keeps its own cause
        return stream.rows_read

    def register_parquet(self, handle: Handle, paths: list[Path]) -> None:
        """A view over Parquet files that were written from one stream's schema.

        The view's types are those that `register` would have given: the files keep the Arrow schema.
        """
        import pyarrow.parquet as pq

        schema = pq.read_schema(paths[0])
        check_names(schema.names, f"relation {handle.catalog}.{handle.schema}.{handle.name}")
        with self._cursor() as cursor, _translated():
            target = self._place(cursor, handle)
            cursor.register(_SOURCE, pa.RecordBatchReader.from_batches(schema, []))
            wanted = _described(cursor.sql(" ".join(["from", _SOURCE])))
            cursor.unregister(_SOURCE)
            scan = cursor.read_parquet([os.fspath(path) for path in paths])
            columns = [
                quote(name, "duckdb")
                if (name, type_) in _described(scan)
                else f"cast({quote(name, 'duckdb')} as {type_}) as {quote(name, 'duckdb')}"
                for name, type_ in wanted
            ]
            files = ", ".join("'" + os.fspath(path).replace("'", "''") + "'" for path in paths)
            parts = ["create view", target, "as select", ", ".join(columns), "from read_parquet([", files, "])"]
            cursor.execute(" ".join(parts))

    def execute(self, sql: str, batch_rows: int = 50_000) -> RowStream:
        """Run one query; its batches are in the carrying vocabulary, also when there are none.

        Raises:
            PlanError: The statement is not one query, does not bind, or gives two columns of one name.
            DataError: A value does not fit a cast.
            ResourceError: Memory or disk ran out.
        """
        cursor = self._open_cursor()
        try:
            result = self._start(cursor, sql, batch_rows)
        except BaseException:
            self._drop_cursor(cursor)
            raise

        def close() -> None:
            result.close()
            self._drop_cursor(cursor)

        return RowStream(result.columns, self._batches(result), close=close, method="engine")

    def bind(self, sql: str) -> None:
        """Bind a query, but for a PIVOT, whose columns depend on the rows.

        Raises:
            PlanError: The statement is not one query, does not bind, or gives two columns of one name.
        """
        with self._cursor() as cursor:
            statement = one_query(cursor, sql)
            if statement.type.name != "MULTI":
                check_names(bound(cursor, sql, statement).columns, "the query's output")

    def columns(self, sql: str) -> list[ColumnSchema]:
        """The columns that `execute` would give; no row is read.

        Raises:
            PlanError: The statement is not one query, does not bind, or gives two columns of one name.
        """
        self.bind(sql)
        with self._cursor() as cursor, _translated(is_binding=True):
            return describe_result(cursor, sql)

    def _start(self, cursor: Any, sql: str, batch_rows: int) -> DuckDBResult:
        relation = bound(cursor, sql, one_query(cursor, sql))
        check_names(relation.columns, "the query's output")
        with _translated():
            result = open_result(cursor, sql, batch_rows, relation)
        self._check_interrupted()
        return result

    def _batches(self, result: DuckDBResult) -> Generator[pa.RecordBatch, None, None]:
        while True:
            self._check_interrupted()
            with _translated():
                batch = result.next_batch()
            if batch is None:
                return
            yield batch

    def interrupt(self) -> None:
        """End whatever runs, from another thread; nothing runs in this session afterwards."""
        with self._lock:
            self._is_interrupted = True
        threading.Thread(target=self._keep_interrupting, daemon=True, name="dvt-interrupt").start()

    def _keep_interrupting(self) -> None:
        # DuckDB forgets an interrupt that comes a moment before a statement begins, so one is not enough.
        while True:
            with self._lock:
                if self._is_closed or not self._cursors:
                    return
                for cursor in self._cursors:
                    cursor.interrupt()
            time.sleep(_INTERRUPT_EVERY_S)

    def close(self) -> None:
        """End the session and delete its spill folder. Closing twice is allowed."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            cursors, self._cursors = self._cursors, set()
        for cursor in cursors:
            cursor.close()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _check_interrupted(self) -> None:
        if self._is_interrupted:
            raise InterruptedRunError("the query was interrupted", phase="compute")

    def _open_cursor(self) -> Any:
        with self._lock:
            self._check_interrupted()
            cursor = self._connection.cursor()
            self._cursors.add(cursor)
            return cursor

    def _drop_cursor(self, cursor: Any) -> None:
        with self._lock:
            self._cursors.discard(cursor)
            cursor.close()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self._open_cursor()
        try:
            yield cursor
        finally:
            self._drop_cursor(cursor)

    def _place(self, cursor: Any, handle: Handle) -> str:
        """The handle's quoted name, with its catalogue and schema made when they are missing."""
        catalog = quote(handle.catalog, "duckdb")
        # Two threads that attach one catalogue at a time would both find it missing.
        with self._lock, _translated(is_binding=True):
            cursor.execute(" ".join(["attach if not exists ':memory:' as", catalog]))
            schema = Relation(handle.schema, handle.catalog).sql("duckdb")
            cursor.execute(" ".join(["create schema if not exists", schema]))
        return Relation(handle.name, handle.schema, handle.catalog).sql("duckdb")


class _Watched:
    """A stream on its way into DuckDB, which turns the reader's exceptions into text: the exception is kept here."""

    def __init__(self, stream: RowStream, check: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._stream = stream
        self._check = check

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            for batch in self._stream.batches():
                self._check()
                yield batch
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise


@contextmanager
def _translated(is_binding: bool = False) -> Iterator[None]:
    try:
        yield
    except DvtError:
        raise
    except Exception as error:
        raise translate(error, is_binding=is_binding) from error


def _described(relation: Any) -> list[tuple[str, str]]:
    """Names and DuckDB types of a relation's columns."""
    return list(zip(relation.columns, map(str, relation.types), strict=True))
