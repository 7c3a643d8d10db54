"""Errors of Trino and of its client, as dvt's own."""

from __future__ import annotations

import re
from typing import Any

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_REACH = "Check host, port, http_scheme, cert and that the coordinator is up"
# Family, names of Trino's StandardErrorCode, and what to do.
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[str], str | None], ...] = (
    (
        errors.RelationNotFoundError,
        frozenset(
            {"TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "COLUMN_NOT_FOUND", "NOT_FOUND"}
            | {"MISSING_CATALOG_NAME", "MISSING_SCHEMA_NAME", "TABLE_REDIRECTION_ERROR", "CATALOG_UNAVAILABLE"}
        ),
        "Check catalog, schema and name",
    ),
    (errors.PrivilegeError, frozenset({"PERMISSION_DENIED"}), "Grant the login what it lacks"),
    (
        errors.TimeoutExceededError,
        frozenset({"EXCEEDED_TIME_LIMIT", "EXCEEDED_CPU_LIMIT"}),
        "Raise dvt.statement_timeout_s or the server's limit, or make it quicker",
    ),
    (
        errors.InterruptedRunError,
        frozenset({"USER_CANCELED", "ADMINISTRATIVELY_KILLED", "ADMINISTRATIVELY_PREEMPTED"}),
        None,
    ),
    (
        errors.ConnectionLostError,
        frozenset(
            {"ABANDONED_QUERY", "ABANDONED_TASK", "SERVER_SHUTTING_DOWN", "SERVER_STARTING_UP", "NO_NODES_AVAILABLE"}
            | {"REMOTE_HOST_GONE", "PAGE_TRANSPORT_TIMEOUT", "PAGE_TRANSPORT_ERROR", "REMOTE_TASK_ERROR"}
            | {"REMOTE_TASK_MISMATCH", "TOO_MANY_REQUESTS_FAILED"}
        ),
        _RUN_AGAIN,
    ),
    (
        errors.DataError,
        frozenset({"DIVISION_BY_ZERO", "INVALID_CAST_ARGUMENT", "NUMERIC_VALUE_OUT_OF_RANGE"}),
        None,
    ),
)
_BY_NAME = {name: (family, remedy) for family, names, remedy in _FAMILIES for name in names}
_STATUS = re.compile(r"^error (\d{3})")
_COLUMN = re.compile(r"Column '([^']+)' cannot be resolved")
# What follows the question mark of an address may be a signature that opens what lies there.
_QUERY_PART = re.compile(r"\?[^\s'\")>]+")
_WORDS_AT_MOST = 1000


class CutOffError(Exception):
    """A result or a segment of one that is not whole."""


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the client, of the server or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    name = str(getattr(error, "error_name", None) or "")
    words = _words(error, name)
    family, remedy = _of_server(error, name) if name else _of_transport(error, phase)
    if phase == "connect" and family is errors.ConnectionLostError:
        family, remedy = errors.ConnectionFailedError, _REACH
    found = _COLUMN.search(words) if name == "COLUMN_NOT_FOUND" else None
    return family(
        f"{words} (Trino error {name})" if name else words,
        connection=connection.name,
        relation=relation,
        column=found.group(1) if found else None,
        phase=phase,
        remedy=remedy,
    )


def _of_server(error: Any, name: str) -> tuple[type[errors.DvtError], str | None]:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if error.error_type == "INSUFFICIENT_RESOURCES":
        return errors.ResourceError, "Raise the server's limit, or read less"
    return errors.QueryError, None


def _of_transport(error: BaseException, phase: str) -> tuple[type[errors.DvtError], str | None]:
    import requests

    status = _STATUS.match(str(error))
    if status and status.group(1) == "401":
        return errors.AuthenticationError, "Check method, user, password or token of the connection"
    if status and status.group(1) == "403":
        is_login = phase == "connect"
        return (errors.AuthenticationError if is_login else errors.PrivilegeError), "Grant the login what it lacks"
    if _is_tls(error):
        return errors.ConnectionFailedError, "Check http_scheme and cert: the server's certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return errors.ConnectionFailedError, _REACH
    return errors.ConnectionLostError, _RUN_AGAIN


def _is_tls(error: BaseException) -> bool:
    import requests

    return isinstance(error, requests.exceptions.SSLError)


def _words(error: Any, name: str) -> str:
    text = str(error.message) if name else str(error) or type(error).__name__
    return _QUERY_PART.sub("?...", text)[:_WORDS_AT_MOST]
