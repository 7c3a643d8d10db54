"""Reads Athena: UNLOAD to Parquet below the staging folder, or pages of texts through the API."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from dvt.connections.athena import SPEC, QueryFailedError, connect, translate
from dvt.connections.aws import session_of
from dvt.connections.connection import Connection
from dvt.errors import DataError
from dvt.federation.extractors.athena_query import AthenaQuery, Column
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.s3_parquet import S3Folder, ScanFolders, s3_folder
from dvt.federation.extractors.sessions import CancellableExtractor
from dvt.federation.extractors.wrapped_sql import wrapped_sql
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, quote
from dvt.types.athena import AthenaType, from_file, from_page, native_type

# What stands in no FROM, and gives texts.
_UTILITY = re.compile(r"(?i)^\s*(show|describe|desc|explain)\b")
Typed = Sequence[tuple[ColumnSchema, AthenaType]]


class AthenaExtractor(CancellableExtractor):
    """Reads one catalogue of Athena. Each statement sees a state of its own."""

    spec = SPEC
    whole_because = "the service unloads a result in parts of its own"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._client: Any = None
        self._query: AthenaQuery | None = None
        self._staging: S3Folder | None = None
        self._folders = ScanFolders()

    def ping(self) -> str:
        """Run a query that reads nothing, and give the engine's version."""
        with self._guarded("connect", ""), self._folder() as folder:
            about = self._run("SELECT 1", folder).wait()
        return str(about.get("EngineVersion", {}).get("EffectiveEngineVersion", "Athena"))

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the metadata of a result without rows."""
        return [schema for schema, _ in self._described(self._qualified(request))]

    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading. How is decided before the first row, by the output and by what is read."""
        request = self._qualified(request)
        if _is_utility(request):
            return self._paged(request.query or "", None, request)
        typed = self._described(request)
        sql = wrapped_sql(request, "athena")
        if self.connection.options["fetch"] == "pages" or not typed:
            return self._paged(_select(sql, typed, lambda kind: kind.paged), typed, request)
        return self._unloaded(_select(sql, typed, lambda kind: kind.unloaded), typed, request)

    def source_sql(self, request: ExtractionConfig) -> str:
        """The statement of a scan, without the casts that its columns' types ask for."""
        return wrapped_sql(self._qualified(request), "athena")

    def close(self) -> None:
        """Stop what still runs, and close the client's connections."""
        client, self._client = self._client, None
        if client is not None:
            self._stop()
            try:
                with self._guarded("extract", ""):
                    self._folders.remove_all()
            finally:
                client.close()

    def cancel(self) -> None:
        """Stop a running query from another thread, on the server too."""
        self._is_cancelled.set()
        self._stop()

    def _stop(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        query, self._query = self._query, None
        if query is not None:
            with contextlib.suppress(BotoCoreError, ClientError):
                query.stop()

    @contextlib.contextmanager
    def _guarded(self, phase: str, label: str) -> Iterator[None]:
        """Within it, what AWS's clients, S3's reader or the service raise becomes a dvt error."""
        self.connection.require_driver()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError, QueryFailedError, OSError) as error:
            self._check()
            raise translate(error, self.connection, phase=phase, relation=label or None) from error

    @contextlib.contextmanager
    def _folder(self) -> Iterator[S3Folder]:
        """A private folder for what one small query leaves."""
        folder = self._new_folder()
        try:
            yield folder
        finally:
            folder.remove()

    def _new_folder(self) -> S3Folder:
        if self._staging is None:
            place = str(self.connection.first("s3_staging_dir"))
            self._staging = s3_folder(place, session_of(self.connection), None, self.connection.name)
        return self._staging.private()

    def _run(self, sql: str, folder: S3Folder) -> AthenaQuery:
        self._check()
        if self._client is None:
            self._client = connect(self.connection)
        query = AthenaQuery(self._client, self.connection, sql, folder.below("out").url, self._is_cancelled)
        self._query = query
        if self._is_cancelled.is_set():
            self._stop()
        return query

    def _own(self, relation: Relation) -> Relation:
        return dataclasses.replace(relation, schema=relation.schema or self.connection.first("schema"))

    def _described(self, request: ExtractionConfig) -> list[tuple[ColumnSchema, AthenaType]]:
        if _is_utility(request):
            sql, has_header = request.query or "", False
        else:
            sql, has_header = wrapped_sql(dataclasses.replace(request, limit=0, order=()), "athena"), True
        with self._guarded("describe", request.label), self._folder() as folder:
            query = self._run(sql, folder)
            query.wait()
            columns, _ = next(query.pages(has_header=has_header))
        return [_typed(column) for column in columns]

    def _paged(self, sql: str, typed: Typed | None, request: ExtractionConfig) -> RowStream:
        folder = self._new_folder()
        with self._guarded("extract", request.label):
            try:
                query = self._run(sql, folder)
                query.wait()
                pages = query.pages(has_header=typed is not None)
                columns, first = next(pages)
            except BaseException:
                folder.remove()
                raise
        if typed is None:
            typed = [_typed(dataclasses.replace(column, type="varchar")) for column in columns]

        def rows() -> Iterator[list[list[str | None]]]:
            yield first
            for _, more in pages:
                yield more

        batches = self._page_batches(rows(), typed, request)
        remove = self._folders.remover(folder, lambda: self._guarded("extract", request.label))
        return RowStream([schema for schema, _ in typed], batches, close=remove, method="result_pages")

    def _page_batches(
        self, pages: Iterator[list[list[str | None]]], typed: Typed, request: ExtractionConfig
    ) -> Iterator[pa.RecordBatch]:
        while True:
            with self._guarded("extract", request.label):
                rows = next(pages, None)
            self._check()
            if rows is None:
                return
            arrays = [_read(from_page, [row[at] for row in rows], *column) for at, column in enumerate(typed)]
            yield _batch(arrays, typed)

    def _unloaded(self, select: str, typed: Typed, request: ExtractionConfig) -> RowStream:
        folder = self._new_folder()
        rows = folder.below("rows")
        target = rows.url.replace("'", "''")
        sql = " ".join(["UNLOAD (", select, f") TO '{target}' WITH (format = 'PARQUET', compression = 'SNAPPY')"])
        with self._guarded("extract", request.label):
            try:
                about = self._run(sql, folder).wait()
                self._require_all(about, rows)
            except BaseException:
                with contextlib.suppress(Exception):
                    folder.remove()
                raise
        batches = self._file_batches(rows, typed, request)
        remove = self._folders.remover(folder, lambda: self._guarded("extract", request.label))
        return RowStream([schema for schema, _ in typed], batches, close=remove, method="unload_parquet")

    def _require_all(self, about: dict[str, Any], rows: S3Folder) -> None:
        """Whether the folder holds the files that the service says it wrote."""
        manifest = about.get("Statistics", {}).get("DataManifestLocation")
        if not manifest:
            return
        bucket, _, key = manifest.removeprefix("s3://").partition("/")
        listed = rows.client.get_object(Bucket=bucket, Key=key)["Body"].read().decode().split()
        written = {line.strip('"').removeprefix("s3://") for line in listed}
        found = set(rows.files())
        if found - written:
            raise DataError("the folder of an UNLOAD holds files of somebody else", phase="extract")
        if written - found:
            raise DataError(f"{len(written - found)} files that were unloaded are not there", phase="extract")

    def _file_batches(self, rows: S3Folder, typed: Typed, request: ExtractionConfig) -> Iterator[pa.RecordBatch]:
        written = [dataclasses.replace(schema, type=kind.written) for schema, kind in typed]
        with self._guarded("extract", request.label):
            for batch in rows.batches(written, self.batch_rows(request)):
                self._check()
                pairs = zip(batch.columns, typed, strict=True)
                yield _batch([_read(from_file, array, *column) for array, column in pairs], typed)


