"""The loader contract: stage a stream into a private relation, then put it in place with the engine's own means."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.secrets import redact
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConnectionLostError, DataError, DvtError, InterruptedRunError
from dvt.federation.extractors.methods import JDBC, Chosen, first_that_can
from dvt.federation.loaders.config import LoadConfig, LoadResult, Mode
from dvt.federation.loaders.filling import Filling, LoadMethod
from dvt.federation.loaders.jdbc_fill import JdbcTexts, jdbc_method
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.session import LoaderSession
from dvt.federation.spread import SpreadRows
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, private_name

Check = Callable[[Relation], None]
_LOG = logging.getLogger(__name__)
__all__ = ["BaseLoader", "Check", "LoadConfig", "LoadResult", "Mode"]


class BaseLoader(LoaderSession):
    """Writes to one connection. One instance is one session, used by one thread at a time.

    The order is always: `stage` (a committed private relation that nobody else reads), `landing` (statements that put
    it in place, run in one transaction where the engine can), `drop` of the private relation if it is still there.
    `load` does the three on its own session; dbt's materializations run the statements on dbt's.

    An engine gives its session (`connect`, `run`, `disconnect`, `translated`), and three parts: how a private relation
    is made (`native_type`, `create`), how it is filled (`methods`), how it is put in place (`landing`). Most are a
    `SQLLoader`, which has the statements of all but the second. Counting, comparing with what was sent, dropping what
    failed, cancelling, the place in errors, and timing are done here.
    """

    spec: ClassVar[ConnectionSpec]
    # Whether a private relation is made, filled and counted in one transaction; it is dropped after a failure if not.
    stages_in_transaction: ClassVar[bool] = False
    _spread: SpreadRows | None = None

    @classmethod
    def spec_for(cls, type_: str) -> ConnectionSpec:
        """The spec for one of the types that the plugin is registered under."""
        return cls.spec

    @classmethod
    def landed_by_executors(cls, connection: Connection) -> str:
        """What Spark's executors would do for a load, in a few words; empty where they are not asked."""
        return ""

    # What an engine gives.

    @abstractmethod
    def native_type(self, field: pa.Field) -> str | None:
        """The engine's own type for a column, None where it has none."""

    @abstractmethod
    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """Make an empty private relation."""

    @abstractmethod
    def methods(self, filling: Filling) -> Sequence[LoadMethod]:
        """The chain of methods that fill a private relation, which is made; they send nothing before they are taken."""

    @abstractmethod
    def count(self, relation: Relation) -> int:
        """The rows of a relation, as the engine counts them."""

    @abstractmethod
    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """The statements that put a staged private relation in place of, or into, the target.

        Reads the catalogue (does the target exist, what depends on it, its grants and comments) but changes nothing.

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
    def remove(self, relation: Relation) -> None:
        """Drop a private relation if it exists."""

    def qualified(self, relation: Relation) -> Relation:
        """The relation with the parts that the engine's session would fill in."""
        return relation

    def check_declared(self, type_: str, column: str) -> None:
        """Raise when a type that a contract declares is none of the engine's."""

    def is_filled_by_others(self, stream: RowStream) -> bool:
        """Whether other sessions are to fill the private relation, which have to see it: as over JDBC."""
        return bool(self.connection.options.get("load_by") == JDBC)

    def accept(self, filling: Filling) -> None:
        """Raise when the filled table holds what the engine changed on the way; for engines that do not say so."""

    def creating(self, relation: Relation, query: str) -> list[str]:
        """The statements that make a private relation of what a query of the engine's own gives."""
        return [" ".join(["create table", relation.sql(self.connection.dialect), "as\n"]) + query]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What stands within it is done whole or not at all, where the engine has transactions."""
        yield

    # What is the same everywhere.

    def cancel(self) -> None:
        """End a running load, also where Spark's executors do it."""
        super().cancel()
        if self._spread is not None:
            self._spread.stop()

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
        started = time.monotonic()
        self._spread = stream.spread
        relation = self.qualified(relation)
        with self.guarded("load", relation):
            types = self._types(stream.schema, declared or {})
            with self._whole(relation, stream), self.guarded("load", relation):
                self.create(relation, stream.schema, types)
                filling = Filling(relation, stream, types, batch_rows, self.check, declared or {})
                methods = self.chain(filling)
                chosen = first_that_can(methods, self.connection, what="loaded")
                filled = next(method for method in methods if method.name == chosen.method).fill(filling)
                given = stream.rows_read if filled.given is None else filled.given
                told = filled.taken if filled.is_count else None
                counted = self.count(relation) if told is None else told
                taken = counted if filled.taken is None else filled.taken
                if not taken == counted == given:
                    raise DataError(f"{given} rows were sent, {taken} were taken, and {counted} are there")
                self.accept(filling)
        sent_bytes = stream.bytes_read if filled.bytes is None else filled.bytes
        return LoadResult(counted, sent_bytes, chosen.method, time.monotonic() - started, chosen.passed_over)

    def chain(self, filling: Filling) -> list[LoadMethod]:
        """The engine's own methods, and JDBC behind them, where the output says how."""
        return [*self.methods(filling), *jdbc_method(self.connection, self.over_jdbc(filling))]

    def over_jdbc(self, filling: Filling) -> JdbcTexts | None:
        """What a JDBC driver is given for each column; None for an engine whose values no one has tried so."""
        return None

    def planned(self) -> Chosen:
        """The method that would be taken now, as far as that is known before there are rows; sends nothing."""
        nothing = RowStream([], iter(()))
        name = private_name("dvt_plan", "00000000", self.spec.max_identifier_bytes)
        with self.guarded("plan", None):
            relation = self.qualified(Relation(name))
            filling = Filling(relation, nothing, [], 1, self.check, {})
            return first_that_can(self.chain(filling), self.connection, what="loaded")

    def landing_sql(self, private: Relation, config: LoadConfig) -> list[str]:
        """The statements of `landing`; they are to be run in one transaction where the engine has transactional DDL."""
        return list(self.landing(private, config).statements)

    def publish(self, private: Relation, config: LoadConfig) -> None:
        """Put a staged private relation in place, on the loader's own session."""
        with self.guarded("land", config.relation):
            self.execute(self.landing_sql(private, config))

    def load(self, stream: RowStream, config: LoadConfig, check: Check = lambda private: None) -> LoadResult:
        """Stage, land and clean up in one go. A failed load leaves the old table, whole.

        Args:
            stream: Read to its end.
            config: Where it lands, and how.
            check: Is called with the staged relation before it is put in place, and raises to keep it out.
        """
        self.ensure_schema(config.relation)
        private = self.private_relation(config)
        result = self.stage(stream, private, declared=config.declared, batch_rows=config.streaming_batch_size)
        try:
            check(private)
            self.publish(private, config)
        except BaseException:
            self.drop_or_tell(private)
            raise
        self.drop_or_tell(private, "the rows are in place; ")
        return result

    def drop_or_tell(self, private: Relation, first: str = "") -> None:
        """Drop what is left of a private relation; where that fails it is a warning.

        Another error is the one to raise, or the rows are in place: who is told that an append failed sends them again.

        Args:
            private: A relation that may be there.
            first: What the warning begins with.
        """
        try:
            self.drop(private)
        except DvtError as error:
            name, why = self.connection.name, " ".join(redact(error.message).split())
            _LOG.warning("%s%s on connection %s may be left, drop it if it is: %s", first, private, name, why)

    def drop(self, relation: Relation) -> None:
        """Drop a private relation if it exists; after a cancel, or where the session is lost, on a session anew."""
        was_cancelled = self.cancelled.is_set()
        try:
            self._drop(relation)
        except InterruptedRunError:
            if was_cancelled:
                raise
            self._drop(relation)  # the cancel came in the middle of it

    def _drop(self, relation: Relation) -> None:
        relation = self.qualified(relation)
        was, is_cancelled = self.cancelled, self.cancelled.is_set()
        if is_cancelled:
            self.close()
            self.cancelled = threading.Event()
        try:
            with self.guarded("land", relation):
                try:
                    with self.guarded("land", relation):
                        self.remove(relation)
                except ConnectionLostError:
                    self.remove(relation)
        finally:
            if is_cancelled:
                self.cancelled = was

    def private_relation(self, config: LoadConfig) -> Relation:
        """The run-scoped relation in which a target's rows are staged."""
        name = private_name(config.relation.name, config.run_id, self.spec.max_identifier_bytes)
        return config.relation.sibling(name)

    def native_types(self, schema: pa.Schema) -> list[str]:
        """The engine's own column types for an Arrow schema.

        Raises:
            DataError: A type that the engine cannot hold; the column is named.
        """
        return self._types(schema, {})

    def check_create_privilege(self, schema: str | None) -> None:
        """Raise `PrivilegeError` when the login may not create tables in the schema; for `dvt debug`."""
        probe = Relation(private_name("dvt_debug", uuid.uuid4().hex[:8]), schema)
        self.stage(RowStream([ColumnSchema("x", pa.int32())], iter(())), probe)
        self.drop_or_tell(probe)

    @contextlib.contextmanager
    def _whole(self, relation: Relation, stream: RowStream) -> Iterator[None]:
        if self.stages_in_transaction and not self.is_filled_by_others(stream):
            with self.transaction():
                yield
            return
        try:
            yield
        except BaseException:
            with contextlib.suppress(DvtError):  # the first error is the one to tell
                self.drop(relation)
            raise

    def _types(self, schema: pa.Schema, declared: Mapping[str, str]) -> list[str]:
        types = []
        for field in schema:
            if given := declared.get(field.name):
                self.check_declared(given, field.name)
            found = given or self.native_type(field)
            if found is None:
                raise DataError(
                    f"{self.spec.type} has no column type for {field.type}",
                    connection=self.connection.name,
                    column=field.name,
                    phase="load",
                    remedy="Cast the column in the model, for example to JSON or text",
                )
            types.append(found)
        return types
