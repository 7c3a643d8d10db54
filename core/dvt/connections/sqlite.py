"""SQLite: settings, sessions and errors."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.spec import ConnectionSpec
from dvt.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DataError,
    DvtError,
    InterruptedRunError,
    PrivilegeError,
    QueryError,
    RelationNotFoundError,
    ResourceError,
    UnsupportedError,
)
from dvt.identifiers import Relation


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    return (str((Path(settings["__root__"]) / str(settings["path"])).resolve()),)


# A column of a declared type holds whatever was put into it; what is not of the type stops a read. Dates are texts in
# any of several forms. SQLite reads the literals of extreme floats inexactly.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, ".*int.*"),),
        "text": (
            Comparing(
                r"text|(var|n|nvar)?char(acter)?( varying)?(\(\d+\))?|clob",
                equal=Trust.SUPERSET,
                unequal=Trust.EXACT,
                prefix=Trust.SUPERSET,
                collation="BINARY",
            ),
        ),
    },
    any_null_test=Trust.EXACT,
    reads_declared=True,
    takes_joins=True,
    aggregates=frozenset({"count"}),
)

SPEC = ConnectionSpec(
    type="sqlite",
    dialect="sqlite",
    settings=("path", "database", "schema"),
    required=("path",),
    secret_settings=(),
    place=_place,
    readers_block_writers=True,
    # SQLite has no limit; this keeps private names readable.
    max_identifier_bytes=255,
    comparing=_COMPARING,
)


def connect(connection: Connection, *, writable: bool) -> sqlite3.Connection:
    """Open the database file; sessions are in autocommit mode and begin transactions by statement.

    Args:
        connection: The connection.
        writable: A loader's session, which creates the file when it is missing. Otherwise nothing can be written.

    Raises:
        ConnectionFailedError: The file is missing, no database, or out of reach.
    """
    path = connection.path("path")
    if str(connection.settings["path"]) == ":memory:":
        raise ConfigurationError(
            "path is ':memory:', a database that would be gone with its session",
            connection=connection.name,
            remedy="Name a file",
        )
    if not writable and not path.is_file():
        raise ConnectionFailedError(
            f"there is no file {path}", connection=connection.name, phase="connect", remedy="Correct `path`"
        )
    uri = f"{path.as_uri()}?mode={'rwc' if writable else 'ro'}"
    try:
        session = sqlite3.connect(
            uri,
            uri=True,
            timeout=float(connection.options["connect_timeout_s"]),
            isolation_level=None,
            check_same_thread=False,
        )
        session.execute("pragma schema_version").fetchone()  # the file is opened by the first read only
    except sqlite3.Error as error:
        raise translate(error, connection, phase="connect") from error
    return session


def own(relation: Relation) -> Relation:
    """The relation with the parts that SQLite has: dbt's database name is not one of them."""
    return Relation(relation.name, relation.schema or "main")


def translate(
    error: sqlite3.Error,
    connection: Connection,
    *,
    relation: str | None = None,
    column: str | None = None,
    phase: str | None = None,
) -> DvtError:
    """The `DvtError` of a driver's error, by SQLite's result code where Python gives it (3.11), else by message."""
    text = str(error)
    place = {"connection": connection.name, "relation": relation, "column": column, "phase": phase}
    code = (getattr(error, "sqlite_errorname", None) or "").split("_")
    name = code[1] if len(code) > 1 else ""
    path = str(connection.path("path"))
    if name == "INTERRUPT" or text == "interrupted":
        return InterruptedRunError("the statement was interrupted", **place)
    if name in ("BUSY", "LOCKED") or "is locked" in text:
        return ConnectionFailedError(
            f"{path} is locked by another session: {text}",
            **place,
            remedy="Raise dvt.connect_timeout_s, or set the file's journal_mode to WAL",
        )
    if name in ("CANTOPEN", "NOTADB", "CORRUPT") or "unable to open" in text or "not a database" in text:
        return ConnectionFailedError(f"{path}: {text}", **place, remedy="Correct `path`, or mend the file")
    if name in ("READONLY", "PERM", "AUTH") or "readonly" in text:
        return PrivilegeError(f"{path}: {text}", **place, remedy="Make the file and its folder writable")
    if name in ("FULL", "NOMEM", "IOERR") or "disk is full" in text:
        return ResourceError(f"{path}: {text}", **place, remedy="Free disk or memory and run again")
    if name == "TOOBIG" or "string or blob too big" in text or "Python int too large" in text:
        return DataError(f"a value is larger than SQLite holds: {text}", **place)
    if undecoded := re.match(r"Could not decode to UTF-8 column '(.*?)' with text", text, re.DOTALL):
        place["column"] = column or undecoded[1]
        return DataError("a text is not valid UTF-8", **place, remedy="Declare the column BLOB, or mend the value")
    if "no such table" in text or "no such column" in text:
        return RelationNotFoundError(text, **place, remedy="Correct the name")
    if isinstance(error, sqlite3.IntegrityError):
        return DataError(f"SQLite refused a row: {text}", **place)
    if "unknown database" in text:
        return UnsupportedError(f"SQLite has no schemas besides main: {text}", **place, remedy="Set `schema: main`")
    return QueryError(text, **place)
