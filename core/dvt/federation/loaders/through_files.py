"""Rows as Parquet files in a folder that the server reads, an external table over them, and one INSERT of a query.

For servers that take no stream of rows. The files and the external table are gone afterwards, whatever happened.
"""

from __future__ import annotations

import re
import uuid
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from dvt.connections.shared_folder import LocalFolder
from dvt.connections.store_folder import StoreFolder
from dvt.federation.loaders.bucket_load import BucketLoad
from dvt.federation.loaders.file_columns import FileColumns, own_name
from dvt.federation.loaders.filling import Filling, LoadMethod
from dvt.identifiers import Relation, quote_all

if TYPE_CHECKING:
    from dvt.federation.loaders.sql import SQLLoader as _Base
else:
    _Base = object

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
        listed = ", ".join(f"{own_name(at)} {column.native}" for at, column in enumerate(columns))
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
        by_files = BucketLoad(
            self.files_method,
            folder=self.private_folder,
            columns=lambda: self._file_columns(filling),
            load=lambda files: self.insert_files(filling, self._carried(filling), files.folder.url),
            lacks=lambda: self.why_no_files(filling),
            counted=self.counted,
        )
        return by_files.methods(filling)

    def why_no_files(self, filling: Filling) -> str | None:
        """What is missing for it."""
        if not self.connection.options["load_through"]:
            return "dvt.load_through names no folder that the server reads"
        self.private_folder()  # raises for what is no address
        for field, native in zip(filling.schema, filling.types, strict=True):
            if self.carried(field, native) is None:
                return f"column {field.name!r} of type {native} does not go through Parquet as it is"
        return None

    def _carried(self, filling: Filling) -> list[Carried]:
        """How each column goes; it was found that all do."""
        found = (self.carried(field, native) for field, native in zip(filling.schema, filling.types, strict=True))
        return [column for column in found if column is not None]

    def _file_columns(self, filling: Filling) -> FileColumns:
        columns = self._carried(filling)
        types, values = [column.type for column in columns], [column.values for column in columns]
        return FileColumns.of(types, values, filling.schema.names, self.spec.type)

    def insert_files(self, filling: Filling, columns: Sequence[Carried], url: str) -> None:
        """Bring what the files below an address hold into the private table."""
        external = self.external(filling.relation)
        made = ", ".join(column.made_by.format(own_name(at)) for at, column in enumerate(columns))
        self._external[filling.relation] = external
        self.make_external(external, columns, url)
        into = filling.relation.sql(self.dialect)
        names = quote_all(filling.schema.names, self.dialect)
        head = ["insert into table", into] if self.inserts_by_place else ["insert into", into, "(", names, ")"]
        self.run(" ".join([*head, "select", made, "from", external.sql(self.dialect)]))
        self._drop_external(filling.relation)

    def counted(self, present: Sequence[int]) -> None:
        """Is told how many values of each column were written; for loaders that compare more than the rows."""

    def _drop_external(self, private: Relation) -> None:
        external = self._external.get(private)
        if external is not None:
            self.run(" ".join(["drop table if exists", external.sql(self.dialect)]))
            del self._external[private]

    def remove(self, relation: Relation) -> None:
        """Drop a private table, and the external one from which it was filled."""
        self._drop_external(relation)
        super().remove(relation)
