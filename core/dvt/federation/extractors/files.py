"""Reads Parquet and CSV files below one folder, of this machine or of an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa
from sqlglot import exp

from dvt.connections.files import SPEC, csv_options, locate, root_folder, translate
from dvt.connections.object_paths import FilePath, size_bytes, state_of
from dvt.errors import (
    DataError,
    DvtError,
    InternalError,
    InterruptedRunError,
    RelationNotFoundError,
    UnsupportedError,
    nearest,
)
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.extractors.files_csv import csv_batches, csv_columns
from dvt.federation.extractors.files_filter import conditions_of
from dvt.federation.extractors.files_parquet import (
    parquet_batches,
    parquet_columns,
    parquet_row_count,
    parquet_statistics,
)
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation


class FilesExtractor(BaseExtractor):
    """No session and no snapshot: each scan opens the files that are there."""

    spec = SPEC
    whole_because = "files are read by threads of one process"
    _is_cancelled = False

    def ping(self) -> str:
        """Look for the root folder."""
        return f"pyarrow {pa.__version__}, {root_folder(self.connection)}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns by the Parquet footers, or the CSV header and the declared types."""
        with self._errors("describe", request):
            _, _, columns = self._files(request)
            return self._wanted(columns, request)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Read file after file; only the columns asked for are decoded, and of Parquet only row groups that matter."""
        with self._errors("extract", request):
            if request.order and request.limit is not None:
                raise InternalError("files were asked for the first rows of an order")
            format_, files, columns = self._files(request)
            if request.predicates and format_ != "parquet":
                raise InternalError("text files were asked to filter")
            wanted = self._wanted(columns, request)
        batches = self._limited(self._batches(format_, files, columns, wanted, request), request.limit)
        return RowStream(wanted, batches, method="arrow_streaming")

    def source_sql(self, request: ExtractionConfig) -> str:
        """What is read, in words: there is no SQL. Scans that give other rows have other words."""
        columns = ", ".join(request.columns) if request.columns else "all columns"
        text = f"read {request.file_options.get('path') or request.relation}: {columns}"
        if request.predicates:
            text += " where " + " and ".join(_sql(predicate) for predicate in request.predicates)
        return text if request.limit is None else f"{text}, at most {request.limit} rows"

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """Rows by the footers of Parquet files, which are exact; of CSV files only the bytes are known."""
        if request.relation is None:
            return None
        with self._errors("describe", request):
            format_, files = locate(self.connection, request.relation, request.file_options)
            if format_ == "parquet":
                return parquet_statistics(files)
            return TableStatistics(bytes=sum(size_bytes(path) for path in files))

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows."""
        request = ExtractionConfig(relation=relation)
        with self._errors("extract", request):
            format_, files = locate(self.connection, relation, {})
            if format_ == "parquet":
                return parquet_row_count(files)
        with self.scan(request) as stream:
            return sum(batch.num_rows for batch in stream.batches())

    def cancel(self) -> None:
        """End a running scan at its next batch."""
        self._is_cancelled = True

    def close(self) -> None:
        """Nothing is held open between scans."""

    def _files(self, request: ExtractionConfig) -> tuple[str, list[FilePath], list[ColumnSchema]]:
        if request.relation is None:
            raise UnsupportedError(
                "files run no queries", connection=self.connection.name, remedy="Name a relation instead"
            )
        format_, files = locate(self.connection, request.relation, request.file_options)
        if format_ == "parquet":
            return format_, files, parquet_columns(files)
        options = csv_options(self.connection, request.file_options)
        return format_, files, csv_columns(files, request.declared, options)

    def _wanted(self, columns: list[ColumnSchema], request: ExtractionConfig) -> list[ColumnSchema]:
        if request.columns is None:
            return columns
        known = {column.name: column for column in columns}
        for name in request.columns:
            if name not in known:
                raise RelationNotFoundError(f"there is no such column: {nearest(name, known)}", column=name)
        return [known[name] for name in request.columns]

    def _batches(
        self,
        format_: str,
        files: list[FilePath],
        columns: list[ColumnSchema],
        wanted: list[ColumnSchema],
        request: ExtractionConfig,
    ) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in columns]
        options = csv_options(self.connection, request.file_options)
        size = self.batch_rows(request)
        with self._errors("extract", request):
            conditions = conditions_of(request.predicates, {column.name: column.type for column in columns})
        tested = frozenset().union(*(condition.columns for condition in conditions))
        kept = [column.name for column in wanted]
        read = wanted + [column for column in columns if column.name in tested and column.name not in kept]
        for path in files:
            with self._errors("extract", request):
                batches: Iterator[pa.RecordBatch]
                if format_ == "parquet":
                    batches = (batch.select(kept) for batch in parquet_batches(path, read, size, conditions))
                else:
                    batches = csv_batches(path, wanted, names, options, size)
                state = state_of(path)
                for batch in batches:
                    if self._is_cancelled:
                        raise InterruptedRunError("the scan was cancelled")
                    yield batch
                if state_of(path) != state:
                    raise DataError(f"{path} changed while it was read", remedy="Run again")

    @staticmethod
    def _limited(batches: Iterator[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
        if limit is None:
            yield from batches
            return
        left = limit
        while left > 0 and (batch := next(batches, None)) is not None:
            yield batch.slice(0, left)
            left -= batch.num_rows

    @contextlib.contextmanager
    def _errors(self, phase: str, request: ExtractionConfig) -> Iterator[None]:
        try:
            yield
        except DvtError as error:
            raise error.at(connection=self.connection.name, relation=request.label, phase=phase) from error.__cause__
        except OSError as error:
            raise translate(error, self.connection, request.label, phase) from error
        except pa.ArrowInvalid as error:  # not a Parquet file, or a broken one
            raise DataError(str(error), connection=self.connection.name, relation=request.label, phase=phase) from error
        except pa.ArrowException as error:  # what the client of an object store has no word for
            raise translate(error, self.connection, request.label, phase) from error


def _sql(predicate: exp.Expr) -> str:
    text = predicate.sql(dialect="duckdb")
    return f"({text})" if isinstance(predicate, exp.Or) else text
