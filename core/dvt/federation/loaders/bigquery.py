"""Writes BigQuery: load jobs of Parquet, or Storage Write, into a private table; one CREATE OR REPLACE TABLE."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import io
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.bigquery import (
    SPEC,
    connect,
    job_config,
    qualified,
    table_path,
    timeout_s,
    translate,
    write_client,
)
from dvt.errors import DataError, DvtError
from dvt.federation.loaders.bigquery_jobs import MOST_URIS, file_columns, job_folder, load_config
from dvt.federation.loaders.bigquery_keeping import kept
from dvt.federation.loaders.bigquery_write import PendingStream
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing, Words
from dvt.federation.loaders.parquet_pieces import PIECE_BYTES, parquet_pieces
from dvt.federation.loaders.sql import SQLLoader
from dvt.identifiers import Relation
from dvt.types.bigquery_landing import bigquery_type, parsed
from dvt.types.bigquery_write import why_not_written, written_type

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Table

_BATCH_BYTES = 4 << 20
_FIRST_LOOK_S, _LATER_LOOKS_S = 0.05, 5.0
_DDL = re.compile(r"(?is)^(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:create|alter|drop|truncate)\b")


class BigQueryLoader(SQLLoader):
    """Writes to one BigQuery project.

    A transaction is a script of DML: its statements are gathered until it is committed, and sent as one job. DDL has no
    place in it; a table is replaced by one statement.
    """

    spec = SPEC
    # A copy is made of the same files.
    words = Words(rename="create table {target} copy {private}")
    change_words = ChangeWords(delete="exists", merge="merge")
    begins = "begin transaction"
    piece_bytes: ClassVar[int] = 2 * PIECE_BYTES  # a table takes 1,500 load jobs a day
    answer_s: ClassVar[float] = 120.0  # within which a request with rows is answered, or sent again
    _script: list[str] | None = None
    _running: Any = None

    def connect(self) -> Client:
        """A client of the REST interface."""
        return connect(self.connection)

    def disconnect(self, session: Client) -> None:
        """End it."""
        self._script = None
        session.close()

    def interrupt(self, session: Client) -> None:
        """Cancel the job that runs."""
        running = self._running
        if running is not None:
            with contextlib.suppress(*self._errors()):
                running.cancel()

    def _errors(self) -> tuple[type[Exception], ...]:
        import google.api_core.exceptions
        import google.auth.exceptions
        import requests

        own = (google.api_core.exceptions.GoogleAPIError, google.auth.exceptions.GoogleAuthError)
        return (*own, requests.RequestException, OSError, concurrent.futures.TimeoutError)

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What Google's client, the server or the socket raises."""
        is_own = isinstance(error, self._errors())
        return translate(error, self.connection, phase=phase, relation=relation) if is_own else None

    def run(self, sql: str) -> None:
        """Run one statement, or put it into the script of the open transaction."""
        if self._script is not None:
            self._script.append(sql)
        else:
            self.rows(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        client: Client = self.session()
        # No retry of the job: the client would run the statement anew, under another job's name.
        job = client.query(sql, job_config=job_config(self.connection), job_id_prefix="dvt_", job_retry=None)
        return [tuple(row.values()) for row in self._ended(job)]

    def _ended(self, job: Any) -> Any:
        """The result of a job; the client itself would look first after a second."""
        self._running = job
        limit_s = timeout_s(self.connection)
        end, wait_s = time.monotonic() + (limit_s or 0.0), _FIRST_LOOK_S
        try:
            self.check()  # it was cancelled before there was a job
            while not job.done():
                if limit_s and time.monotonic() > end:
                    job.cancel()
                    raise concurrent.futures.TimeoutError(f"a job ran for more than {limit_s:g} seconds")
                self.cancelled.wait(wait_s)
                self.check()
                wait_s = min(2 * wait_s, _LATER_LOOKS_S)
            return job.result()
        finally:
            self._running = None

    def begin(self) -> None:
        """Gather statements."""
        self._script = []

    def commit(self) -> None:
        """Send what was gathered: DML as one transaction, which BigQuery takes back where a statement of it fails."""
        script, self._script = self._script or [], None
        if len(script) > 1 and not any(_DDL.match(sql) for sql in script):
            script = [";\n".join([self.begins, *script, "commit transaction"])]
        for sql in script:
            self.run(sql)

    def roll_back(self) -> None:
        """Nothing was sent."""
        self._script = None

    def native_type(self, field: pa.Field) -> str | None:
        """BigQuery's type for a column."""
        return bigquery_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Raise when a type that a contract declares is none that dvt fills."""
        if parsed(type_) is None and not re.match(r"(?i)\s*(array|struct)\s*<", type_):
            raise DataError(
                f"dvt puts no values into a column of type {type_}",
                connection=self.connection.name,
                column=column,
                phase="load",
                remedy="Declare a number, a string, bytes, bool, a date, a time, datetime, timestamp or json",
            )

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Load jobs of Parquet; before them Storage Write, where it is asked for."""
        found = [LoadMethod("load_parquet", fill=self._load)]
        if self.connection.options["load_through"]:
            by_bucket = BucketLoad(
                "load_uris",
                folder=lambda: job_folder(self.connection),
                columns=lambda: file_columns(filling),
                load=lambda files: self._load_uris(filling, files),
            )
            found = [*by_bucket.methods(filling), *found]
        if not self._is_written:
            return found
        return [LoadMethod("storage_write_arrow", lacks=lambda: _why_not_written(filling), fill=self._write), *found]

    @property
    def _is_written(self) -> bool:
        return bool(self.connection.options["load_with"] == "storage_write")

    def _write(self, filling: Filling) -> Filled:
        """All rows in one pending stream, and one commit."""
        rows = _written(filling)
        first = next(rows, None)
        if first is None:
            return Filled(taken=0)
        client: Client = self.session()
        writer = write_client(self.connection, client._credentials)
        try:
            path, wait = table_path(filling.relation), self.cancelled.wait
            self._running = stream = PendingStream(writer, path, first.schema, self.answer_s, wait, filling.check)
            total = stream.append(itertools.chain([first], rows))
            return Filled(taken=stream.commit(), bytes=total)
        finally:
            self._running = None
            writer.transport.close()

    def _load(self, filling: Filling) -> Filled:
        client: Client = self.session()
        config, columns = load_config(self._table(filling.relation).schema), file_columns(filling)
        taken = 0
        rows = map(columns.batch, filling.batches(_BATCH_BYTES))
        for piece in parquet_pieces(rows, columns.schema, self.piece_bytes):
            filling.check()
            # The job has a name: what is sent twice is one job.
            job = client.load_table_from_file(
                io.BytesIO(piece),
                _reference(filling.relation),
                size=len(piece),
                job_id_prefix="dvt_",
                job_config=config,
                project=client.project,
            )
            taken += int(self._ended(job).output_rows)
        return Filled(taken=taken)

    def _load_uris(self, filling: Filling, files: BucketFiles) -> int:
        """One job over the files that are in a bucket."""
        client: Client = self.session()
        config = load_config(self._table(filling.relation).schema)
        urls, taken = [file.url for file in files.written], 0
        for at in range(0, len(urls), MOST_URIS):
            job = client.load_table_from_uri(
                urls[at : at + MOST_URIS],
                _reference(filling.relation),
                job_id_prefix="dvt_",
                job_config=config,
                project=client.project,
            )
            taken += int(self._ended(job).output_rows)
        return taken

    def _table(self, relation: Relation) -> Table:
        client: Client = self.session()
        return client.get_table(_reference(relation))

    def qualified(self, relation: Relation) -> Relation:
        """With project and dataset of the connection."""
        return qualified(relation, self.connection)

    def has_schema(self, name: str) -> bool:
        """Whether there is a dataset of that name."""
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery import DatasetReference

        client: Client = self.session()
        try:
            client.get_dataset(DatasetReference(str(self.qualified(Relation("x", name)).database), name))
        except NotFound:
            return False
        return True

    def kind(self, relation: Relation) -> str | None:
        """ "table" or "view" for what stands under a name, None for nothing."""
        from google.api_core.exceptions import NotFound

        try:
            type_ = self._table(self.qualified(relation)).table_type
        except NotFound:
            return None
        return "view" if "VIEW" in type_ else "table"

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """One statement, which keeps description, labels, partitions and clustering of what is there."""
        old, new = target.sql(self.dialect), private.sql(self.dialect)
        if kind != "table":
            landing = super().replacing(private, target, kind, config)
            if not self._is_written:
                return landing
            made = " ".join(self._selected("create table", old, private))
            return dataclasses.replace(landing, statements=(*landing.statements[:-1], made))
        layout, options = kept(self._table(target))
        # A copy has the private table's partitions: none, and BigQuery replaces no table by such a one. And it has not
        # what was written a moment ago: rows of Storage Write may be in a buffer, where only queries look.
        if layout or self._is_written:
            words = self._selected("create or replace table", old, private, *layout, *options)
        else:
            words = ["create or replace table", old, "copy", new, *options]
        return Landing(self.spec.landing, (" ".join(words),))

    def _selected(self, made: str, target: str, private: Relation, *more: str) -> list[str]:
        """A table of the private one's rows; a SELECT alone would give columns without the digits that are declared."""
        columns = ", ".join(self.column_sql(c.name, c.native_type) for c in self.describe(private) or [])
        return [made, target, "(", columns, ")", *more, "as select * from", private.sql(self.dialect)]


def _reference(relation: Relation) -> Any:
    from google.cloud.bigquery import DatasetReference, TableReference

    return TableReference(DatasetReference(str(relation.database), str(relation.schema)), relation.name)


def _why_not_written(filling: Filling) -> str | None:
    from google.cloud.bigquery_storage import __version__
    from google.cloud.bigquery_storage_v1.types import AppendRowsRequest

    if "arrow_rows" not in AppendRowsRequest.meta.fields:
        return f"google-cloud-bigquery-storage {__version__} sends no Arrow: install a newer one"
    return why_not_written(file_columns(filling).schema, filling.types)


def _written(filling: Filling) -> Iterator[pa.RecordBatch]:
    columns = file_columns(filling)
    types = [written_type(f.type, n) for f, n in zip(columns.schema, filling.types, strict=True)]
    schema = pa.schema(list(zip(filling.schema.names, types, strict=True)))
    for batch in map(columns.batch, filling.batches(_BATCH_BYTES)):
        if batch.num_rows:
            yield batch.cast(schema)
