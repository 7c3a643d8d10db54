"""What has to be right about the two ends of a copy before the first row is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvt.errors import (
    ConfigurationError,
    DataError,
    DvtError,
    RelationNotFoundError,
    UnsupportedError,
    nearest,
    nearest_first,
)
from dvt.federation.conditions import parsed_condition
from dvt.federation.copy_names import End
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.registry import can_land
from dvt.federation.relation_names import names_beside
from dvt.federation.stream import ColumnSchema
from dvt.federation.verifying.level import Verify
from dvt.federation.verifying.verifier import words_of

if TYPE_CHECKING:
    from dvt.federation.copying import CopyRequest

_KEYED = ("merge", "delete+insert")


def check_before(request: CopyRequest) -> None:
    """What can be said without a question to either server.

    Raises:
        ConfigurationError: The request says something that cannot be.
    """
    source, target = request.source, request.target
    for end in (source, target):
        end.connection.require_driver()
    place = {"connection": target.connection.name, "relation": str(target.relation)}
    if not can_land(target.connection.type):
        raise UnsupportedError(
            f"nothing can land on type {target.connection.type}: dvt only reads it",
            **place,
            remedy="Copy to another connection",
        )
    if target.is_pattern:
        raise ConfigurationError("a pattern of files is nothing to write to", **place, remedy="Name one file or folder")
    if request.verify is not Verify.COUNT:
        words_of(request.verify, target.connection)
    if _is_same(request):
        raise ConfigurationError(
            f"source and target are the same: {source} and {target}", **place, remedy="Name another target"
        )
    if request.where:
        parsed_condition(request.where, source.connection.dialect)
    if not target.connection.spec.runs_sql and not request.replaces and request.mode != "append":
        raise UnsupportedError(f"files take no {request.mode}", **place, remedy="Use --mode replace or append")
    if request.unique_key and request.mode not in _KEYED:
        raise ConfigurationError(
            "--unique-key says nothing in this mode", remedy=f"Add --mode {' or --mode '.join(_KEYED)}, or remove it"
        )


def described(extractor: BaseExtractor, request: CopyRequest) -> tuple[ColumnSchema, ...]:
    """The columns that are copied, in their order.

    Raises:
        RelationNotFoundError: The table, or a column that was asked for, is not there; the nearest ones are named.
        ConfigurationError: The mode needs a key, and none is given or it is none of the columns.
    """
    source = request.source
    asked = ExtractionConfig(
        relation=source.relation, source_name=str(source.relation), file_options=source.file_options
    )
    try:
        found = extractor.describe(asked)
    except RelationNotFoundError as error:
        if (names := names_beside(extractor, source.relation)) is not None:
            error.remedy = _there_are(request, names)
        raise
    known = {column.name: column for column in found}
    columns = tuple(found)
    if request.columns is not None:
        columns = tuple(known[_column(name, known, "the source has no such column")] for name in request.columns)
    if len({column.name for column in columns}) < len(columns):
        raise ConfigurationError("a column is named twice in --columns", remedy="Name it once")
    _check_key(extractor, request, columns)
    return columns


def check_target(loader: BaseLoader, request: CopyRequest, columns: tuple[ColumnSchema, ...]) -> bool:
    """Whether the target is there, and can take the columns if it stays.

    Raises:
        DataError: It has not got a column.
    """
    there = loader.describe(request.target.relation)
    if there is None or request.replaces:
        return there is not None
    known = {column.name.lower() for column in there}
    missing = [column.name for column in columns if column.name.lower() not in known]
    if missing:
        left = ",".join(column.name for column in columns if column.name.lower() in known)
        raise DataError(
            f"the target has no column {', '.join(repr(name) for name in missing)}",
            column=missing[0],
            connection=request.target.connection.name,
            relation=str(request.target.relation),
            phase="describe",
            remedy=(f"Copy without it (--columns {left}), " if left else "")
            + "add it to the target, or replace the table",
        )
    return True


def _is_same(request: CopyRequest) -> bool:
    source, target = request.source, request.target
    if source.connection.place != target.connection.place:
        return False
    if source.connection.spec.runs_sql:
        return source.relation.is_same(target.relation)
    return _is_read(source, target)


def _is_read(source: End, target: End) -> bool:
    """Whether the file that is to be written is one of those that are read, or its folder."""
    from dvt.connections.files import locate, target_file

    try:
        _, files = locate(source.connection, source.relation, source.file_options)
    except DvtError:
        return False  # it is described next, and the error told
    format_, path = target_file(target.connection, target.relation)
    places = (path.parts, path.with_name(path.name.removesuffix(f".{format_}")).parts)
    return any(file.parts in places or file.parts[:-1] == places[1] for file in files)


def _check_key(extractor: BaseExtractor, request: CopyRequest, columns: tuple[ColumnSchema, ...]) -> None:
    if request.mode not in _KEYED or request.full_refresh:
        return
    if not request.unique_key:
        key = extractor.detect_primary_key(request.source.relation)
        hint = f": the source's primary key is {', '.join(key)}" if key else ""
        raise ConfigurationError(
            f"--mode {request.mode} needs the columns that identify a row{hint}",
            remedy=f"Add --unique-key {','.join(key) if key else 'and their names'}",
        )
    known = {column.name: column for column in columns}
    for name in request.unique_key:
        _column(name, known, "the key is none of the columns that are copied")


def _column(name: str, known: dict[str, ColumnSchema], what: str) -> str:
    if name not in known:
        raise RelationNotFoundError(
            f"{what}: {nearest(name, known)}", column=name, remedy="Names are as the source writes them"
        )
    return name


def _there_are(request: CopyRequest, names: list[str]) -> str:
    source = request.source
    runs_sql = source.connection.spec.runs_sql
    where = f"schema {source.relation.schema} of " if runs_sql and source.relation.schema else ""
    if not names:
        return f"There is nothing in {where}connection {source.connection.name}"
    near = nearest_first(source.relation.name, names)
    return f"In {where}connection {source.connection.name} there are, the nearest first: {near}"
