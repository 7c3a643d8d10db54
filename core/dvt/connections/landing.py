"""Where models land on a connection when the project says nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from dvt.connections.connection import Connection
from dvt.errors import ConnectionFailedError, PrivilegeError


def landing_schema(connection: Connection) -> str | None:
    """The connection's own schema: for MySQL its database, for SQLite `main`, for files the sub-folder, if any."""
    if connection.type in ("mysql", "mariadb"):
        found = connection.first("schema", "database", "dbname")
    elif connection.type in ("sqlite", "duckdb"):
        found = connection.first("schema", default="main") if connection.type == "duckdb" else "main"
    elif connection.type == "bigquery":
        found = connection.first("dataset", "schema")
    else:
        found = connection.first("schema")
    return str(found) if found else None


def file_to_come(connection: Connection) -> Path | None:
    """The database file that the first landing makes; None when it is there, or the engine keeps none of its own."""
    if connection.type == "duckdb":
        from dvt.connections.duckdb import MEMORY, is_file

        if not is_file(str(connection.first("path", default=MEMORY))):
            return None
    elif connection.type != "sqlite" or connection.settings["path"] == ":memory:":
        return None
    path = connection.path("path")
    return None if path.exists() else path


def require_creatable(file: Path, connection: Connection) -> None:
    """Whether a file can be made, without making it.

    Raises:
        ConnectionFailedError: Its folder is missing.
        PrivilegeError: Nothing may be written there.
    """
    folder = file.parent
    if not folder.is_dir():
        raise ConnectionFailedError(
            f"there is no folder {folder} for {file.name}",
            connection=connection.name,
            phase="connect",
            remedy="Make the folder, or correct `path`",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PrivilegeError(
            f"{file.name} cannot be made: {folder} is not writable",
            connection=connection.name,
            phase="connect",
            remedy="Make the folder writable, or correct `path`",
        )
