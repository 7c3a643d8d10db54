"""Parquet and CSV files in a folder or an object store: settings, options, and where a relation's files lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvt.connections import object_store_errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.object_paths import FilePath, ObjectPath, existing
from dvt.connections.object_stores import (
    SECRET_SETTINGS,
    SETTINGS,
    address_of,
    check_settings,
    endpoint_of_settings,
    require_bucket,
)
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DvtError,
    PrivilegeError,
    RelationNotFoundError,
    ResourceError,
    nearest,
)
from dvt.identifiers import Relation

FORMATS = ("parquet", "csv")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    if address := address_of(settings):
        account = settings.get("account_name") or address.account
        return ("files", address.kind, endpoint_of_settings(settings, address.kind), account, address.key)
    return ("files", str((Path(settings["__root__"]) / str(settings["path"])).resolve()))


CSV_OPTIONS = (
    Option("delimiter", "str", ",", "CSV: one character between fields"),
    Option("quote", "str", '"', "CSV: the character around quoted fields; doubled inside"),
    Option("header", "bool", True, "CSV: whether the first row names the columns"),
    Option("encoding", "str", "utf-8", "CSV: encoding of the files read, for example latin1"),
    Option("null_text", "str", "", "CSV: the unquoted text that is NULL"),
)

# Of Parquet files. Values are compared as they are carried, by Arrow: texts by their bytes, as the engine does. No
# floating-point numbers: NaN is the largest of them for the engine, and compares with nothing for Arrow.
_EXACT = Comparing(equal=Trust.EXACT, unequal=Trust.EXACT, order=Trust.EXACT)
_PARQUET = ComparingFacts(
    {
        **dict.fromkeys(("integer", "decimal", "date", "timestamp", "instant"), (_EXACT,)),
        "text": (Comparing(equal=Trust.EXACT, unequal=Trust.EXACT, prefix=Trust.EXACT),),
        "boolean": (Comparing(equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
    takes_order=False,
)


def _comparing(connection: Connection, relation: Relation, options: Mapping[str, Any]) -> ComparingFacts:
    """Text files are read as they are: a value that is not of its declared type is to be found, not left out."""
    return _PARQUET if locate(connection, relation, options)[0] == "parquet" else ComparingFacts()


SPEC = ConnectionSpec(
    type="files",
    dialect="duckdb",
    settings=("path", "schema", "database", "format", *SETTINGS),
    required=("path",),
    secret_settings=SECRET_SETTINGS,
    options=(*CSV_OPTIONS, Option("block_bytes", "int", 8 * 1024 * 1024, "CSV: largest row in bytes", minimum=1024)),
    place=_place,
    runs_sql=False,
    landing=Way.STATEMENT,
    has_snapshot=False,
    comparing_of=_comparing,
    max_identifier_bytes=200,  # a file name has 255 bytes on the usual file systems; prefix and suffix need some
)


@dataclass(frozen=True)
class CsvOptions:
    """How the CSV files of a relation are written."""

    delimiter: str
    quote: str
    header: bool
    encoding: str
    null_text: str
    block_bytes: int


def csv_options(connection: Connection, given: Mapping[str, Any]) -> CsvOptions:
    """The connection's CSV options, with those that the project gives for one table on top."""
    values = {option.name: connection.options[option.name] for option in CSV_OPTIONS}
    for option in CSV_OPTIONS:
        if option.name in given:
            values[option.name] = option.check(given[option.name], connection.name)
    for name in ("delimiter", "quote"):
        if len(values[name]) != 1:
            raise ConfigurationError(
                f"option {name} is {values[name]!r}", connection=connection.name, remedy="It takes one character"
            )
    return CsvOptions(**values, block_bytes=connection.options["block_bytes"])


def root_path(connection: Connection) -> FilePath:
    """The folder, or the address in an object store, below which all files lie."""
    address = check_settings(connection)
    return ObjectPath(connection, address, address.key) if address else connection.path("path")


def root_folder(connection: Connection) -> FilePath:
    """The root, which must exist.

    Raises:
        ConnectionFailedError: It does not; or the object store refuses, or does not answer.
    """
    root = root_path(connection)
    if isinstance(root, ObjectPath):
        require_bucket(connection, root.address)
    elif not root.is_dir():
        raise ConnectionFailedError(
            f"there is no folder {root}", connection=connection.name, phase="connect", remedy="Correct `path`"
        )
    return root


