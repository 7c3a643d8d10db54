"""Writes Hive over HiveServer2: files that it reads, or INSERTs of many rows, into a private table; renames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dvt.connections.connection import Connection
from dvt.connections.hive import SPEC
from dvt.connections.shared_folder import LocalFolder, private_folder
from dvt.connections.store_folder import StoreFolder
from dvt.errors import DataError, DvtError
from dvt.federation.extractors.hive import HiveExtractor
from dvt.federation.extractors.methods import BUFFERED
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.hive_files import hive_carried
from dvt.federation.loaders.spark_tables import SparkTables
from dvt.federation.loaders.through_files import Carried, ThroughFiles
from dvt.identifiers import Relation, quote
from dvt.types.hive_landing import Literals, hive_literals, hive_literals_in_orc, hive_value, is_declarable
from dvt.types.landing_texts import named
from dvt.types.spark_landing import hive_type

_PIECE_BYTES = 1 << 20
# Each statement is a job of the server's, and each of its values a node of its plan.
_PIECE_CHARACTERS = 1_000_000
_PIECE_VALUES = 20_000


class HiveLoader(ThroughFiles, SparkTables):
    """Writes to one HiveServer2. Statements are run by what reads it too; each is committed by itself.

    Hive's casts make NULL of what they cannot read: the values that are there are counted, column by column.
    """

    spec = SPEC
    inserts_by_place = True

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._present: list[int] = []

    def connect(self) -> HiveExtractor:
        """A session of the server."""
        session = HiveExtractor(self.connection)
        session.ping()
        return session

    def disconnect(self, session: HiveExtractor) -> None:
        """End it, with what may still run."""
        session.close()

    def interrupt(self, session: HiveExtractor) -> None:
        """The thread that waits for a statement ends it on the server, within moments."""
        session.cancel()

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """The session's errors are dvt's own."""
        return None

    def run(self, sql: str) -> None:
        """Run one statement."""
        session: HiveExtractor = self.session()
        session.ran(sql, "load")

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """The rows of a small result."""
        session: HiveExtractor = self.session()
        return list(session.shown(sql))

    @contextlib.contextmanager
    def describer(self) -> Iterator[HiveExtractor]:
        """The session itself: a further one takes the server longer than a description does."""
        yield self.session()

    def native_type(self, field: pa.Field) -> str | None:
        """Hive's type for a column."""
        return hive_type(field.type)

    def check_declared(self, type_: str, column: str) -> None:
        """Refuses also the types that change values."""
        if not is_declarable(type_):
            raise DataError(
                f"{type_} is no type of Hive's that keeps every value it is given",
                column=column,
                remedy="Declare for example string, decimal(p, s), timestamp or binary",
            )

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """CREATE TABLE, of a format that keeps values."""
        columns = [self.column_sql(name, type_) for name, type_ in zip(schema.names, types, strict=True)]
        head = ["create table", relation.sql(self.dialect), "(", ", ".join(columns), ")"]
        self.run(" ".join([*head, self._stored()]))

    def creating(self, relation: Relation, query: str) -> list[str]:
        """CREATE TABLE AS, of the same format."""
        relation = self.qualified(relation)
        with self.guarded("land", relation):
            head = ["create table", relation.sql(self.dialect), self._stored(), "as\n"]
        return [" ".join(head) + query]

    def _stored(self) -> str:
        session: HiveExtractor = self.session()
        return " ".join(["using" if session.is_spark() else "stored as", self._format()])

    def _format(self) -> str:
        """Parquet behind Spark, whose ORC has lost columns with a backtick in their names; ORC in Hive, whose Parquet
        counts moments in the zone of who writes them."""
        session: HiveExtractor = self.session()
        given = str(self.connection.options["table_format"])
        return given if given != "auto" else "parquet" if session.is_spark() else "orc"

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """Parquet files that the server reads, where the output names a folder for them; else INSERTs of many rows."""
        self._present = [0] * len(filling.schema)
        return [*self.through_files(filling), LoadMethod("insert", BUFFERED, fill=self._insert)]

    def private_folder(self) -> StoreFolder | LocalFolder:
        """In a bucket, or on a disk that the server sees."""
        return private_folder(self.connection, takes_local=True)

    def carried(self, field: pa.Field, native: str) -> Carried | None:
        """Days and moments as texts, for which no reader has a calendar or a zone."""
        return hive_carried(native, is_orc=self._format() == "orc")

    def external(self, private: Relation) -> Relation:
        """Beside the private table."""
        return private.sibling(self.external_name(private))

    def external_sql(self, external: Relation, columns: str, url: str) -> str:
        """Spark behind Hive's protocol may have no Hive: its own words make an external table of a location too."""
        session: HiveExtractor = self.session()
        is_spark = session.is_spark()
        head = ["create table" if is_spark else "create external table", external.sql(self.dialect), "(", columns, ")"]
        stored = "using parquet" if is_spark else "stored as parquet"
        return " ".join([*head, stored, "location", self.literal(url)])

    def counted(self, present: Sequence[int]) -> None:
        """Keeps the numbers."""
        self._present = list(present)

    def _insert(self, filling: Filling) -> Filled:
        sent_bytes = 0
        is_orc = self._format() == "orc"
        for sql in self._statements(filling, hive_literals_in_orc if is_orc else hive_literals):
            sent_bytes += len(sql)
            self.run(sql)
        return Filled(bytes=sent_bytes)

    def _statements(self, filling: Filling, literals: Literals) -> Iterator[str]:
        names = filling.schema.names
        places = [quote(f"c{place}", self.dialect) for place in range(1, len(names) + 1)]
        values = map(hive_value, places, filling.types)
        head = ["insert into table", filling.relation.sql(self.dialect), "select", ", ".join(values), "from ( select"]
        most_rows = max(1, _PIECE_VALUES // len(names))
        for rows in _pieces(filling, self._present, most_rows, literals):
            stack = f"stack({len(rows)}, {', '.join(rows)}) as ({', '.join(places)})"
            yield " ".join([*head, stack, ") dvt_rows"])

    def accept(self, filling: Filling) -> None:
        """Raise where values became NULL."""
        counts = ", ".join(f"count({quote(name, self.dialect)})" for name in filling.schema.names)
        (found,) = self.rows(" ".join(["select", counts, "from", filling.relation.sql(self.dialect)]))
        for name, sent, there in zip(filling.schema.names, self._present, found, strict=True):
            if sent != int(there):
                raise DataError(
                    f"{sent} values were sent, and {there} of them are there: Hive made NULL of the others",
                    column=name,
                    phase="load",
                    remedy="Cast the column to text in the model",
                )


def _pieces(filling: Filling, present: list[int], most_rows: int, literals: Literals) -> Iterator[list[str]]:
    """Rows as lists of literals, as many as one statement takes; counts the values."""
    held: list[str] = []
    size = 0
    for batch in filling.batches(_PIECE_BYTES):
        for row in _rows(batch, filling, present, literals):
            if held and (size + len(row) > _PIECE_CHARACTERS or len(held) >= most_rows):
                yield held
                held, size = [], 0
            held.append(row)
            size += len(row) + 2
    if held:
        yield held


def _rows(batch: pa.RecordBatch, filling: Filling, present: list[int], literals: Literals) -> Iterator[str]:
    columns = []
    for place, (column, name) in enumerate(zip(batch.columns, filling.schema.names, strict=True)):
        native = filling.types[place]
        columns.append(named(partial(literals, native=native), column, name, "Hive"))
        present[place] += len(column) - column.null_count
    listed = pc.binary_join_element_wise(*columns, ", ") if len(columns) > 1 else columns[0]
    yield from listed.to_pylist()