def _is_utility(request: ExtractionConfig) -> bool:
    asks_more = bool(request.columns or request.predicates or request.limit is not None)
    return request.query is not None and not asks_more and _UTILITY.match(request.query) is not None


def _typed(column: Column) -> tuple[ColumnSchema, AthenaType]:
    kind = native_type(column.type, column.precision, column.scale)
    return ColumnSchema(column.name, kind.type, native_type=kind.name), kind


def _select(sql: str, typed: Typed, expression: Callable[[AthenaType], str]) -> str:
    """The query with each column in the form in which it is read; names of its own, as the result's may be alike."""
    names = [quote(f"c{at}", "athena") for at in range(len(typed))]
    items = [
        " ".join([expression(kind).format(name), "AS", name]) for name, (_, kind) in zip(names, typed, strict=True)
    ]
    named = f"AS dvt_result ({', '.join(names)})"
    return " ".join(["SELECT", ", ".join(items), "FROM (\n" + sql + "\n)", named])


def _read(reader: Any, values: Any, schema: ColumnSchema, kind: AthenaType) -> pa.Array:
    try:
        array = reader(values, kind)
        return array if array.type == kind.type else array.cast(kind.type)
    except (ValueError, ArithmeticError) as error:
        raise DataError(
            f"a value of type {kind.name} is not carried as {kind.type}: {error}",
            column=schema.name,
            phase="extract",
            remedy="Cast the column at the source, in a query or a view",
        ) from error


def _batch(arrays: list[pa.Array], typed: Typed) -> pa.RecordBatch:
    schema = pa.schema([pa.field(column.name, column.type, column.nullable) for column, _ in typed])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
