"""Errors of Exasol and of its driver, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_REACH = "Check dsn, encryption, validate_server_certificate and that the cluster is up"
_NOT_FOUND = re.compile(r"(?i)object .+ not found|schema .+ (?:not found|does not exist)")
_PRIVILEGE = re.compile(r"(?i)insufficient privileges|not allowed to")
_RESOURCE = re.compile(r"(?i)out of memory|no space|disk is full|max(?:imum)? (?:number|size)")
_DATA = re.compile(
    r"(?i)data exception|numeric value out of range|division by zero|invalid character value for cast"
    r"|transformation of value"
)
_WORDS_AT_MOST = 1000


class CutOffError(Exception):
    """A result that is not whole."""


def server_error(error: BaseException) -> BaseException:
    """What went wrong first: the driver wraps the server's words with those of the pipes that broke because of them."""
    parts: list[BaseException] = getattr(error, "exceptions", [])
    if not parts:
        return error
    told = [part for part in parts if getattr(part, "code", None) is not None]
    return told[0] if told else next((part for part in parts if type(part).__module__.startswith("pyexasol")), parts[0])


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver, of the server or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    error = server_error(error)
    words = str(getattr(error, "message", "") or error) or type(error).__name__
    family, remedy = _family(error, words, phase)
    return family(
        words[:_WORDS_AT_MOST],
        connection=connection.name,
        relation=relation,
        phase=phase,
        remedy=remedy,
    )


def _family(error: BaseException, words: str, phase: str) -> tuple[type[errors.DvtError], str | None]:
    import pyexasol

    if isinstance(error, pyexasol.ExaAuthError):
        return errors.AuthenticationError, "Check user and password, or the token, of the connection"
    if isinstance(error, pyexasol.ExaConnectionError) or phase == "connect":
        return errors.ConnectionFailedError, _REACH
    if isinstance(error, pyexasol.ExaQueryTimeoutError):
        return errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or make it quicker"
    if isinstance(error, pyexasol.ExaQueryAbortError):
        return errors.InterruptedRunError, None
    if isinstance(error, pyexasol.ExaRequestError):
        for pattern, family, remedy in (
            (_NOT_FOUND, errors.RelationNotFoundError, "Check schema and name: names are taken letter for letter"),
            (_PRIVILEGE, errors.PrivilegeError, "Grant the login what it lacks"),
            (_DATA, errors.DataError, None),
            (_RESOURCE, errors.ResourceError, "Raise the server's limit, or read less"),
        ):
            if pattern.search(words):
                return family, remedy
        return errors.QueryError, None
    if isinstance(error, pyexasol.ExaRuntimeError) and "Duplicate column names" in words:
        return errors.QueryError, "Give the columns different names"
    return errors.ConnectionLostError, _RUN_AGAIN
