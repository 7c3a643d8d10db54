"""Writes Parquet, CSV and JSON lines below one root, of this machine or of an object store (plans/0041)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dvt.connections import file_manifest
from dvt.connections.connection import Connection
from dvt.connections.files import SPEC, folder_of, inside, root_folder, root_path, translate
from dvt.connections.object_paths import FilePath, ObjectPath
from dvt.connections.object_stores import require_bucket
from dvt.errors import ConnectionFailedError, DataError, DvtError, RelationNotFoundError, UnsupportedError
from dvt.federation.extractors.base import ExtractionConfig
from dvt.federation.extractors.files import FilesExtractor
from dvt.federation.loaders.base import BaseLoader, Check
from dvt.federation.loaders.config import LoadConfig, LoadResult
from dvt.federation.loaders.files_folder import StagedFolder
from dvt.federation.loaders.files_single import StagedFile
from dvt.federation.loaders.files_staged import FilesTarget, Staged
from dvt.federation.loaders.filling import Filled, Filling, LoadMethod
from dvt.federation.loaders.landing import Landing
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation, private_name
from dvt.types.normal import normal_type


class FilesLoader(BaseLoader):
    """Files run no statements: `landing_sql` gives none, and `publish` does the rest in its place."""

    spec = SPEC

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._targets: dict[Relation, tuple[FilesTarget, str]] = {}
        self._staged: dict[Relation, Staged] = {}

    def load(self, stream: RowStream, config: LoadConfig, check: Check = lambda private: None) -> LoadResult:
        """Write what nobody sees, and put it in place. A failed load leaves the old rows, whole."""
        with self.guarded("load", config.relation):
            if config.mode not in ("table", "append"):
                raise UnsupportedError(f"files take no {config.mode}", remedy="Use materialized: table, or append")
        return super().load(stream, config, check)

    def private_relation(self, config: LoadConfig) -> Relation:
        """The run-scoped name under which a target's rows are staged, of the target's format."""
        with self.guarded("load", config.relation):
            target = FilesTarget.of(self.connection, config.relation, config.file_options)
            ending = target.file.suffix
            name = private_name(target.folder.name, config.run_id, self.spec.max_identifier_bytes)
            private = config.relation.sibling(str(Path(config.relation.name).with_name(f"{name}{ending}")))
        self._targets[private] = (target, config.run_id)
        return private

    def connect(self) -> None:
        """There is no session."""

    def disconnect(self, session: Any) -> None:
        """There is none."""

    def interrupt(self, session: Any) -> None:
        """Nothing runs but the writing, which looks itself whether it is still wanted."""

    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """What the system, or the store, says of a file."""
        is_known = isinstance(error, OSError) or (isinstance(error, pa.ArrowException) and self._is_far)
        return translate(error, self.connection, relation, phase) if is_known else None

    def native_type(self, field: pa.Field) -> str | None:
        """Arrow's name of the type, of those that every extractor reads."""
        return None if normal_type(field.type) is None else str(field.type)

    def create(self, relation: Relation, schema: pa.Schema, types: list[str]) -> None:
        """Decide what rows are staged as, and make the folder of a hidden file."""
        staged = self._staged[relation] = self._staging(relation)
        if isinstance(staged, StagedFile) and isinstance(path := self._hidden(relation)[1], Path):
            path.parent.mkdir(parents=True, exist_ok=True)

    def methods(self, filling: Filling) -> list[LoadMethod]:
        """The target's format."""
        return [LoadMethod(self._hidden(filling.relation)[0].format, fill=self._write)]

    def _write(self, filling: Filling) -> Filled:
        return Filled(self._staged[filling.relation].fill(filling))

    def count(self, relation: Relation) -> int:
        """The rows of what is staged, as its files tell."""
        return self._staged[relation].count()

    def publish(self, private: Relation, config: LoadConfig) -> None:
        """Put what is staged in place of, or behind, the target. Readers see the old rows or the new ones.

        Raises:
            DataError: The target is something that cannot be replaced, or has other columns.
        """
        with self.guarded("load", config.relation):
            self._staged[private].publish(config)

    def landing(self, private: Relation, config: LoadConfig) -> Landing:
        """No statements: call `publish`."""
        way = self.connection.landing(config.file_options)
        return Landing(way, (), is_atomic=way.is_atomic)

    def execute(self, statements: list[str]) -> None:
        """Nothing, for no statements.

        Raises:
            UnsupportedError: There are statements.
        """
        if statements:
            raise UnsupportedError("files run no statements", connection=self.connection.name)

    def describe(self, relation: Relation) -> list[ColumnSchema] | None:
        """The columns of the target's files, None when there are none."""
        try:
            with FilesExtractor(self.connection) as extractor:
                return extractor.describe(ExtractionConfig(relation=relation))
        except RelationNotFoundError:
            return None
        except ConnectionFailedError:
            root = root_path(self.connection)
            if not isinstance(root, ObjectPath) or root.is_dir():
                raise
            require_bucket(self.connection, replace(root.address, key=root.address.bucket))
            return None  # nothing is below the root yet

    def ensure_schema(self, relation: Relation) -> None:
        """Create the folder; in a store there has to be the bucket."""
        with self.guarded("load", relation):
            root = root_path(self.connection)
            if isinstance(root, ObjectPath):
                require_bucket(self.connection, replace(root.address, key=root.address.bucket))
                return
            root_folder(self.connection)
            folder = inside(self.connection, folder_of(self.connection, relation) / relation.name, relation).parent
            assert isinstance(folder, Path), "the root is no address"
            folder.mkdir(parents=True, exist_ok=True)

    def remove(self, relation: Relation) -> None:
        """Delete what is staged, if it is there."""
        staged = self._staged.pop(relation, None)
        if staged is not None:
            staged.remove()

    @property
    def _is_far(self) -> bool:
        return isinstance(root_path(self.connection), ObjectPath)

    def _staging(self, private: Relation) -> Staged:
        own, path = self._hidden(private)
        target, run_id = self._targets.get(private, (own, "0"))
        if target.layout == "folder":
            return StagedFolder(target, run_id)
        if file_manifest.written(target.folder):
            raise DataError(
                f"{target.folder} was landed with layout: folder",
                remedy="Say so again (meta.dvt_layout: folder), or remove the folder",
            )
        return StagedFile(target, path, run_id)

    def _hidden(self, private: Relation) -> tuple[FilesTarget, FilePath]:
        target = FilesTarget.of(self.connection, private, {"layout": "file"})
        known = self._targets.get(private)
        return known[0] if known else target, target.file.with_name(f".{target.file.name}")
