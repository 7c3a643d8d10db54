"""Rows as Parquet files in a folder that the server reads, an external table over them, and one INSERT of a query.

For servers that take no stream of rows. The files and the external table are gone afterwards, whatever happened.
"""

from __future__ import annotations

import re
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.shared_folder import LocalFolder
from dvt.connections.store_folder import StoreFolder
from dvt.federation.loaders.bucket_files import BucketFiles
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.identifiers import Relation, quote_all
from dvt.types.landing_texts import named

if TYPE_CHECKING:
    from dvt.federation.loaders.sql import SQLLoader as _Base
else:
    _Base = object

_PIECE_BYTES = 16 << 20
_NAME_CHARACTERS = 128
_ODD = re.compile(r"[^a-z0-9_]")


@dataclass(frozen=True)
class Carried:
    """How a column goes through a file.

    Args:
        native: The external table's type.
        type: The file's.
        values: Makes the file's values of the stream's; raises ValueError for one that has no place.
        made_by: What makes the table's value: an expression with `{}` for the external column.
    """

    native: str
    type: pa.DataType
    values: Callable[[pa.Array], pa.Array]
    made_by: str = "{}"


class ThroughFiles(_Base):
    """For `SQLLoader`s of servers that read Parquet where it lies. Columns have names of ours there (`c0`)."""

    files_method: ClassVar[str] = "external_parquet"
    # Whether INSERT has HiveQL's form, which every Hive takes: no list of columns.
    inserts_by_place: ClassVar[bool] = False

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._external: dict[Relation, Relation] = {}

    @abstractmethod
    def private_folder(self) -> StoreFolder | LocalFolder:
        """A new folder for the files of one load."""

    @abstractmethod
    def carried(self, field: pa.Field, native: str) -> Carried | None:
        """How a column goes through a file, None where it would not come out as it was."""

    @abstractmethod
    def external(self, private: Relation) -> Relation:
        """Where the external table of a private one stands."""

    @abstractmethod
    def external_sql(self, external: Relation, columns: str, url: str) -> str:
        """CREATE TABLE over the files below an address."""

    def make_external(self, external: Relation, columns: Sequence[Carried], url: str) -> None:
        """Make what is read as if it were the files."""
        listed = ", ".join(f"{_own(at)} {column.native}" for at, column in enumerate(columns))
        self.run(self.external_sql(external, listed, url))

    def external_name(self, private: Relation) -> str:
        """A name of letters, digits and underscores: Hive's metastore takes no others."""
        ending = f"_{uuid.uuid4().hex[:8]}_files"
        return _ODD.sub("_", private.name.lower())[-(_NAME_CHARACTERS - len(ending)) :] + ending

    def through_files(self, filling: Filling) -> list[LoadMethod]:
        """The method, where it is asked for: nobody is told of what they did not ask for."""
        options = self.connection.options
        if not options["load_through"] and options["load_by"] != "streaming":
            return []
        return [LoadMethod(self.files_method, lacks=lambda: self.why_no_files(filling), fill=self._fill_by_files)]

    def why_no_files(self, filling: Filling) -> str | None:
        """What is missing for it."""
        if not self.connection.options["load_through"]:
            return "dvt.load_through names no folder that the server reads"
        self.private_folder()  # raises for what is no address
        for field, native in zip(filling.schema, filling.types, strict=True):
            if self.carried(field, native) is None:
                return f"column {field.name!r} of type {native} does not go through Parquet as it is"
        return None

    def _fill_by_files(self, filling: Filling) -> Filled:
        found = (self.carried(field, native) for field, native in zip(filling.schema, filling.types, strict=True))
        columns = [column for column in found if column is not None]
        schema = pa.schema([(_own(at), column.type) for at, column in enumerate(columns)])
        with BucketFiles(self.private_folder()) as files:
            files.write(schema, self._file_batches(filling, columns, schema))
            if files.rows:
                self.insert_files(filling, columns, files.folder.url)
            return Filled(files.rows)

    def insert_files(self, filling: Filling, columns: Sequence[Carried], url: str) -> None:
        """Bring what the files below an address hold into the private table."""
        external = self.external(filling.relation)
        made = ", ".join(column.made_by.format(_own(at)) for at, column in enumerate(columns))
        self._external[filling.relation] = external
        self.make_external(external, columns, url)
        into = filling.relation.sql(self.dialect)
        names = quote_all(filling.schema.names, self.dialect)
        head = ["insert into table", into] if self.inserts_by_place else ["insert into", into, "(", names, ")"]
        self.run(" ".join([*head, "select", made, "from", external.sql(self.dialect)]))
        self._drop_external(filling.relation)

    def _file_batches(
        self, filling: Filling, columns: Sequence[Carried], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        for batch in filling.batches(_PIECE_BYTES):
            arrays = [
                named(column.values, array, name, self.spec.type)
                for column, array, name in zip(columns, batch.columns, filling.schema.names, strict=True)
            ]
            self.sent(batch)
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def sent(self, batch: pa.RecordBatch) -> None:
        """Is told of each batch; for loaders that compare more than the number of rows."""

    def _drop_external(self, private: Relation) -> None:
        external = self._external.get(private)
        if external is not None:
            self.run(" ".join(["drop table if exists", external.sql(self.dialect)]))
            del self._external[private]

    def remove(self, relation: Relation) -> None:
        """Drop a private table, and the external one from which it was filled."""
        self._drop_external(relation)
        super().remove(relation)


def _own(place: int) -> str:
    return f"c{place}"
