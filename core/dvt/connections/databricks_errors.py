"""Errors of Databricks and of its connector, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.spark_errors import fault

_RUN_AGAIN = "Run it again"
_REACH = "Check host, http_path, proxy and TLS settings, and that the warehouse is there"
_CREDENTIALS = "Check the token, or client_id and client_secret, of the connection"
_LINKS = "Run it again; `connection_parameters: {use_cloud_fetch: false}` reads without links to cloud storage"
_NAMED = re.compile(r"\[[A-Z][A-Z0-9_.]+\]|SQLSTATE")
# What begins the connector's message when a part of a result could not be downloaded.
_OF_A_LINK = "HTTP request error"
NO_TOKEN = "the workspace gave no token"
# What begins it when a file could not be put into a volume, or taken out of it.
_OF_A_FILE = "Staging operation"
_VOLUME = "Run it again; check that dvt.volume is there, and that this machine reaches the workspace's storage"
_NO_TOKEN = (NO_TOKEN, "Failed to get token")


class TokenError(Exception):
    """The workspace gave no token for a client's credentials."""


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the connector, of HTTP or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe", "extract", "load" or "land".
        relation: The relation concerned, when known.
    """
    family, words, remedy, column = _judged(error, phase)
    return family(words, connection=connection.name, relation=relation, column=column, phase=phase, remedy=remedy)


def _judged(error: BaseException, phase: str) -> tuple[type[errors.DvtError], str, str | None, str | None]:
    from databricks.sql import exc

    words = str(getattr(error, "message", None) or error) or type(error).__name__
    is_own = isinstance(error, exc.Error) and type(error) is not exc.Error
    if _status(error) in (401, 403) or any(mark in words for mark in _NO_TOKEN):
        return errors.AuthenticationError, words, _CREDENTIALS, None
    if isinstance(error, exc.ServerOperationError) or (is_own and _NAMED.search(words)):
        found = fault(words)
        if phase == "connect":
            found = found.of_login("Correct catalog and schema in profiles.yml")
        return found.family, found.words, found.remedy, found.column
    if phase == "connect":
        return errors.ConnectionFailedError, words, _REACH, None
    if words.startswith(_OF_A_FILE):
        return errors.ConnectionLostError, words, _VOLUME, None
    if not words.startswith(_OF_A_LINK) and (isinstance(error, (*_of_the_session(), OSError))):
        return errors.ConnectionLostError, words, _RUN_AGAIN, None
    # A bare exception, an assertion of its rows, Arrow's own: a file that cannot be read, or a link.
    if not is_own or words.startswith(_OF_A_LINK):
        return errors.ConnectionLostError, f"a part of the result cannot be read: {words}", _LINKS, None
    return errors.QueryError, words, None, None


def _of_the_session() -> tuple[type[Exception], ...]:
    import urllib3
    from databricks.sql import exc

    return exc.RequestError, exc.InterfaceError, urllib3.exceptions.HTTPError


def _status(error: BaseException) -> int | None:
    """The HTTP status of a refused request; None when there is none."""
    context = getattr(error, "context", None)
    return int(context.get("http-code") or 0) or None if isinstance(context, dict) else None
