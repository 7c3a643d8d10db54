"""Writes Spark over Spark Connect: Arrow into a private table, which takes its target's place as the format can."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.spark import SPEC, connect, limit_s, run, translate
from dvt.errors import DataError, DvtError, TimeoutExceededError
from dvt.federation.extractors.spark import SparkExtractor
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.loaders.spark_tables import SparkTables
from dvt.identifiers import Relation
from dvt.types.landing_texts import named
from dvt.types.spark_landing import spark_shape, spark_type, spark_values

if TYPE_CHECKING:
    from pyspark.sql.connect.client import SparkConnectClient

_PIECE_BYTES = 4 << 20
_MERGING = ChangeWords(delete="merge", merge="merge")
_TABLE_FORMATS = frozenset({"delta", "iceberg"})
# Formats that keep every value. Text formats do not, and ORC moves moments before 1970 (ORC-763).
_EXACT_FORMATS = frozenset({"parquet", *_TABLE_FORMATS})
_OWN_CATALOGUE = "spark_catalog"
_WRITING = {
    # A value that a column does not hold stops the statement.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.storeAssignmentPolicy": "ANSI",
    # `${` in a name or a text is no variable.
    "spark.sql.variable.substitute": "false",
    # Days before 1582 are written as they are, and moments with all their digits.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


class SparkLoader(SparkTables):
    """Writes to one Spark Connect server, in a session of its own whose zone is UTC.

    A table of Delta Lake, or of an Iceberg catalogue, is replaced and changed by one statement. Others are files: an
    append adds to them, all else makes the table anew.
    """

    spec = SPEC

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_late = threading.Event()

    def connect(self) -> SparkConnectClient:
        """A session of the server."""
        client = connect(self.connection, self.cancelled)
        from pyspark.sql.connect.conf import RuntimeConf

        conf = RuntimeConf(client)
        try:
            for name, value in _WRITING.items():
                conf.set(name, value)
        except BaseException:
            client.close()
            raise
        return client

    def disconnect(self, session: SparkConnectClient) -> None:
        """End it, with what may still run."""
        with contextlib.suppress(Exception):  # gRPC's have no root of their own; a server that is gone runs nothing
            session.interrupt_all()
            session.release_session()
        session.close()

    def interrupt(self, session: SparkConnectClient) -> None:
        """End what runs in the session, on the server."""
        with contextlib.suppress(Exception):
            session.interrupt_all()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the client or gRPC raises, which have no root of their own."""
        import grpc
        from pyspark.errors import PySparkException

        if not isinstance(error, (grpc.RpcError, PySparkException, OSError)):
            return None
        if self._is_late.is_set():
            self._is_late.clear()
            return TimeoutExceededError(
                f"the statement ran longer than {limit_s(self.connection)} seconds",
                connection=self.connection.name,
                relation=relation,
                phase=phase,
                remedy="Raise dvt.statement_timeout_s or query_timeout, or make it quicker",
            )
        return translate(error, self.connection, phase=phase, relation=relation)

    def run(self, sql: str) -> None:
        """Run one statement, as a command: it is run once."""
        from pyspark.sql.connect.plan import SQL

        self._command(SQL(sql))

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        with self._limited() as client:
            found: pa.Table = run(client, sql)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    @contextlib.contextmanager
    def describer(self) -> Iterator[SparkExtractor]:
        """The session itself: a further one takes the server longer than a description does."""
        yield SparkExtractor.over(self.connection, self.session())

    def _command(self, plan: Any) -> None:
        with self._limited() as client:
            client.execute_command(plan.command(client))

    @contextlib.contextmanager
    def _limited(self) -> Iterator[SparkConnectClient]:
        """Within it a statement is ended when its time is over."""
        client, seconds = self.session(), limit_s(self.connection)
        timer = threading.Timer(seconds, self._end_late, [client]) if seconds else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield client
        finally:
            if timer is not None:
                timer.cancel()
        self.check()  # what was cancelled may end without a word

    def _end_late(self, client: SparkConnectClient) -> None:
        self._is_late.set()
        self.interrupt(client)

    def native_type(self, field: pa.Field) -> str | None:
        """Spark's type for a column."""
        return spark_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses also char(n), which pads."""
        found = spark_shape(type_)
        is_nested = type_.strip().lower().startswith(("array<", "map<", "struct<"))
        if (found is None and not is_nested) or (found is not None and found.is_padded):
            raise DataError(
                f"{type_} is no type of Spark's that keeps every value it is given",
                column=column,
                remedy="Declare for example string, decimal(p, s), timestamp, timestamp_ntz or binary",
            )

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE, of a format that keeps values."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        head = ["create table", relation.sql(self.dialect), "(", ", ".join(columns), ")"]
        self.run(" ".join([*head, *self._using(relation)]))

    def creating(self, relation: Relation, query: str) -> list[str]:
        """CREATE TABLE AS, of the same format."""
        relation = self.qualified(relation)
        with self.guarded("land", relation):
            head = ["create table", relation.sql(self.dialect), *self._using(relation), "as\n"]
        return [" ".join(head) + query]

    def _using(self, relation: Relation) -> list[str]:
        """The words for a table's format; none where its catalogue has one of its own."""
        name = self._format(relation)
        return ["using", name] if name else []

    def _format(self, relation: Relation) -> str:
        given = str(self.connection.options["table_format"])
        if given != "auto":
            return given
        if (relation.database or _OWN_CATALOGUE) != _OWN_CATALOGUE:
            return ""  # the catalogue's own
        default = str(self.rows("set spark.sql.sources.default")[0][1]).lower()
        return default if default in _EXACT_FORMATS else "parquet"

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Arrow within the statement, some megabytes at a time."""
        return [LoadMethod("arrow", fill=self._fill)]

    def _fill(self, filling: Filling) -> Filled:
        from pyspark.sql.connect.plan import LocalRelation, WriteOperation

        sent_bytes = 0
        for table in _pieces(filling):
            write = WriteOperation(LocalRelation(table))
            write.table_name, write.table_save_method = filling.relation.sql(self.dialect), "insert_into"
            write.mode = "append"
            self._command(write)
            sent_bytes += table.nbytes
        return Filled(bytes=sent_bytes)

    def replacing(self, private: Relation, target: Relation, kind: str | None, config: LoadConfig) -> Landing:
        """One statement for formats that have it; else the old table goes aside, and is dropped at the end."""
        if kind != "table" or not self._replaces_at_once(target):
            return super().replacing(private, target, kind, config)
        made = ["create or replace table", target.sql(self.dialect), *self._using(target)]
        return Landing(Way.STATEMENT, (" ".join([*made, "as select * from", private.sql(self.dialect)]),))

    def _replaces_at_once(self, target: Relation) -> bool:
        """Whether CREATE OR REPLACE is one step: by Iceberg's reference, not in Spark's own catalogue."""
        provider = self._provider(target)
        is_own = (target.database or _OWN_CATALOGUE) == _OWN_CATALOGUE
        return provider == "delta" or (provider == "iceberg" and not is_own)

    def _provider(self, target: Relation) -> str:
        return (self.about(target) or {}).get("provider", "").lower()

    def changing(self, private: Relation, target: Relation, config: LoadConfig) -> list[str]:
        """MERGE for formats that have it; else as all of the family."""
        if config.mode == "append" or self._provider(target) not in _TABLE_FORMATS:
            return super().changing(private, target, config)
        changes = dataclasses.replace(self.changes(private, target, config), words=_MERGING)
        self.require_unique_key(private, changes.values, config)
        return changes.statements(config.mode)


def _pieces(filling: Filling) -> Iterator[pa.Table]:
    """The rows in tables of a few megabytes: each becomes files of its own."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in filling.batches(_PIECE_BYTES):
        held.append(_sent(batch, filling))
        size += held[-1].nbytes
        if size >= _PIECE_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _sent(batch: pa.RecordBatch, filling: Filling) -> pa.RecordBatch:
    names = filling.schema.names
    arrays = [
        named(partial(spark_values, native=native), column, name, "Spark")
        for column, name, native in zip(batch.columns, names, filling.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=names)
