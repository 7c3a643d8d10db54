"""Reads Parquet, CSV and JSON lines below one folder, of this machine or of an object store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from dvt.connections.file_places import Located, locate
from dvt.connections.files import SPEC, CsvOptions, csv_options, root_folder, translate
from dvt.connections.object_paths import FilePath, size_bytes
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
from dvt.federation.extractors.files_jsonl import json_batches, json_columns
from dvt.federation.extractors.files_parquet import (
    parquet_batches,
    parquet_columns,
    parquet_row_count,
    parquet_statistics,
)
from dvt.federation.extractors.files_steady import described_steadily, read_steadily
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation
from dvt.types.declared import declared_arrow_type


class FilesExtractor(BaseExtractor):
    """No session and no snapshot: each scan opens the files that are there."""

    spec = SPEC
    whole_because = "files are read by threads of one process"
    _is_cancelled = False

    def ping(self) -> str:
        """Look for the root folder."""
        return f"pyarrow {pa.__version__}, {root_folder(self.connection)}"

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns by the Parquet footers, the CSV header and the declared types, or what JSON lines hold."""
        with self._errors("describe", request):
            _, columns = self._files(request)
            return self._wanted(columns, request)

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Read file after file; only the columns asked for are decoded, and of Parquet only row groups that matter."""
        with self._errors("extract", request):
            if request.order and request.limit is not None:
                raise InternalError("files were asked for the first rows of an order")
            found, columns = self._files(request)
            if request.predicates and found.format != "parquet":
                raise InternalError("text files were asked to filter")
            wanted = self._wanted(columns, request)
        batches = self._limited(self._batches(found, columns, wanted, request), request.limit)
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
            found = locate(self.connection, request.relation, request.file_options)
            if found.format == "parquet":
                return parquet_statistics(found.files)
            rows = found.manifest.rows if found.manifest else None
            return TableStatistics(rows, bytes=sum(size_bytes(path) for path in found.files))

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows."""
        request = ExtractionConfig(relation=relation)
        with self._errors("extract", request):
            found = locate(self.connection, relation, {})
            if found.format == "parquet":
                return parquet_row_count(found.files)
        with self.scan(request) as stream:
            return sum(batch.num_rows for batch in stream.batches())

    def cancel(self) -> None:
        """End a running scan at its next batch."""
        self._is_cancelled = True

    def close(self) -> None:
        """Nothing is held open between scans."""

    def _files(self, request: ExtractionConfig) -> tuple[Located, list[ColumnSchema]]:
        if request.relation is None:
            raise UnsupportedError(
                "files run no queries", connection=self.connection.name, remedy="Name a relation instead"
            )
        found = locate(self.connection, request.relation, request.file_options)
        return found, described_steadily(found.files, lambda: self._columns(found, request))

    def _columns(self, found: Located, request: ExtractionConfig) -> list[ColumnSchema]:
        if found.format == "parquet":
            return parquet_columns(found.files)
        if found.manifest is not None:
            declared = {**dict(found.manifest.columns), **request.declared}
            types = {name: declared_arrow_type(declared[name], name) for name, _ in found.manifest.columns}
            return [ColumnSchema(name, type_, True, declared[name]) for name, type_ in types.items()]
        options = csv_options(self.connection, request.file_options)
        if found.format == "jsonl":
            return json_columns(found.files, request.declared, options.block_bytes)
        return csv_columns(found.files, request.declared, options)

    def _csv_options(self, found: Located, request: ExtractionConfig) -> CsvOptions:
        """How the files are written: those of a managed folder as its manifest says."""
        options = csv_options(self.connection, request.file_options)
        if found.manifest is None:
            return options
        return replace(
            options,
            quote='"',
            encoding="utf-8",
            null_text="",
            delimiter=found.manifest.delimiter,
            header=found.manifest.header,
            may_lack_columns=True,
        )

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
        found: Located,
        columns: list[ColumnSchema],
        wanted: list[ColumnSchema],
        request: ExtractionConfig,
    ) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in columns]
        options = self._csv_options(found, request)
        size = self.batch_rows(request)
        with self._errors("extract", request):
            conditions = conditions_of(request.predicates, {column.name: column.type for column in columns})
        tested = frozenset().union(*(condition.columns for condition in conditions))
        kept = [column.name for column in wanted]
        read_columns = wanted + [column for column in columns if column.name in tested and column.name not in kept]

        def read(path: FilePath) -> Iterator[pa.RecordBatch]:
            if found.format == "parquet":
                return (batch.select(kept) for batch in parquet_batches(path, read_columns, size, conditions))
            if found.format == "jsonl":
                return json_batches(path, wanted, options.block_bytes, size)
            return csv_batches(path, wanted, names, options, size)

        for path in found.files:
            with self._errors("extract", request):
                for batch in read_steadily(path, lambda path=path: read(path)):  # type: ignore[misc]
                    if self._is_cancelled:
                        raise InterruptedRunError("the scan was cancelled")
                    yield batch

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
