"""What a load has written and nobody sees yet: as one file, or as parts of a managed folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.file_places import target_file
from dvt.connections.files import CsvOptions, csv_options, layout_of
from dvt.connections.object_paths import FilePath
from dvt.errors import ConfigurationError, DataError
from dvt.federation.loaders.config import LoadConfig
from dvt.federation.loaders.filling import Filling
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation


@dataclass(frozen=True)
class FilesTarget:
    """Where a relation lands.

    Args:
        connection: On which.
        format: "parquet", "csv" or "jsonl".
        file: The file, where it is one.
        folder: The folder, where it is parts.
        layout: "file" or "folder".
        partition_by: Columns whose values are folders.
    """

    connection: Connection
    format: str
    file: FilePath
    folder: FilePath
    layout: str = "file"
    partition_by: tuple[str, ...] = ()

    @classmethod
    def of(cls, connection: Connection, relation: Relation, options: Any) -> FilesTarget:
        """The target by the project's options; a name that ends as a file's is one file, if nothing else is said."""
        format_, file = target_file(connection, relation, options)
        is_file = file.name == relation.name.rpartition("/")[2]
        said = {"layout": "file"} if is_file and not (options.get("layout") or options.get("partition_by")) else {}
        layout, columns = layout_of(connection, {**options, **said})
        return cls(connection, format_, file, file.with_name(file.name.removesuffix(file.suffix)), layout, columns)

    def csv_options(self) -> CsvOptions:
        """How CSV is written.

        Raises:
            ConfigurationError: The connection reads it in a way in which none is written.
        """
        options = csv_options(self.connection, {})
        is_writable = options.quote == '"' and not options.null_text and options.encoding.lower() in ("utf-8", "utf8")
        if self.format == "csv" and not is_writable:
            raise ConfigurationError(
                "CSV is written in UTF-8, with double quotes, and NULL as an empty field",
                remedy="Use a connection with the default quote, encoding and null_text for landing",
            )
        return replace(options, header=True) if self.layout == "folder" else options


class Staged(ABC):
    """Rows of one load, under names that no reader looks at."""

    @abstractmethod
    def fill(self, filling: Filling) -> int:
        """Write the rows, and give their number."""

    @abstractmethod
    def count(self) -> int:
        """The rows, as the files tell."""

    @abstractmethod
    def publish(self, config: LoadConfig) -> None:
        """Put them in place of, or behind, what is there."""

    @abstractmethod
    def remove(self) -> None:
        """Delete them, unless they are in place."""


def check_columns(there: Sequence[ColumnSchema], new: Sequence[ColumnSchema]) -> None:
    """Whether rows can come behind others.

    Raises:
        DataError: The others have not got a column, or in another type.
    """
    known = {column.name: column for column in there}
    for column in new:
        if column.name not in known:
            raise DataError("the target has no such column", column=column.name, remedy="Rebuild it as a table")
        is_nothing = "null" in (known[column.name].native_type, column.native_type)
        if known[column.name].type != column.type and not is_nothing:
            raise DataError(
                f"the target holds {known[column.name].type}, the new rows {column.type}",
                column=column.name,
                remedy="Cast it in the model",
            )
