"""The engine for what one machine's memory does not take: Spark, in a process of its own, over staged Parquet.

The query is DuckDB's: DuckDB binds it over empty relations and says which columns it has, of which types. Spark
computes it once, in its own words, into Parquet; what that holds is read back in the types that DuckDB gives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from dvt.connections.spark_process import SparkProcess, SparkSaidError
from dvt.errors import ConfigurationError, InterruptedRunError, UnsupportedError
from dvt.federation.engines.base import BaseEngine, EngineLimits, Handle
from dvt.federation.engines.duckdb import DuckDBEngine
from dvt.federation.engines.spark_bucket import staging_of
from dvt.federation.engines.spark_errors import translate
from dvt.federation.engines.spark_landing import SparkLanding, landing_remark
from dvt.federation.engines.spark_options import SparkOptions
from dvt.federation.engines.spark_parquet import duckdb_name, result_batch, stored_batch, stored_schema
from dvt.federation.engines.spark_sessions import given_back, require, taken
from dvt.federation.engines.spark_sql import spark_sql
from dvt.federation.stream import ColumnSchema, RowStream

# Seconds until an interrupt is told once more.
_AGAIN_S = 0.5


class SparkEngine(BaseEngine):
    """One query's Spark. Several threads may register relations; one query runs at a time.

    Spark is started with the first query, and kept for the next engine of the same options.
    """

    def __init__(self, limits: EngineLimits, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(limits, options)
        self._options = SparkOptions.of(self.options)
        require(self._options)
        self._staging = staging_of(self._options, limits.spill_folder)
        self._lock = threading.RLock()
        self._binder = DuckDBEngine(limits)
        self._columns: dict[Handle, list[ColumnSchema]] = {}
        self._files: dict[Handle, list[str]] = {}
        self._process: SparkProcess | None = None
        self._is_interrupted, self._is_checked = False, False
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._inputs, self._results = 0, 0

    @classmethod
    def check_options(cls, given: Mapping[str, Any]) -> None:
        """Refuse what `engines: {spark: ...}` may not say."""
        SparkOptions.of(given)

    @classmethod
    def check_query(
        cls, sql: str, relations: Mapping[Handle, Sequence[ColumnSchema]], columns: Callable[[], list[ColumnSchema]]
    ) -> None:
        """Refuse what has no words in Spark that mean the same."""
        spark_sql(sql, relations, {handle: handle.name for handle in relations})
        _check_given(columns())

    @classmethod
    def check_place(cls, given: Mapping[str, Any]) -> None:
        """Refuse a cluster without a folder that its executors see."""
        SparkOptions.of(given).staging_folder(Path())

    @classmethod
    def landing_remark(cls, given: Mapping[str, Any], how: str) -> str:
        """Whether Spark's own processes land the result."""
        return landing_remark(SparkOptions.of(given), how)

    def prepare(self) -> None:
        """Start Spark where it may not see what dvt writes, and find out.

        Raises:
            MissingDriverError: It does not start, or has no connector for the bucket.
            ConfigurationError: The executors do not see what dvt writes.
            ConnectionFailedError: And its family: dvt itself does not reach the bucket.
        """
        if not self._options.is_checked_first:
            return
        self._started()
        if self._options.remote:  # reading may take longer than its server waits for it
            self._give_back()

    def register(self, handle: Handle, stream: RowStream) -> int:
        """Stage a stream as Parquet; columns that Spark does not read are left out, and refused where they are named.

        Raises:
            PlanError: Two columns that DuckDB cannot tell apart, or a relation without columns.
            ResourceError: The disk is full.
            DvtError: Whatever the stream itself raised, unchanged.
        """
        schema = stored_schema(stream.columns)
        file = self._new_file()
        with self._staging.writing(file, schema) as write:
            for batch in stream.batches():
                self._check_interrupted()
                write(stored_batch(batch, schema))
        self._place(handle, stream.columns, [file])
        return stream.rows_read

    def register_parquet(self, handle: Handle, paths: list[Path]) -> None:
        """Files that were staged for several queries: as they are, where Spark reads their types, else once more."""
        schema = pq.read_schema(paths[0])
        columns = [ColumnSchema(field.name, field.type, field.nullable) for field in schema]
        if self._staging.holds(paths) and stored_schema(columns).types == schema.types:
            self._place(handle, columns, [str(path) for path in paths])
            return
        batches = (batch for path in paths for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches())
        with RowStream(columns, batches) as stream:
            self.register(handle, stream)

    def execute(self, sql: str, batch_rows: int = 50_000) -> RowStream:
        """Compute one query, once, to its end; its rows are read from the files that Spark wrote.

        Raises:
            PlanError: The statement is not one query, does not bind, or gives two columns of one name.
            UnsupportedError: Something in it has no words in Spark that mean the same.
            DataError: A value does not fit a cast, or an overflow.
            ResourceError: Memory or disk ran out.
            MissingDriverError: Spark does not start.
        """
        columns = self.bound(sql)
        views = {handle: f"dvt_{number}" for number, handle in enumerate(self._columns)}
        text = spark_sql(sql, self._columns, views)
        used = {view: self._seen(self._files[handle]) for handle, view in views.items() if view in text}
        self._results += 1
        folder = self._staging.file(f"result_{self._results}")
        given = self._ask("compute", views=used, sql=text, folder=self._staging.seen(folder))
        files = self._staging.result(folder)
        if files is None:
            raise ConfigurationError(
                "Spark's result is not where dvt looks for it: they do not share what staging names",
                phase="compute",
                remedy=self._staging.remedy,
            )
        landing = SparkLanding(self._ask_plainly, self.interrupt, self._options, self._staging)
        spread = landing.offer(files, columns, given)
        return RowStream(
            columns,
            self._batches(files, columns, batch_rows),
            close=lambda: self._staging.remove(folder),
            estimated_row_count=spread.rows,
            method="engine",
            spread=spread,
        )

    def bound(self, sql: str) -> list[ColumnSchema]:
        """The columns that DuckDB gives to a query.

        Raises:
            UnsupportedError: Spark cannot give one of them.
        """
        columns = self._binder.columns(sql)
        _check_given(columns)
        return columns

    def bind(self, sql: str) -> None:
        """Bind a query as DuckDB does."""
        self._binder.bind(sql)

    def look_up(self, sql: str) -> RowStream:
        """A small query over staged files, which DuckDB answers: a job of Spark's takes longer than most of them."""
        asked = sqlglot.parse_one(sql, dialect="duckdb")
        tables = {Handle(table.catalog, table.db, table.name) for table in asked.find_all(exp.Table)}
        columns = {column.name.lower() for column in asked.find_all(exp.Column)}
        reader = DuckDBEngine(self.limits)
        try:
            with self._lock:
                files = {handle: paths for handle, paths in self._files.items() if handle in tables}
            for handle, paths in files.items():
                self._staging.give(reader, handle, paths, columns)
            found = reader.execute(sql)
        except BaseException:
            reader.close()
            raise

        def close() -> None:
            found.close()
            reader.close()

        return RowStream(found.columns, found.batches(), close=close, method=found.method)

    def _batches(
        self, files: list[str], columns: list[ColumnSchema], batch_rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        for file in files:
            for batch in self._staging.batches(file, batch_rows):
                self._check_interrupted()
                yield result_batch(batch, columns)

    def _seen(self, files: Sequence[str]) -> list[str]:
        return [self._staging.seen(file) for file in files]

    def _new_file(self) -> str:
        with self._lock:
            self._inputs += 1
            return self._staging.file(f"input_{self._inputs}/part_0.parquet")

    def _place(self, handle: Handle, columns: list[ColumnSchema], files: list[str]) -> None:
        with self._lock:
            self._binder.register(handle, RowStream(list(columns), iter(())))
            self._columns[handle] = columns
            self._files[handle] = files

    def _ask(self, do: str, **arguments: Any) -> Any:
        try:
            return self._ask_plainly(do, **arguments)
        except SparkSaidError as error:
            raise translate(error) from error

    def _ask_plainly(self, do: str, **arguments: Any) -> Any:
        """What Spark answers; what it says of a fault is not translated."""
        return self._answer(self._started(), do, **arguments)

    def _started(self) -> SparkProcess:
        """Spark's process, which has been let read what dvt writes, if it might not see that."""
        with self._lock:
            self._check_interrupted()
            if self._process is None:
                is_checked = self._is_checked or not self._options.is_checked_first
                trial = "" if is_checked else self._staging.trial()
                process = self._process = taken(self._options, self.limits)
                if trial:
                    self._staging.check(trial, lambda seen: self._answer(process, "rows_in", paths=[seen]))
                    self._is_checked = True
            return self._process

    def _give_back(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            given_back(process, is_whole=not self._is_interrupted)

    def _answer(self, process: SparkProcess, do: str, **arguments: Any) -> Any:
        """What Spark answers, or that it was interrupted."""
        self._is_idle.clear()
        try:
            self._check_interrupted()
            return process.ask(do, **arguments)
        except SparkSaidError:
            self._check_interrupted()
            raise
        finally:
            self._is_idle.set()

    def interrupt(self) -> None:
        """End whatever runs, from another thread, on a server too; nothing runs in this engine afterwards."""
        self._is_interrupted = True
        self._binder.interrupt()
        process = self._process
        if process is None:
            return
        if self._options.is_local:  # its jobs end with the process
            process.end()
            return
        threading.Thread(target=self._interrupt_until_idle, args=(process,), daemon=True).start()

    def _interrupt_until_idle(self, process: SparkProcess) -> None:
        """A server forgets an interrupt that comes between two jobs of one request."""
        try:
            process.tell("interrupt")
            while not self._is_idle.wait(_AGAIN_S):
                process.tell("interrupt")
        except SparkSaidError:
            process.end()

    def close(self) -> None:
        """Give Spark back, and delete what was staged. Closing twice is allowed."""
        self._give_back()
        self._binder.close()
        self._staging.remove()

    def _check_interrupted(self) -> None:
        if self._is_interrupted:
            raise InterruptedRunError("the query was interrupted", phase="compute")


def _check_given(columns: Sequence[ColumnSchema]) -> None:
    for column in columns:
        if not duckdb_name(column.type):
            raise UnsupportedError(
                f"Spark gives no column of type {column.native_type or column.type}",
                column=column.name,
                phase="plan",
                remedy="Cast it in the model, or compute the model with meta.dvt_engine: duckdb",
            )
