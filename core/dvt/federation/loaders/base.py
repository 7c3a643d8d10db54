"""The loader contract: stage a stream into a private relation, then put it in place with the engine's own means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Literal

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.spec import ConnectionSpec
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, private_name

Mode = Literal["table", "append", "merge", "delete+insert"]


@dataclass(frozen=True)
class LoadConfig:
    """Where and how a stream lands.

    Args:
        relation: The target relation.
        mode: "table" replaces the whole; the others keep what is there.
        unique_key: Columns that identify a row, for "merge" and "delete+insert".
        run_id: Eight hexadecimal digits that make private names unique to a run.
        streaming_batch_size: Rows sent at a time.
        declared: Native types that a contract declares, by column name.
        drop_dependents: Whether views that stand in the way of a new shape may be dropped (only with --full-refresh).
        keep_indexes: Whether a replaced table's indexes are made on the new one; False when the caller makes them.
        keep_constraints: The same for keys, checks and NOT NULL; False when a contract's DDL has made them.
    """

    relation: Relation
    mode: Mode = "table"
    unique_key: tuple[str, ...] = ()
    run_id: str = "00000000"
    streaming_batch_size: int = 10_000
    declared: Mapping[str, str] = field(default_factory=dict)
    drop_dependents: bool = False
    keep_indexes: bool = True
    keep_constraints: bool = True


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Args:
        rows: Rows, as the database counted them.
        bytes: Arrow bytes sent.
        method: For example "copy_binary", "load_data", "insert", "arrow", "parquet".
        seconds: Wall time.
    """

    rows: int
    bytes: int
    method: str
    seconds: float


class BaseLoader(ABC):
    """Writes to one connection. One instance is one session, used by one thread at a time.

    The order is always: `stage` (a committed private relation that nobody else reads), `landing_sql` (statements
    that put it in place, run in one transaction where the engine can), `drop` of the private relation if it is still
    there. `load` does the three on its own session; dbt's materializations run the statements on dbt's.
    """

    spec: ClassVar[ConnectionSpec]

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec for one of the types that the plugin is registered under."""
        return cls.spec

    @abstractmethod
    def stage(
        self,
        stream: RowStream,
        relation: Relation,
        *,
        declared: Mapping[str, str] | None = None,
        batch_rows: int = 10_000,
    ) -> LoadResult:
        """Create a private relation with the stream's columns, bulk load it, commit, and count it.

        On any failure the private relation is gone and nothing else was touched.

        Args:
            stream: Read to its end.
            relation: Must not exist.
            declared: Native types for columns, instead of the mapping table's.
            batch_rows: Rows sent at a time.

        Raises:
            DataError: A value does not fit the column's type; the column is named.
        """

    @abstractmethod
    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """The statements that put a staged private relation in place of, or into, the target.

        They are to be run in one transaction, in this order, where the engine has transactional DDL. Reads the
        catalogue (does the target exist, what depends on it, its grants and comments) but changes nothing.

        Raises:
            DataError: The target's columns or dependents do not allow it; the message says what to do.
        """

    @abstractmethod
    def execute(self, statements: list[str]) -> None:
        """Run statements on the loader's session, in one transaction where the engine can."""

    @abstractmethod
    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of a relation, None when it does not exist."""

    @abstractmethod
    def ensure_schema(self, relation: Relation) -> None:
        """Create the relation's schema (for files the folder) when it is missing."""

    @abstractmethod
    def drop(self, relation: Relation) -> None:
        """Drop a private relation if it exists."""

    @abstractmethod
    def close(self) -> None:
        """End the session; closing twice is allowed."""

    @abstractmethod
    def native_types(self, schema: pa.Schema) -> list[str]:
        """The engine's own column types for an Arrow schema.

        Raises:
            DataError: A type that the engine cannot hold; the column is named.
        """

    def cancel(self) -> None:
        """End a running load from another thread, on the server too."""
        self.close()

    def check_create_privilege(self, schema: str | None) -> None:
        """Raise `PrivilegeError` when the login may not create tables in the schema; for `dvt debug`."""
        probe = Relation(private_name("dvt_debug", "0debug00"), schema)
        columns = [ColumnSchema("x", pa.int32())]
        try:
            self.stage(RowStream(columns, iter(())), probe)
        finally:
            self.drop(probe)

    def private_relation(self, config: LoadConfig) -> Relation:
        """The run-scoped relation in which a target's rows are staged."""
        name = private_name(config.relation.name, config.run_id, self.spec.max_identifier_bytes)
        return config.relation.sibling(name)

    def publish(self, private: Relation, config: LoadConfig) -> None:
        """Put a staged private relation in place, on the loader's own session."""
        self.execute(self.landing_sql(private, config))

    def load(self, stream: RowStream, config: LoadConfig) -> LoadResult:
        """Stage, land and clean up in one go. A failed load leaves the old table, whole."""
        self.ensure_schema(config.relation)
        private = self.private_relation(config)
        result = self.stage(stream, private, declared=config.declared, batch_rows=config.streaming_batch_size)
        try:
            self.publish(private, config)
        finally:
            self.drop(private)
        return result

    def __enter__(self) -> BaseLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