def folder_of(connection: Connection, relation: Relation) -> FilePath:
    """The folder of a relation: the sub-folder named by its schema, or by the connection's."""
    schema = relation.schema or connection.first("schema")
    root = root_path(connection)
    return inside(connection, root / schema, relation) if schema else root


def inside(connection: Connection, path: FilePath, relation: Relation | str) -> FilePath:
    """The path with symbolic links resolved, which must not lead out of the root.

    Raises:
        ConfigurationError: It does.
    """
    root = root_path(connection)
    resolved = path.resolve() if "\0" not in str(path) else root.parent
    if resolved.parts[: len(root.parts)] != root.parts:
        raise ConfigurationError(
            f"{path} lies outside of {root}",
            connection=connection.name,
            relation=str(relation),
            remedy="Keep the files below the connection's path",
        )
    return resolved


def locate(connection: Connection, relation: Relation, options: Mapping[str, Any]) -> tuple[str, list[FilePath]]:
    """Format and files of a relation, in the order of their names.

    A relation is a file of its name, a file of its name and format, or a folder of such files; `path` in the
    options is a path or a pattern below the root instead. A schema that is no folder is looked through: dbt gives every
    source one.

    Raises:
        RelationNotFoundError: There is nothing; the message names what was looked for.
    """
    root = root_path(connection)
    wanted = _format(options.get("format"), connection)
    if path := options.get("path"):
        is_pattern = any(mark in str(path) for mark in "*?[")
        _refuse_outside_pattern(connection, str(path), relation)
        found = _ordered(root.glob(str(path))) if is_pattern else [root / str(path)]
        return _expanded(connection, relation, existing(found), wanted, str(path))
    folder = folder_of(connection, relation)
    if folder != root and not folder.is_dir():
        folder = root
    stem = inside(connection, folder / relation.name, relation)
    formats = (wanted,) if wanted else FORMATS
    candidates = existing([stem, *(stem.with_name(f"{stem.name}.{format_}") for format_ in formats)])
    if len(candidates) > 1:
        names = " and ".join(candidate.name for candidate in candidates)
        raise ConfigurationError(
            f"both {names} exist in {folder}",
            connection=connection.name,
            relation=str(relation),
            remedy="Say which is meant with `path` or `format`, or remove one",
        )
    return _expanded(connection, relation, candidates, wanted, f"{stem}(.parquet|.csv)")


def target_file(connection: Connection, relation: Relation) -> tuple[str, FilePath]:
    """Format and path of the file as which a relation lands."""
    suffix = Path(relation.name).suffix.lower().lstrip(".")
    format_ = suffix if suffix in FORMATS else _format(connection.first("format"), connection) or "parquet"
    name = relation.name if suffix in FORMATS else f"{relation.name}.{format_}"
    return format_, inside(connection, folder_of(connection, relation) / name, relation)


def translate(error: Exception, connection: Connection, relation: str | None, phase: str) -> DvtError:
    """The `DvtError` of an error of the file system, or of an object store."""
    if address_of(connection.settings):
        return object_store_errors.translate(error, connection, relation, phase)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    if isinstance(error, FileNotFoundError):
        return RelationNotFoundError(f"there is no file {error.filename}", **place)
    if isinstance(error, PermissionError):
        return PrivilegeError(f"no permission for {error.filename}", **place, remedy="Change the file's permissions")
    return ResourceError(str(error), **place, remedy="Look at the disk")


def _format(given: Any, connection: Connection) -> str | None:
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
) -> tuple[str, list[FilePath]]:
    files: list[FilePath] = []
    for path in found:
        files += _folder_files(connection, relation, path, wanted) if path.is_dir() else [path]
    files = [inside(connection, file, relation) for file in files]
    formats = {wanted or file.suffix.lower().lstrip(".") for file in files}
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
    return formats.pop(), files


def _ordered(paths: Iterable[FilePath]) -> list[FilePath]:
    return sorted(paths, key=lambda path: path.parts)


def _folder_files(connection: Connection, relation: Relation, folder: FilePath, wanted: str | None) -> list[FilePath]:
    """The files of a folder and its sub-folders; hidden ones (temporary, _SUCCESS) are none of the data."""
    formats = (wanted,) if wanted else FORMATS
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
        if file.suffix.lower().lstrip(".") in formats:
            files.append(file)
    return files
