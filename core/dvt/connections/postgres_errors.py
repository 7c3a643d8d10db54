"""What psycopg and the PostgreSQL server say, as dvt's errors."""

from __future__ import annotations

import re
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    DataError,
    DvtError,
    InterruptedRunError,
    PrivilegeError,
    QueryError,
    RelationNotFoundError,
    ResourceError,
    TimeoutExceededError,
)

# SQLSTATEs and their classes: Appendix A of the PostgreSQL manual. The longest prefix that matches counts.
_BY_STATE: dict[str, tuple[type[DvtError], str]] = {
    "08": (ConnectionLostError, "The session broke; look at the server's log, and run again"),
    "0A": (QueryError, "The server does not support this; change the query"),
    "22012": (QueryError, "Guard the divisor with nullif"),
    "22": (DataError, "Correct the value at the source, or declare another type for the column"),
    "23": (DataError, "Correct the rows, or the constraint on the target"),
    "25006": (QueryError, "A source is only read: give a query that changes nothing"),
    "28": (AuthenticationError, "Check user, password and the server's pg_hba.conf"),
    "2BP01": (DataError, "Drop what depends on the relation, or run with --full-refresh"),
    "3D000": (ConnectionFailedError, "Check dbname"),
    "3F": (RelationNotFoundError, "Check the schema's name"),
    "40": (QueryError, "Another session changed the same rows: run again"),
    "42501": (PrivilegeError, "Grant the privilege to the login, or use another login"),
    "42P01": (RelationNotFoundError, "Check the relation's name and schema"),
    "42703": (RelationNotFoundError, "Check the column's name"),
    "53": (ResourceError, "Free disk or memory on the server"),
    "53300": (ConnectionFailedError, "Lower the number of threads, or raise max_connections"),
    "55P03": (TimeoutExceededError, "Another session holds the relation: run again when it is done"),
    "57014": (TimeoutExceededError, "Raise dvt.statement_timeout_s, or read less"),
    "57P": (ConnectionLostError, "The server ended the session; run again when it is up"),
    "58": (ResourceError, "Look at the server's log"),
    "XX": (QueryError, "Look at the server's log"),
}

# Before a session stands there is no SQLSTATE: only the words of libpq and of the server count.
_BY_WORDS: tuple[tuple[str, type[DvtError], str], ...] = (
    (r"password authentication failed|no password supplied", AuthenticationError, "Check user and password"),
    (r"no pg_hba\.conf entry.*no encryption", ConnectionFailedError, "The server wants TLS: set sslmode: require"),
    (r"no pg_hba\.conf entry", AuthenticationError, "Ask for an entry in the server's pg_hba.conf"),
    (r"role \".*\" does not exist|authentication failed|authentication method", AuthenticationError, "Check user"),
    (r"does not support SSL", ConnectionFailedError, "The server has no TLS: enable it there, or change sslmode"),
    (r"certificate|SSL|sslmode", ConnectionFailedError, "Check sslmode, sslrootcert, sslcert and sslkey"),
    (r"database \".*\" does not exist", ConnectionFailedError, "Check dbname"),
    (r"permission denied for database", PrivilegeError, "Grant CONNECT on the database to the login"),
    (r"too many (clients|connections)|remaining connection slots", ConnectionFailedError, "Lower the threads"),
    (r"could not translate|Name or service|resolve", ConnectionFailedError, "Check host"),
    (r"timeout|timed out", ConnectionFailedError, "Check host, port and the firewall, or raise connect_timeout_s"),
)

# `COPY private, line 3, column amount: "x"`: the place that the server gives for a value that it refused.
_COPY_COLUMN = re.compile(r"^COPY .*?, line \d+, column (.+?)(?::|$)", re.MULTILINE)


def translate(
    error: BaseException,
    connection: Connection,
    *,
    phase: str,
    relation: str | None = None,
    is_cancelled: bool = False,
) -> DvtError:
    """The dvt error for an exception of psycopg; raise it `from` that exception.

    Args:
        error: What psycopg raised.
        connection: Where it happened.
        phase: What dvt was doing.
        relation: What it was working on, as a person would write it.
        is_cancelled: Whether dvt itself asked the server to stop.
    """
    if isinstance(error, DvtError):
        return error.at(connection=connection.name, relation=relation, phase=phase)
    state = getattr(error, "sqlstate", None)
    message = _message(error)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    if is_cancelled and state in (None, "57014"):
        return InterruptedRunError("the statement was cancelled", **place)
    if state is None:
        return _without_state(message, phase, place)
    for length in (5, 3, 2):
        found = _BY_STATE.get(state[:length])
        if found:
            family, remedy = found
            if state == "57014" and "statement timeout" not in message:
                remedy = "An administrator or another session cancelled the statement: run again"
            return family(message, remedy=remedy, column=_column(error), **place)
    return QueryError(message, remedy="Correct the query", **place)


def _without_state(message: str, phase: str, place: dict[str, Any]) -> DvtError:
    if phase != "connect":
        remedy = "The session broke; look at the server's log, and run again"
        return ConnectionLostError(message or "the server closed the connection", remedy=remedy, **place)
    for pattern, family, remedy in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
            return family(message, remedy=remedy, **place)
    return ConnectionFailedError(message, remedy="Check host and port, and that the server runs", **place)


def _message(error: BaseException) -> str:
    diag = getattr(error, "diag", None)
    primary = getattr(diag, "message_primary", None)
    if not primary:
        return " ".join(str(error).split())
    hint = getattr(diag, "message_hint", None)
    return f"{primary} ({hint})" if hint else str(primary)


def _column(error: BaseException) -> str | None:
    diag = getattr(error, "diag", None)
    named = getattr(diag, "column_name", None)
    if named:
        return str(named)
    found = _COPY_COLUMN.search(getattr(diag, "context", None) or "")
    return found.group(1) if found else None
