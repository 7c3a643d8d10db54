"""DuckDB files: settings, sessions and errors.

Sessions are opened exactly as dbt-duckdb opens them (read_only=False and the same `config_options`): DuckDB shares one
database instance among all sessions of a process on a file, and refuses a second one with another configuration.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.duckdb_retries import connecting_again
from dvt.connections.retrying import attempts
from dvt.connections.secrets import register
from dvt.connections.spec import ConnectionSpec
from dvt.errors import (
    ConnectionFailedError,
    DataError,
    DvtError,
    InterruptedRunError,
    PrivilegeError,
    QueryError,
    RelationNotFoundError,
    ResourceError,
)
from dvt.identifiers import Relation, quote
from dvt.types.duckdb import CAST_ERROR, SESSION_SETTINGS

if TYPE_CHECKING:
    import duckdb

MEMORY = ":memory:"
# md:, ducklake:, s3://: not files of this machine; a single letter is a Windows drive.
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")


def is_file(path: str) -> bool:
    """Whether a `path` setting is a file of this machine."""
    return not path.startswith(MEMORY) and not _SCHEME.match(path)


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    path = str(settings.get("path") or MEMORY)
    if path.startswith(MEMORY):  # each session in memory is a database of its own
        return (MEMORY, settings.get("__name__"))
    return (str((Path(settings["__root__"]) / path).resolve()) if is_file(path) else path,)


# The compute engine's own kind, but a text column may have a collation, which the catalogue does not tell.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT),),
        "decimal": (Comparing.all(Trust.EXACT),),
        "double": (Comparing.all(Trust.EXACT, "double"),),
        "text": (Comparing("varchar", equal=Trust.SUPERSET),),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "timestamp": (Comparing.all(Trust.EXACT, "timestamp"),),
        "instant": (Comparing.all(Trust.EXACT, "timestamp with time zone"),),
        "boolean": (Comparing(native="boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
        "uuid": (Comparing(native="uuid", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
    takes_joins=True,
    aggregates=frozenset({"count", "sum", "min", "max"}),
)

SPEC = ConnectionSpec(
    type="duckdb",
    dialect="duckdb",
    settings=(
        *("path", "database", "schema", "config_options", "extensions", "settings", "secrets", "attach"),
        *("filesystems", "external_root", "use_credential_provider", "is_ducklake", "plugins", "remote"),
        *("disable_transactions", "keep_open", "retries", "module_paths", "flights", "motherduck_token"),
    ),
    secret_settings=("motherduck_token",),
    place=_place,
    # DuckDB has no limit; this keeps private names readable.
    max_identifier_bytes=255,
    comparing=_COMPARING,
)


def connect(
    connection: Connection, *, writable: bool, cancelled: threading.Event | None = None
) -> duckdb.DuckDBPyConnection:
    """A session on the connection's database, with its extensions, attached databases and settings.

    Args:
        connection: The connection.
        writable: A loader's session, which creates the file when it is missing.
        cancelled: Ends the waiting for another attempt.

    Raises:
        ConnectionFailedError: The file is missing, no database, or owned by another process.
    """
    import duckdb

    path = str(connection.first("path", default=MEMORY))
    if is_file(path):
        file = connection.path("path")
        if not writable and not file.is_file():
            raise ConnectionFailedError(
                f"there is no file {file}", connection=connection.name, phase="connect", remedy="Correct `path`"
            )
        path = str(file)
    for secret in connection.first("secrets", default=[]):
        for value in secret.values():
            register(str(value))

    def attempt() -> duckdb.DuckDBPyConnection:
        session = None
        try:
            session = duckdb.connect(path, read_only=False, config=dict(connection.first("config_options", default={})))
            _prepare(session, connection)
        except duckdb.Error as error:
            if session is not None:
                session.close()
            raise translate(error, connection, phase="connect") from error
        return session

    return attempts(attempt, connecting_again(connection), connection, cancelled=cancelled)


def _prepare(session: duckdb.DuckDBPyConnection, connection: Connection) -> None:
    for extension in connection.first("extensions", default=[]):
        session.load_extension(extension["name"] if isinstance(extension, Mapping) else str(extension))
    for attachment in connection.first("attach", default=[]):
        session.execute(_attach_sql(attachment, connection.root))
    settings = dict(connection.first("settings", default={}))
    if token := connection.secret("motherduck_token"):
        settings["motherduck_token"] = token
    for name, value in settings.items():
        session.execute(" ".join(["set", quote(str(name), "duckdb"), "=", literal(str(value))]))
    for statement in SESSION_SETTINGS:
        session.execute(statement)


def _attach_sql(attachment: Mapping[str, Any], root: Path) -> str:
    """ATTACH for one entry of `attach:`, with the keys of dbt-duckdb."""
    path = str(attachment["path"])
    options = [f"TYPE {quote(str(attachment['type']), 'duckdb')}"] if attachment.get("type") else []
    if attachment.get("secret"):
        options.append(f"SECRET {quote(str(attachment['secret']), 'duckdb')}")
    if attachment.get("read_only"):
        options.append("READ_ONLY")
    for name, value in (attachment.get("options") or {}).items():
        if value is not None and value is not False:
            options.append(quote(str(name), "duckdb") + ("" if value is True else " " + literal(str(value))))
    if is_file(path) and not attachment.get("type"):
        path = str((root / path).resolve())
    parts = ["attach if not exists", literal(path)]
    if attachment.get("alias"):
        parts += ["as", quote(str(attachment["alias"]), "duckdb")]
    return " ".join([*parts, f"({', '.join(options)})"] if options else parts)


def literal(text: str) -> str:
    """A text as a DuckDB literal."""
    return "'" + text.replace("'", "''") + "'"


def is_shared(connection: Connection) -> bool:
    """Whether other sessions see what one writes: not so for an unnamed database in memory."""
    return str(connection.first("path", default=MEMORY)) != MEMORY


def translate(
    error: BaseException,
    connection: Connection | None,
    *,
    relation: Relation | str | None = None,
    phase: str | None = None,
) -> DvtError:
    """The `DvtError` of a DuckDB error, by the name with which its message begins.

    Errors in the middle of a stream come through Arrow as an OSError with the same message.

    Args:
        error: What the driver raised.
        connection: None for the embedded compute engine.
        relation: What was read or written.
        phase: What was being done.
    """
    text = str(error)
    kind = text.partition(" Error:")[0]
    place: dict[str, Any] = {
        "connection": connection.name if connection else None,
        "relation": str(relation) if relation else None,
        "phase": phase,
    }
    if found := re.search(re.escape(CAST_ERROR) + r'"((?:[^"]|"")*)" (.*)', text, re.DOTALL):
        place["column"] = found[1].replace('""', '"')
        return DataError(f"the column {found[2].strip()}", **place, remedy="Cast it in the query, or mend the value")
    if "Could not set lock" in text or "being used by another process" in text:
        return ConnectionFailedError(
            f"another process has the file open: {text}",
            **place,
            remedy="A DuckDB file has one owner: close the other program, or exchange Parquet files with it",
        )
    if "different configuration" in text:
        return ConnectionFailedError(
            text, **place, remedy="Give all outputs of this file the same `config_options`, as dbt-duckdb needs them"
        )
    if _DISK.search(text):
        return ResourceError(f"the disk is full: {text}", **place, remedy="Free disk space, or move the file")
    for kinds, family, remedy in _FAMILIES:
        if kind in kinds:
            return family(text, **place, remedy=remedy)
    return QueryError(text, **place)


# The commit that fails begins with "TransactionContext Error", whatever the disk said.
_DISK = re.compile(r"no space left|disk (?:is )?full|could not write|quota exceeded|file too large", re.IGNORECASE)
_FAMILIES: tuple[tuple[frozenset[str], type[DvtError], str | None], ...] = (
    (frozenset({"INTERRUPT"}), InterruptedRunError, None),
    (frozenset({"Catalog", "Binder"}), RelationNotFoundError, None),
    (frozenset({"Out of Memory"}), ResourceError, "Raise memory_limit, or free disk for spilling"),
    (frozenset({"Conversion", "Out of Range", "Constraint"}), DataError, "Mend the value, or cast it in the query"),
    (frozenset({"Permission"}), PrivilegeError, None),
    (frozenset({"Connection", "IO", "HTTP"}), ConnectionFailedError, "Look at the file and its folder"),
)
