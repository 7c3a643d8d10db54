"""Where models land on a connection when the project says nothing else."""

from __future__ import annotations

from dvt.connections.connection import Connection


def landing_schema(connection: Connection) -> str | None:
    """The connection's own schema: for MySQL its database, for SQLite `main`, for files the sub-folder, if any."""
    if connection.type in ("mysql", "mariadb"):
        found = connection.first("schema", "database", "dbname")
    elif connection.type in ("sqlite", "duckdb"):
        found = connection.first("schema", default="main") if connection.type == "duckdb" else "main"
    else:
        found = connection.first("schema")
    return str(found) if found else None
