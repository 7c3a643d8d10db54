"""Parquet, CSV and JSON lines in a folder or an object store: settings, options, and the root of all files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvt.connections import object_store_errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.object_paths import FilePath, ObjectPath
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
)
from dvt.identifiers import Relation

FORMATS = ("parquet", "csv", "jsonl")


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

LANDING_OPTIONS = (
    Option("layout", "str", "file", "how tables land: one file, or a folder of parts", choices=("file", "folder")),
    Option("partition_by", "str", "", "columns, with commas between, whose values are folders of a table that lands"),
    Option("part_bytes", "int", 256 * 1024 * 1024, "about the size of a part of a folder that lands", minimum=1024),
    Option("keep_old_s", "int", 3600, "seconds that a replaced version of a folder stays for its readers", minimum=0),
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
    from dvt.connections.file_places import locate

    return _PARQUET if locate(connection, relation, options).format == "parquet" else ComparingFacts()


def layout_of(connection: Connection, options: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The layout in which a table lands, and the columns whose values are folders.

    Args:
        connection: Where.
        options: `layout` and `partition_by` of the table, which go before the connection's.

    Raises:
        ConfigurationError: They are none.
    """
    layouts = next(option for option in LANDING_OPTIONS if option.name == "layout")
    layout = layouts.check(options["layout"], connection.name) if options.get("layout") else None
    given = options.get("partition_by") or ("" if layout == "file" else connection.options["partition_by"])
    names = given.split(",") if isinstance(given, str) else given
    columns = tuple(name for each in names if (name := str(each).strip()))
    if columns and layout == "file":
        raise ConfigurationError(
            "a table that is partitioned is no single file", connection=connection.name, remedy="Set layout: folder"
        )
    return ("folder" if columns else layout or connection.options["layout"]), columns


def _landing(connection: Connection, options: Mapping[str, Any]) -> Way:
    """A copy within Azure may end after it was answered, and the blob is empty until it does."""
    address = address_of(connection.settings)
    is_copied_late = address is not None and address.kind == "az" and layout_of(connection, options)[0] == "file"
    return Way.STEPS if is_copied_late else Way.STATEMENT


SPEC = ConnectionSpec(
    type="files",
    dialect="duckdb",
    settings=("path", "schema", "database", "format", *SETTINGS),
    required=("path",),
    secret_settings=SECRET_SETTINGS,
    options=(
        *CSV_OPTIONS,
        Option("block_bytes", "int", 8 * 1024 * 1024, "CSV and JSON lines: largest row in bytes", minimum=1024),
        *LANDING_OPTIONS,
    ),
    place=_place,
    runs_sql=False,
    landing=Way.STATEMENT,
    landing_of=_landing,
    has_snapshot=False,
    comparing_of=_comparing,
    max_identifier_bytes=200,  # a file name has 255 bytes on the usual file systems; prefix and suffix need some
)


@dataclass(frozen=True)
class CsvOptions:
    """How the CSV files of a relation are written; `may_lack_columns` is said of those of a managed folder."""

    delimiter: str
    quote: str
    header: bool
    encoding: str
    null_text: str
    block_bytes: int
    may_lack_columns: bool = False


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
