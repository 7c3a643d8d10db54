"""Where a relation's files lie: a file of its name, a folder of files, a managed folder, or a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvt.connections import file_manifest
from dvt.connections.connection import Connection
from dvt.connections.file_manifest import Manifest
from dvt.connections.files import FORMATS, folder_of, inside, root_folder, root_path
from dvt.connections.object_paths import FilePath, existing
from dvt.errors import ConfigurationError, RelationNotFoundError, nearest
from dvt.identifiers import Relation

# By the ending of a file's name.
_BY_ENDING = {**{format_: format_ for format_ in FORMATS}, "ndjson": "jsonl"}


@dataclass(frozen=True)
class Located:
    """The files of a relation.

    Args:
        format: Of all of them.
        files: In the order of their names.
        manifest: What is known of them, where they are a managed folder.
    """

    format: str
    files: list[FilePath]
    manifest: Manifest | None = None


def locate(connection: Connection, relation: Relation, options: Mapping[str, Any]) -> Located:
    """Format and files of a relation, in the order of their names.

    A relation is a file of its name, a file of its name and format, or a folder of such files; `path` in the
    options is a path or a pattern below the root instead. A schema that is no folder is looked through: dbt gives every
    source one.

    Raises:
        RelationNotFoundError: There is nothing; the message names what was looked for.
    """
    root = root_path(connection)
    wanted = checked_format(options.get("format"), connection)
    if path := options.get("path"):
        is_pattern = any(mark in str(path) for mark in "*?[")
        _refuse_outside_pattern(connection, str(path), relation)
        found = _ordered(root.glob(str(path))) if is_pattern else [root / str(path)]
        return _expanded(connection, relation, existing(found), wanted, str(path))
    folder = folder_of(connection, relation)
    if folder != root and not folder.is_dir():
        folder = root
    stem = inside(connection, folder / relation.name, relation)
    candidates = existing(
        [stem, *(stem.with_name(f"{stem.name}.{ending}") for ending in ((wanted,) if wanted else FORMATS))]
    )
    if len(candidates) > 1:
        names = " and ".join(candidate.name for candidate in candidates)
        raise ConfigurationError(
            f"both {names} exist in {folder}",
            connection=connection.name,
            relation=str(relation),
            remedy="Say which is meant with `path` or `format`, or remove one",
        )
    return _expanded(connection, relation, candidates, wanted, f"{stem}(.parquet|.csv|.jsonl)")


def target_file(
    connection: Connection, relation: Relation, options: Mapping[str, Any] | None = None
) -> tuple[str, FilePath]:
    """Format and path of the file as which a relation lands."""
    named = Path(relation.name).suffix.lower().lstrip(".")
    place = folder_of(connection, relation)
    if named in _BY_ENDING:
        return _BY_ENDING[named], inside(connection, place / relation.name, relation)
    given = checked_format((options or {}).get("format"), connection)
    format_ = given or checked_format(connection.first("format"), connection) or "parquet"
    return format_, inside(connection, place / f"{relation.name}.{format_}", relation)


def format_of(path: FilePath) -> str:
    """The format that a file's name tells; its ending where that is none of them."""
    ending = path.suffix.lower().lstrip(".")
    return _BY_ENDING.get(ending, ending)


def checked_format(given: Any, connection: Connection) -> str | None:
    """A format that the project names; None where it names none."""
    if given in (None, ""):
        return None
    if given not in FORMATS:
        raise ConfigurationError(
            f"format is {given!r}: {nearest(str(given), FORMATS)}", connection=connection.name, remedy="Correct it"
        )
    return str(given)


def _refuse_outside_pattern(connection: Connection, path: str, relation: Relation) -> None:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ConfigurationError(
            f"path {path!r} leads out of the connection's folder",
            connection=connection.name,
            relation=str(relation),
            remedy="Write it relative to the connection's path",
        )


def _expanded(
    connection: Connection, relation: Relation, found: list[FilePath], wanted: str | None, looked_for: str
) -> Located:
    files: list[FilePath] = []
    manifests: list[Manifest] = []
    formats: set[str] = set()
    for path in found:
        if not path.is_dir():
            files.append(path)
            formats.add(wanted or format_of(path))
        elif manifest := file_manifest.current(path):
            files += [path / part.path for part in manifest.parts]
            formats.add(manifest.format)
            manifests.append(manifest)
        else:
            below = _folder_files(connection, relation, path, wanted)
            files += below
            formats |= {wanted or format_of(file) for file in below}
    files = [inside(connection, file, relation) for file in files]
    if not files:
        root_folder(connection)
        raise RelationNotFoundError(
            f"there is no file {looked_for}", connection=connection.name, relation=str(relation), phase="describe"
        )
    if len(formats) > 1 or not formats <= set(FORMATS):
        raise ConfigurationError(
            f"the files are of several or unknown formats: {', '.join(sorted(formats))}",
            connection=connection.name,
            relation=str(relation),
            remedy="Set `format`, or a `path` that matches one kind of file",
        )
    return Located(formats.pop(), files, manifests[0] if manifests and len(found) == 1 else None)


def _ordered(paths: Iterable[FilePath]) -> list[FilePath]:
    return sorted(paths, key=lambda path: path.parts)


def _folder_files(connection: Connection, relation: Relation, folder: FilePath, wanted: str | None) -> list[FilePath]:
    """The files of a folder and its sub-folders; hidden ones (temporary, _SUCCESS) are none of the data."""
    files = []
    for file in _ordered(folder.rglob("*")):
        parts = file.parts[len(folder.parts) :]
        if any(part.startswith((".", "_")) for part in parts) or not file.is_file():
            continue
        if any("=" in part for part in parts[:-1]):
            raise ConfigurationError(
                f"the folder {file.parent} holds values of a partition column in its name; they are not read",
                connection=connection.name,
                relation=str(relation),
                remedy="Write the column into the files",
            )
        if format_of(file) in ((wanted,) if wanted else FORMATS):
            files.append(file)
    return files
