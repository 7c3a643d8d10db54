"""One relation of one connection to another: the parts of `dvt run`, without a project around them."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.errors import DuplicateKeyError, DvtError, InternalError, InterruptedRunError, QueryError, located
from dvt.federation.cancel import CancelScope
from dvt.federation.copy_checks import check_before, check_target, described
from dvt.federation.copy_names import End
from dvt.federation.copy_rows import copied_rows, scan_of
from dvt.federation.extraction import ScanStats
from dvt.federation.extractors.methods import PassedOver
from dvt.federation.loaders.base import BaseLoader, LoadConfig, LoadResult, Mode
from dvt.federation.registry import loader_class, new_extractor
from dvt.federation.staging.parquet import REFUSED_FILTER
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.verifier import Verifier


@dataclass(frozen=True)
class CopyRequest:
    """What is to be copied, and how.

    Args:
        source: What is read.
        target: Where it lands.
        mode: "table" replaces the whole; the others keep what is there.
        where: A condition in the source's own SQL, sent as it stands; DuckDB's where the source is files.
        columns: The columns wanted, in this order; None for all.
        unique_key: Columns that identify a row, for "merge" and "delete+insert".
        limit: At most that many rows.
        parallel: In how many parts the source is read; the connection's own option when None.
        verify: How much of what landed is compared with what was sent, before it is put in place.
        full_refresh: Replace the table whatever the mode, and drop views that stand in the way of new columns.
        run_id: Eight hexadecimal digits that make private names unique to a run.
    """

    source: End
    target: End
    mode: Mode = "table"
    where: str = ""
    columns: tuple[str, ...] | None = None
    unique_key: tuple[str, ...] = ()
    limit: int | None = None
    parallel: int | None = None
    verify: Verify = Verify.COUNT
    full_refresh: bool = False
    run_id: str = "00000000"

    @property
    def replaces(self) -> bool:
        """Whether what is there goes."""
        return self.full_refresh or self.mode == "table"

    def load_config(self, batch_rows: int) -> LoadConfig:
        """What the loader is told."""
        return LoadConfig(
            self.target.relation,
            "table" if self.full_refresh else self.mode,
            unique_key=() if self.replaces else self.unique_key,
            run_id=self.run_id,
            streaming_batch_size=batch_rows,
            drop_dependents=self.full_refresh,
        )


@dataclass(frozen=True)
class CopyPlan:
    """What a copy would do.

    Args:
        columns: The columns that are copied, as the source describes them.
        native_types: Their types where they land, when the table is made anew.
        statement: What the source is asked for.
        read_by: The method of reading.
        passed_over: The methods before it in the chain, and why.
        remarks: What a user should know of it before a run.
        is_there: Whether the target exists.
        estimated_rows: What the source knows of the number without counting; None when it knows nothing.
    """

    columns: tuple[ColumnSchema, ...]
    native_types: tuple[str, ...]
    statement: str
    read_by: str
    passed_over: tuple[PassedOver, ...]
    remarks: tuple[str, ...]
    is_there: bool
    estimated_rows: int | None


@dataclass(frozen=True)
class CopyResult:
    """What a copy did.

    Args:
        rows: Rows, as the target counted them.
        bytes: Bytes that were sent to it.
        seconds: Wall time, from the first question to the end of the swap.
        scan: How the source was read.
        load: How the target was filled.
    """

    rows: int
    bytes: int
    seconds: float
    scan: ScanStats
    load: LoadResult


@dataclass
class Progress:
    """How far a copy is; read by another thread than the one that copies.

    Args:
        phase: "asking", "copying" or "landing".
        rows: Rows that came so far; 0 while they come undecoded, and are not counted before the end.
        bytes: Bytes that came so far.
        expected_rows: About how many rows there are; None when that is not known.
    """

    phase: str = "asking"
    rows: int = 0
    bytes: int = 0
    expected_rows: int | None = None


@dataclass
class Copying:
    """One copy. `plan` and `run` belong to one thread, `cancel` and `progress` to any.

    Args:
        request: What is to be copied.
    """

    request: CopyRequest
    progress: Progress = field(default_factory=Progress)
    _scope: CancelScope = field(default_factory=CancelScope)

    def plan(self) -> CopyPlan:
        """Check both ends and say what would be done; nothing is written and no row is read.

        Raises:
            ConfigurationError: The request says something that cannot be.
            RelationNotFoundError: The source's table or a column is not there.
            DataError: The target cannot hold a column, or has not got it.
        """
        request = self.request
        check_before(request)
        with _at(request.source, "describe"), new_extractor(self._source) as extractor:
            with self._scope.running(extractor.cancel):
                columns = described(extractor, request)
                asked = scan_of(request, self._source, columns).request()
                estimate = None if request.where else extractor.statistics(asked)
                chosen, statement = extractor.chosen(), extractor.source_sql(asked)
        with self._loader() as loader, _at(request.target, "describe"):
            is_there = check_target(loader, request, columns)
            types = loader.native_types(RowStream(list(columns), iter(())).schema)
        rows = estimate.rows if estimate is not None else None
        if rows is not None and request.limit is not None:
            rows = min(rows, request.limit)
        self.progress.expected_rows = rows
        how = (chosen.method, chosen.passed_over, chosen.remarks)
        return CopyPlan(columns, tuple(types), statement, *how, is_there, rows)

    def run(self) -> CopyResult:
        """Copy. On any failure the target is as it was, where its engine can swap."""
        started = time.monotonic()
        request, progress = self.request, self.progress
        try:
            columns = self.plan().columns
            with (
                copied_rows(request, self._source, columns, self._scope) as (stream, scans),
                self._loader() as loader,
                _at(request.target, "load"),
            ):
                progress.phase = "copying"
                loaded = self._loaded(loader, self._watched(stream))
        except DvtError as error:
            if self._scope.is_cancelled and not isinstance(error, InterruptedRunError):
                raise InterruptedRunError("the copy was interrupted") from error
            raise self._in_words_of_copy(error) from error.__cause__
        if loaded.rows != progress.rows:
            raise InternalError(f"{progress.rows} rows were read, and {loaded.rows} landed")
        return CopyResult(loaded.rows, loaded.bytes, time.monotonic() - started, scans[0], loaded)

    def _loaded(self, loader: BaseLoader, stream: RowStream) -> LoadResult:
        config = self.request.load_config(int(loader.connection.options["batch_rows"]))
        if self.request.verify is Verify.COUNT:
            return loader.load(stream, config)
        verifier = Verifier(self.request.verify, loader.connection)
        return loader.load(verifier.watched(stream), config, lambda private: verifier.check(private, config.relation))

    def cancel(self) -> None:
        """End the copy from another thread, on both servers too."""
        self._scope.cancel()

    @property
    def _source(self) -> Connection:
        """The source's connection, read in as many parts as the request says."""
        connection, parts = self.request.source.connection, self.request.parallel
        return connection if parts is None else replace(connection, options={**connection.options, "parallel": parts})

    @contextmanager
    def _loader(self) -> Iterator[BaseLoader]:
        connection = self.request.target.connection
        with _at(self.request.target, "load"), loader_class(connection.type)(connection) as loader:
            with self._scope.running(loader.cancel):
                yield loader

    def _watched(self, stream: RowStream) -> RowStream:
        """The stream, with its progress told and its end by a cancellation."""
        raw = stream.raw
        if raw is not None:
            start = raw.start
            raw = replace(raw, start=lambda types: self._watched_blocks(start(types)))
        return RowStream(stream.columns, self._watched_batches(stream), method=stream.method, raw=raw)

    def _watched_batches(self, stream: RowStream) -> Generator[pa.RecordBatch, None, None]:
        for batch in stream.batches():
            self._scope.check()
            self.progress.rows += batch.num_rows
            self.progress.bytes += batch.nbytes
            yield batch
        self.progress.phase = "landing"

    def _watched_blocks(
        self, blocks: Generator[bytes | memoryview, None, int]
    ) -> Generator[bytes | memoryview, None, int]:
        try:
            while True:
                block = next(blocks)
                self._scope.check()
                self.progress.bytes += len(block)
                yield block
        except StopIteration as end:
            self.progress.rows = int(end.value)
        finally:
            blocks.close()
        self.progress.phase = "landing"
        return self.progress.rows

    def _in_words_of_copy(self, error: DvtError) -> DvtError:
        """The error, with a place and a remedy that are of this command."""
        if error.connection == self.request.target.connection.name and error.phase in ("load", "land"):
            error.relation = str(self.request.target.relation)  # not the private one
        if isinstance(error, DuplicateKeyError):
            error.remedy = "Make the key unique at the source, or leave the doubled rows out with --where"
        elif isinstance(error, QueryError) and error.code == REFUSED_FILTER:
            error.code = type(error).default_code
            error.remedy = f"Correct --where {self.request.where!r}: it is sent to the source as it stands"
        return error


def _at(end: End, phase: str) -> AbstractContextManager[None]:
    return located(connection=end.connection.name, relation=str(end.relation), phase=phase)
