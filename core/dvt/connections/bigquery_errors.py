"""Errors of BigQuery and of Google's clients, as dvt's own."""

from __future__ import annotations

import re
from typing import Any

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_Found = tuple[type[errors.DvtError], "str | None"]
# BigQuery's reasons (its "error messages" reference), for REST.
_REASONS: dict[str, _Found] = {
    "accessDenied": (errors.PrivilegeError, "Grant the login bigquery.dataViewer, jobUser and readSessionUser"),
    "notFound": (errors.RelationNotFoundError, "Check project, dataset and name, and the connection's location"),
    "quotaExceeded": (errors.ResourceError, "Wait, or raise the quota"),
    "rateLimitExceeded": (errors.ResourceError, "Wait, or run fewer threads"),
    "billingTierLimitExceeded": (errors.ResourceError, "Raise the limit, or read less"),
    "bytesBilledLimitExceeded": (errors.ResourceError, "Raise maximum_bytes_billed, or read less"),
    "resourcesExceeded": (errors.ResourceError, "Read less"),
    "responseTooLarge": (errors.ResourceError, "Read less"),
    "stopped": (errors.InterruptedRunError, None),
    "timeout": (errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or make it quicker"),
    "backendError": (errors.ConnectionLostError, _RUN_AGAIN),
    "internalError": (errors.ConnectionLostError, _RUN_AGAIN),
    "jobBackendError": (errors.ConnectionLostError, _RUN_AGAIN),
    "jobInternalError": (errors.ConnectionLostError, _RUN_AGAIN),
}
# Classes of google.api_core.exceptions and google.auth.exceptions, for what has no reason.
_CLASSES: dict[str, _Found] = {
    "Unauthorized": (errors.AuthenticationError, "Check the connection's key or token"),
    "Unauthenticated": (errors.AuthenticationError, "Check the connection's key or token"),
    "RefreshError": (errors.AuthenticationError, "Check the connection's key or token"),
    "DefaultCredentialsError": (errors.AuthenticationError, "Check the connection's key or token"),
    "Forbidden": _REASONS["accessDenied"],
    "PermissionDenied": _REASONS["accessDenied"],
    "NotFound": _REASONS["notFound"],
    "TooManyRequests": _REASONS["rateLimitExceeded"],
    "ResourceExhausted": _REASONS["quotaExceeded"],
    "DeadlineExceeded": _REASONS["timeout"],
    "TimeoutError": _REASONS["timeout"],
    "BadRequest": (errors.QueryError, None),
    "InvalidArgument": (errors.QueryError, None),
    "OutOfRange": (errors.DataError, None),
}
_UNKNOWN_COLUMN = re.compile(r"Unrecognized name: `?([\w.]+)|Name (\w+) not found inside|No such field: (\w+)")
_VALUE = re.compile(r"(?i)division by zero|overflow|out of range|bad \w+ value|could not cast|invalid (date|timestamp)")
_BILLED = re.compile(r"(?i)exceeded limit for bytes billed")
_TIMED_OUT = re.compile(r"(?i)job (execution was cancelled: job )?timed out|job exceeded .*timeout")
# What the client puts around the server's words.
_ADDRESS = re.compile(r"^\d{3} (?:[A-Z]+ https?://\S+: )?|\n\nLocation: .*\Z", re.DOTALL)
_WORDS_AT_MOST = 1000


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of Google's clients, of gRPC or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    cause = getattr(error, "cause", None) or error  # of google's RetryError
    words, reason = _words(cause)
    family, remedy = _family(cause, words, reason)
    if phase == "connect" and issubclass(family, errors.ConnectionLostError):
        family, remedy = errors.ConnectionFailedError, "Check api_endpoint, proxy and that the network reaches it"
    column = _UNKNOWN_COLUMN.search(words)
    if column and family is errors.QueryError:
        family, remedy = errors.RelationNotFoundError, "Check the names of columns"
    is_named = column is not None and family is errors.RelationNotFoundError
    return family(
        f"{words} ({reason})" if reason else words,
        connection=connection.name,
        relation=relation,
        column=next(filter(None, column.groups())) if column and is_named else None,
        phase=phase,
        remedy=remedy,
    )


def _words(error: BaseException) -> tuple[str, str]:
    """The server's own words, and the reason that it gives."""
    given: list[Any] = list(getattr(error, "errors", None) or [])
    first = given[0] if given and isinstance(given[0], dict) else {}
    text = str(first.get("message") or getattr(error, "message", "") or error) or type(error).__name__
    return _ADDRESS.sub("", text).strip()[:_WORDS_AT_MOST], str(first.get("reason") or "")


def _family(error: BaseException, words: str, reason: str) -> _Found:
    if _BILLED.search(words):
        return _REASONS["bytesBilledLimitExceeded"]
    if _TIMED_OUT.search(words):
        return _REASONS["timeout"]
    if reason in _REASONS:
        return _REASONS[reason]
    for kind in type(error).__mro__:
        if kind.__name__ in ("BadRequest", "InvalidArgument") and _VALUE.search(words):
            return errors.DataError, None
        if kind.__name__ in _CLASSES:
            return _CLASSES[kind.__name__]
    return errors.ConnectionLostError, _RUN_AGAIN
