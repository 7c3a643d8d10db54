"""A loader's session with Athena: statements through its API, tables through Glue's, files on S3."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from dvt.connections.athena import connect
from dvt.connections.aws import session_of
from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError
from dvt.federation.extractors.athena_query import AthenaQuery
from dvt.federation.extractors.s3_parquet import S3Folder, s3_folder
from dvt.identifiers import Relation

# Of a table's parameters: where the files were that readers may still read, and when others took their place.
REPLACED = "dvt_replaced_files"
# A folder of dvt's own, from `s3_data_dir` on; nothing else is ever deleted.
_OWN = re.compile(r"(?:.*/)?dvt-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/?")
_CATALOGUE = "awsdatacatalog"


class AthenaSession:
    """What a loader sends.

    Args:
        connection: An athena connection.
        cancelled: Ends the waiting for a query.
    """

    def __init__(self, connection: Connection, cancelled: threading.Event) -> None:
        catalogue = str(connection.first("database", "catalog", default=_CATALOGUE))
        if catalogue.lower() != _CATALOGUE:
            raise ConfigurationError(
                f"models land in Glue's own catalogue, and the output names {catalogue!r}",
                connection=connection.name,
                remedy=f"Use an output with database: {_CATALOGUE}",
            )
        self._connection, self._cancelled = connection, cancelled
        self._client = connect(connection)
        own = session_of(connection)
        self.glue: Any = own.client("glue")
        staging = str(connection.first("s3_staging_dir"))
        self._staging = s3_folder(staging, own, None, connection.name)
        data = str(connection.first("s3_data_dir", default=staging.rstrip("/") + "/tables"))
        self._data = s3_folder(data, own, None, connection.name)
        self._query: AthenaQuery | None = None

    def rows(self, sql: str) -> list[Sequence[Any]]:
        """Run a statement, and give the rows of a small result, as texts."""
        folder = self._staging.private()
        try:
            query = AthenaQuery(self._client, self._connection, sql, folder.url, self._cancelled)
            self._query = query
            if self._cancelled.is_set():
                query.stop()
            query.wait()
            has_header = sql.lstrip().lower().startswith(("select", "with"))
            return [row for _, rows in query.pages(has_header=has_header) for row in rows]
        finally:
            self._query = None
            folder.remove()

    def stop(self) -> None:
        """Stop the query that runs; from another thread."""
        query = self._query
        if query is not None:
            query.stop()

    def close(self) -> None:
        """End the clients."""
        self._client.close()
        self.glue.close()

    def new_folder(self, relation: Relation) -> S3Folder:
        """Where the files of a table are to lie."""
        return self._data.below(relation.schema or "default").below(relation.name).private()

    def folder_at(self, location: str) -> S3Folder:
        """A table's folder."""
        url = location.rstrip("/") + "/"
        return S3Folder(url, self._data.filesystem, self._data.client, self._data.options)

    def is_own(self, location: str) -> bool:
        """Whether dvt made a folder, and may delete it."""
        below = location.removeprefix(self._data.url)
        return below != location and _OWN.fullmatch(below) is not None

    def table(self, relation: Relation) -> dict[str, Any] | None:
        """What Glue knows of a table or view, None when there is none."""
        try:
            found: dict[str, Any] = self.glue.get_table(DatabaseName=relation.schema, Name=relation.name.lower())
        except self.glue.exceptions.EntityNotFoundException:
            return None
        return dict(found["Table"])

    def drop(self, relation: Relation) -> None:
        """Take a table out of Glue, and its files away where they are dvt's own."""
        found = self.table(relation)
        if found is None:
            return
        self.glue.delete_table(DatabaseName=relation.schema, Name=relation.name.lower())
        for location in (found.get("StorageDescriptor", {}).get("Location", ""), *(at for at, _ in replaced(found))):
            if self.is_own(location):
                self.folder_at(location).remove()

    def remove_files(self, table: dict[str, Any], *, unless_of: Relation) -> None:
        """Take the files of a table away that Glue has no more, where they are dvt's own and not another's by now."""
        location, there = _location(table), self.table(unless_of)
        if self.is_own(location) and (there is None or _location(there) != location):
            self.folder_at(location).remove()

    def append_files(self, private: dict[str, Any], target: dict[str, Any], relation: Relation) -> str | None:
        """The files of a private table beside those of the target. One file is there at once or not at all; for more,
        all files are copied within S3 into a new folder, whose location is given for the swap."""
        source, there = self.folder_at(_location(private)), self.folder_at(_location(target))
        new = source.files()
        if len(new) <= 1:
            self._copied(new, there, "more")
            return None
        folder = self.new_folder(relation)
        self._copied(there.files(), folder, "old")
        self._copied(new, folder, "more")
        return folder.url

    def _copied(self, files: list[str], folder: S3Folder, word: str) -> None:
        run = f"{word}-{time.time_ns():x}"
        bucket, _, prefix = folder.path.partition("/")
        for number, path in enumerate(files):
            place, _, key = path.partition("/")
            name = f"{prefix}/{run}-{number:05d}.parquet"
            folder.client.copy({"Bucket": place, "Key": key}, bucket, name)


def replaced(table: dict[str, Any]) -> list[tuple[str, float]]:
    """The locations whose files readers may still read, and when they were replaced, in seconds of the epoch."""
    lines = table.get("Parameters", {}).get(REPLACED, "").split()
    return [(location, float(moment)) for moment, _, location in (line.partition("@") for line in lines)]


def _location(table: dict[str, Any]) -> str:
    return str(table["StorageDescriptor"]["Location"])
