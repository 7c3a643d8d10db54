"""Writes Parquet and CSV files below one folder; a file is put in place by rename."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dvt.connections.connection import Connection
from dvt.connections.files import (
    SPEC,
    CsvOptions,
    csv_options,
    folder_of,
    inside,
    root_folder,
    root_path,
    target_file,
    translate,
)
from dvt.connections.object_paths import FilePath, ObjectPath
from dvt.errors import ConfigurationError, DataError, DvtError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.extractors.files_csv import csv_batches, csv_columns
from dvt.federation.extractors.files_parquet import parquet_batches, parquet_columns
from dvt.federation.loaders.base import BaseLoader, Check
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.files_write import write_file
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, private_name
from dvt.types.normal import normal_type

_READ_ROWS = 50_000


class FilesLoader(BaseLoader):
    """Files run no statements: `landing_sql` gives none, and `publish` does the renaming in its place."""

    spec = SPEC
    _written = 0

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        if isinstance(root_path(connection), ObjectPath):
            raise UnsupportedError(
                "models cannot land in an object store yet",
                connection=connection.name,
                remedy="Land them in a local folder or a database",
            )

    def load(self, stream: RowStream, config: LoadConfig, check: Check = lambda private: None) -> LoadResult:
        """Write a hidden file and rename it into place. A failed load leaves the old file, whole."""
        with self.guarded("load", config.relation):
            if config.mode not in ("table", "append"):
                raise UnsupportedError(f"files take no {config.mode}", remedy="Use materialized: table, or append")
        return super().load(stream, config, check)

    def private_relation(self, config: LoadConfig) -> Relation:
        """The run-scoped name under which a target's file is staged, of the target's format."""
        with self.guarded("load", config.relation):
            format_, path = self._target(config.relation)
        stem = path.name.removesuffix(f".{format_}")
        name = private_name(stem, config.run_id, self.spec.max_identifier_bytes)
        return config.relation.sibling(str(Path(config.relation.name).with_name(f"{name}.{format_}")))

    def connect(self) -> None:
        """There is no session."""

    def disconnect(self, session: Any) -> None:
        """There is none."""

    def interrupt(self, session: Any) -> None:
        """Nothing runs but the writing, which looks itself whether it is still wanted."""

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the system says of a file."""
        return translate(error, self.connection, relation, phase) if isinstance(error, OSError) else None

    def native_type(self, field: pa.Field) -> str | None:
        """Arrow's name of the type, of those that every extractor reads."""
        return None if normal_type(field.type) is None else str(field.type)

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """The folder of a hidden file beside the target's place."""
        _, path = self._hidden(relation)
        path.parent.mkdir(parents=True, exist_ok=True)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The target's format."""
        return [LoadMethod(self._hidden(filling.relation)[0], fill=self._write)]

    def _write(self, filling: Filling) -> Filled:
        format_, path = self._hidden(filling.relation)
        with RowStream(filling.stream.columns, filling.batches()) as stream:
            write_file(path, stream, format_, self._options(format_), filling.declared, filling.batch_rows)
            self._written = stream.rows_read
        return Filled(self._written)

    def count(self, relation: Relation) -> int:
        """The rows of a staged file, by its footer; CSV has none."""
        format_, path = self._hidden(relation)
        return pq.read_metadata(path).num_rows if format_ == "parquet" else self._written

    def publish(self, private: Relation, config: LoadConfig) -> None:
        """Put a staged file in place of, or behind, the target. Readers see the old file or the new one.

        Raises:
            DataError: The target is something that a file cannot replace, or has other columns.
        """
        with self.guarded("load", config.relation):
            format_, staged = self._hidden(private)
            _, target = self._target(config.relation)
            folder = target.with_name(target.name.removesuffix(f".{format_}"))
            if config.mode == "append" and folder.is_dir():
                self._check_columns(format_, staged, self._folder_columns(format_, folder))
                target = folder / f"part-{config.run_id}-{time.time_ns()}.{format_}"
            else:
                self._check_place(target, folder, format_)
                if config.mode == "append" and target.exists():
                    self._rewrite(format_, staged, target)
            staged.chmod(0o644)
            staged.replace(target)
            _sync_folder(target.parent)

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """A rename and no statements: call `publish`."""
        return Landing(self.spec.landing, ())

    def execute(self, statements: list[str]) -> None:
        """Nothing, for no statements.

        Raises:
            UnsupportedError: There are statements.
        """
        if statements:
            raise UnsupportedError("files run no statements", connection=self.connection.name)

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of the target's file, None when there is none."""
        try:
            with FilesExtractor(self.connection) as extractor:
                return extractor.describe(ExtractionConfig(relation=relation))
        except RelationNotFoundError:
            return None

    def ensure_schema(self, relation: Relation) -> None:
        """Create the folder."""
        with self.guarded("load", relation):
            root_folder(self.connection)
            folder = inside(self.connection, folder_of(self.connection, relation) / relation.name, relation).parent
            _here(folder).mkdir(parents=True, exist_ok=True)

    def remove(self, relation: Relation) -> None:
        """Delete a staged file if it exists."""
        self._hidden(relation)[1].unlink(missing_ok=True)

    def _target(self, relation: Relation) -> tuple[str, Path]:
        format_, path = target_file(self.connection, relation)
        return format_, _here(path)

    def _hidden(self, private: Relation) -> tuple[str, Path]:
        format_, path = self._target(private)
        return format_, path.with_name(f".{path.name}")

    def _options(self, format_: str) -> CsvOptions:
        options = csv_options(self.connection, {})
        is_writable = options.quote == '"' and not options.null_text and options.encoding.lower() in ("utf-8", "utf8")
        if format_ == "csv" and not is_writable:
            raise ConfigurationError(
                "CSV is written in UTF-8, with double quotes, and NULL as an empty field",
                remedy="Use a connection with the default quote, encoding and null_text for landing",
            )
        return options

    def _check_place(self, target: Path, folder: Path, format_: str) -> None:
        other = target.with_name(f"{folder.name}.{'csv' if format_ == 'parquet' else 'parquet'}")
        for blocker in (folder, other):
            if blocker.exists() and blocker != target:
                raise DataError(f"{blocker} stands beside the target {target.name}", remedy="Remove it, then run again")

    def _columns(self, format_: str, files: list[Path]) -> list[ColumnSchema]:
        if format_ == "parquet":
            return parquet_columns(files)
        options = self._options(format_)
        if not options.header:
            raise UnsupportedError("rows are appended to CSV by the header's names", remedy="Set dvt.header: true")
        return csv_columns(files, {}, options)

    def _folder_columns(self, format_: str, folder: Path) -> list[ColumnSchema] | None:
        files = sorted(folder.glob(f"*.{format_}"))
        return self._columns(format_, files) if files else None

    def _check_columns(self, format_: str, staged: Path, there: list[ColumnSchema] | None) -> None:
        if there is None:
            return
        known = {column.name: column for column in there}
        for column in self._columns(format_, [staged]):
            if column.name not in known:
                raise DataError("the target has no such column", column=column.name, remedy="Rebuild it as a table")
            if known[column.name].type != column.type:
                raise DataError(
                    f"the target holds {known[column.name].type}, the new rows {column.type}",
                    column=column.name,
                    remedy="Cast it in the model",
                )

    def _rewrite(self, format_: str, staged: Path, target: Path) -> None:
        """Make the staged file the target's rows followed by its own."""
        there = self._columns(format_, [target])
        self._check_columns(format_, staged, there)
        new_names = {column.name for column in self._columns(format_, [staged])}
        both = staged.with_name(staged.name + ".both")
        parts = [self._batches(format_, target, there), self._padded(format_, staged, there, new_names)]
        with RowStream(there, itertools.chain.from_iterable(parts)) as stream:
            write_file(both, stream, format_, self._options(format_), {}, _READ_ROWS)
        both.replace(staged)

    def _padded(
        self, format_: str, staged: Path, there: list[ColumnSchema], new_names: set[str]
    ) -> Iterator[pa.RecordBatch]:
        """The staged rows with the target's columns; those that the new rows have not are NULL."""
        schema = pa.schema([pa.field(column.name, column.type) for column in there])
        for batch in self._batches(format_, staged, [column for column in there if column.name in new_names]):
            arrays = [batch.column(f.name) if f.name in new_names else pa.nulls(batch.num_rows, f.type) for f in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _batches(self, format_: str, path: Path, columns: list[ColumnSchema]) -> Iterator[pa.RecordBatch]:
        if format_ == "parquet":
            return parquet_batches(path, columns, _READ_ROWS)
        return csv_batches(path, columns, [], self._options(format_), _READ_ROWS)


def _here(path: FilePath) -> Path:
    assert isinstance(path, Path), "an object store is refused at the start"
    return path


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the system can open folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
