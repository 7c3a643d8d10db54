"""The extractor contract: five members of a plugin, and what the base gives on top of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from dvt.connections.connection import Connection
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConfigurationError
from dvt.federation.extractors.degree import degree
from dvt.federation.extractors.methods import STREAMING, Chosen, Method, PassedOver, first_that_can
from dvt.identifiers import Relation

if TYPE_CHECKING:
    from dvt.federation.hashing.words import HashWords
    from dvt.federation.stream import ColumnSchema, RowStream


@dataclass(frozen=True)
class Ordering:
    """One column of an order.

    Args:
        column: The column's name.
        is_descending: From the largest to the smallest.
        nulls_first: Whether NULLs come before all values.
    """

    column: str
    is_descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True)
class Split:
    """A wish to read a relation in parts.

    Args:
        column: The key whose ranges are the parts; empty for the source's own way, or its primary key.
        parts: How many; the connection's `parallel` when None.
    """

    column: str = ""
    parts: int | None = None

    def __post_init__(self) -> None:
        if self.parts is not None and self.parts < 1:
            raise ConfigurationError("a relation is read in one part, or more", remedy="Give a number above zero")


@dataclass(frozen=True)
class ExtractionConfig:
    """One scan request: a relation, or a query in the source's own SQL.

    Args:
        relation: The relation to read; None when `query` is given.
        query: A query in the source's dialect; None when `relation` is given.
        columns: Names of the columns wanted, in this order; None for all.
        predicates: sqlglot conditions over the relation's columns, as the planner pushes them.
        limit: At most that many rows.
        order: With a limit, which rows: the first by these columns. Rows come in any order.
        batch_size: Rows in one record batch; None for the connection's `batch_rows`.
        source_name: What messages call this source, for example "crm.customers".
        declared: Data types that the project declares for columns (a CSV file has no others).
        file_options: The source's own options where the connection holds files.
        key_columns: For hashes: the columns that tell the relation's rows apart.
        split: In which parts the rows may be read, where the source can; what comes is the same.
    """

    relation: Relation | None = None
    query: str | None = None
    columns: tuple[str, ...] | None = None
    predicates: tuple[Any, ...] = ()
    limit: int | None = None
    order: tuple[Ordering, ...] = ()
    batch_size: int | None = None
    source_name: str = ""
    declared: Mapping[str, str] = field(default_factory=dict)
    file_options: Mapping[str, Any] = field(default_factory=dict)
    key_columns: tuple[str, ...] = ()
    split: Split | None = None

    def __post_init__(self) -> None:
        if (self.relation is None) == (self.query is None):
            raise ConfigurationError("a scan request names either a relation or a query")

    @property
    def label(self) -> str:
        """What messages call the thing that is read."""
        return self.source_name or (str(self.relation) if self.relation else "query")


@dataclass(frozen=True)
class ExtractionResult:
    """What an extraction to Parquet did.

    Args:
        path: The Parquet file.
        rows: Rows written.
        bytes: Arrow bytes that came from the source.
        seconds: Wall time.
        method: "copy_streaming", "cursor_streaming", "arrow_streaming", "buffered" or "jdbc".
        passed_over: The methods that come before it in the chain, and why they were not taken.
    """

    path: Path
    rows: int
    bytes: int
    seconds: float
    method: str
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class TableStatistics:
    """What a source already knows of a relation's size, as old as its last ANALYZE.

    Args:
        rows: Estimated number; None when the source does not say.
        bytes: Size of the data as the source stores it, without indexes; None when the source does not say.
    """

    rows: int | None = None
    bytes: int | None = None


class BaseExtractor(ABC):
    """Reads one connection. One instance is one session, used by one thread at a time.

    All scans of an instance see one snapshot, where the engine has one: it begins with the first scan and ends with
    `close`. A scan's stream is read to its end, or closed, before the next scan begins.
    """

    spec: ClassVar[ConnectionSpec]
    # What keys are in `extract_hashes`: "AS_IS", "TEXT" or "STRIPPED".
    hash_keys: ClassVar[str] = "AS_IS"
    # Why a relation is never read in parts; empty where it can be.
    whole_because: ClassVar[str] = "this source is read by one session"
    # The kinds of methods that the engine's own client has: what `dvt.read_by` may ask for.
    kinds: ClassVar[frozenset[str]] = frozenset({STREAMING})

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec for one of the types that the plugin is registered under."""
        return cls.spec

    @abstractmethod
    def ping(self) -> str:
        """Connect, log in, and give the server's version.

        Raises:
            ConnectionFailedError: And its family: network, TLS, credentials.
        """

    @abstractmethod
    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        """The columns that `scan` would give, from the catalogue or the cursor, never from data.

        Raises:
            RelationNotFoundError: The relation or a column does not exist.
        """

    @abstractmethod
    def scan(self, request: ExtractionConfig) -> RowStream:
        """Start reading. Memory stays within a few batches, whatever the size of the source."""

    @abstractmethod
    def close(self) -> None:
        """End the session; closing twice is allowed."""

    def cancel(self) -> None:
        """End a running scan from another thread, on the server too."""
        self.close()

    def methods(self) -> Sequence[Method]:
        """The chain of methods, in the order in which they are tried."""
        return (Method(STREAMING),)

    def chosen(self) -> Chosen:
        """The method by which scans will be read; the server may be asked what it allows, but for no data.

        Raises:
            UnsupportedError: There is none.
        """
        return first_that_can(self.methods(), self.connection)

    def source_sql(self, request: ExtractionConfig) -> str:
        """The SQL that `scan` sends for a request, for `dvt plan`; no data is read, no server needed.

        Where the sent text depends on the catalogue (a cast per type), this gives it without those casts.
        """
        from dvt.federation.extractors.scan_sql import scan_sql

        return scan_sql(request, self.connection.dialect)

    def askable(self, request: ExtractionConfig) -> ExtractionConfig:
        """The request in words that the engine takes as they are meant, for statements that are made of it elsewhere.

        Raises:
            UnsupportedError: The engine cannot be asked so.
        """
        return request

    def landed_name(self, name: str) -> str:
        """The name by which the catalogue has a column that the loader of the same connection made."""
        return name

    def statistics(self, request: ExtractionConfig) -> TableStatistics | None:
        """What the source knows of a relation's size without counting; None when it knows nothing.

        An optional power: catalogues and file footers are asked, never the rows. Columns, predicates and limit of the
        request do not matter.
        """
        return None

    def detect_primary_key(self, relation: Relation) -> tuple[str, ...]:
        """The columns of a relation's primary key, in the key's order; none where none is known to be enforced.

        An optional power: it takes an engine that refuses a second row of one key, and NULL in it.
        """
        return ()

    def parts_wanted(self, request: ExtractionConfig) -> int:
        """In how many parts a request may be read at most: its own wish, else the connection's option `parallel`."""
        wished = request.split.parts if request.split is not None else None
        return wished or degree(self.connection.options.get("parallel", 1))

    def batch_rows(self, request: ExtractionConfig) -> int:
        """Rows in one batch of this request."""
        return int(request.batch_size or self.connection.options["batch_rows"])

    def extract_stream(self, query: str, **options: Any) -> RowStream:
        """Stream a query in the source's own SQL; options are those of `ExtractionConfig`."""
        return self.scan(ExtractionConfig(query=query, **options))

    def extract(self, config: ExtractionConfig, output_path: Path) -> ExtractionResult:
        """Stream a request into one Parquet file, written beside its place and renamed when complete."""
        import pyarrow.parquet as pq

        from dvt.federation.parquet_encodings import encodings
        from dvt.federation.staging.parquet import disk_errors

        started = time.monotonic()
        partial = output_path.with_name(output_path.name + ".part")
        with self.scan(config) as stream:
            try:
                batches = iter(stream.batches())
                first = next(batches, None)
                with (
                    disk_errors(partial),
                    pq.ParquetWriter(partial, stream.schema, compression="zstd", **encodings(first)) as writer,
                ):
                    for batch in chain([] if first is None else [first], batches):
                        writer.write_batch(batch)
                partial.replace(output_path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            seconds = time.monotonic() - started
            return ExtractionResult(
                output_path, stream.rows_read, stream.bytes_read, seconds, stream.method, stream.how.passed_over
            )

    def hash_stream(self, request: ExtractionConfig) -> RowStream:
        """A key and a hash for each row, in columns `dvt_key` and `dvt_hash`, computed by the source where it can.

        The hash is of the request's columns in their order, or of all; equal rows have equal hashes on all engines
        (floats aside), different ones different hashes. The key is the text of the only key column, or of all.
        """
        from dvt.federation.hashing.rows import hash_stream

        return hash_stream(self, request, self.hash_words())

    def hash_words(self) -> HashWords | None:
        """How the source says hashes; None where it cannot, and the rows are hashed here."""
        from dvt.federation.hashing.words import HASH_WORDS

        return HASH_WORDS.get(self.connection.type)

    def extract_hashes(self, config: ExtractionConfig) -> dict[str | None, str]:
        """The hash of each row by its key; all keys are held in memory.

        Raises:
            ConfigurationError: The request names no `key_columns`.
            DataError: Two rows have one key.
        """
        from dvt.federation.hashing.rows import KeyForm, hashes_by_key

        form = KeyForm[self.hash_keys]
        with self.hash_stream(config) as stream:
            return hashes_by_key(stream, form, config.label, self.batch_rows(config))

    def get_columns(self, relation: Relation) -> list[ColumnSchema]:
        """The columns of a relation."""
        return self.describe(ExtractionConfig(relation=relation))

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows, counted by the source."""
        from dvt.federation.extractors.scan_sql import count_sql

        with self.extract_stream(count_sql(relation, self.connection.dialect)) as stream:
            batch = stream.read_batch(1)
            assert batch is not None, "count(*) gives one row"
            return int(batch.column(0)[0].as_py())

    def __enter__(self) -> BaseExtractor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
