"""What redshift_connector, Redshift and S3 say, as dvt's errors."""

from __future__ import annotations

import re
from typing import Any

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_CHECK_PLACE = "Check host, port and that the cluster is up"
# SQLSTATEs; the longest prefix that matches counts.
_BY_STATE: dict[str, tuple[type[errors.DvtError], str]] = {
    "08": (errors.ConnectionLostError, _RUN_AGAIN),
    "0A": (errors.QueryError, "The server does not support this; change the query"),
    "22": (errors.DataError, "Correct the value at the source, or cast it in a query"),
    "28": (errors.AuthenticationError, "Check user and password, or the IAM credentials"),
    "3D000": (errors.ConnectionFailedError, "Check dbname"),
    "3F": (errors.RelationNotFoundError, "Check the schema's name"),
    "42501": (errors.PrivilegeError, "Grant the privilege to the login"),
    "42P01": (errors.RelationNotFoundError, "Check the relation's name and schema"),
    "42703": (errors.RelationNotFoundError, "Check the column's name"),
    "53": (errors.ResourceError, "Free disk or memory on the cluster, or read less"),
    "53300": (errors.ConnectionFailedError, "Lower the number of threads"),
    "57014": (errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or read less"),
    "57P": (errors.ConnectionLostError, "The cluster ended the session: run again when it is up"),
}
# Redshift gives many failures one state, XX000: the words count, there and before a session stands.
_BY_WORDS: tuple[tuple[str, type[errors.DvtError], str], ...] = (
    (
        r"password authentication failed|no password was provided|authorization failed",
        errors.AuthenticationError,
        "Check user and password",
    ),
    (
        r"NoCredentials|ExpiredToken|InvalidClientTokenId|Unable to locate credentials|UnrecognizedClient",
        errors.AuthenticationError,
        "Check the AWS credentials: iam_profile, access_key_id, or the environment",
    ),
    (
        r"s3serviceexception.*(access ?denied|forbidden|403)|not authorized to|access ?denied",
        errors.PrivilegeError,
        "Let dvt.unload_role or dvt.load_role, and the credentials that dvt has, use the bucket",
    ),
    (r"nosuchbucket|bucket does not exist", errors.ConfigurationError, "Check dvt.unload_to or dvt.load_through"),
    (r"could not open relation|does not exist", errors.RelationNotFoundError, "Check schema and name"),
    (r"permission denied", errors.PrivilegeError, "Grant the privilege to the login"),
    (r"disk full|out of memory|exceeded the maximum size", errors.ResourceError, "Free room on the cluster"),
    (r"server refuses ssl|certificate|ssl", errors.ConnectionFailedError, "Check sslmode and the certificate"),
    (
        r"name or service|getaddrinfo|nodename|resolution",
        errors.ConnectionFailedError,
        "Check host: no server has this name",
    ),
    (r"timed? ?out", errors.ConnectionFailedError, "Check host, port and the firewall, or raise connect_timeout"),
)


def sqlstate(error: BaseException) -> str:
    """The server's state of an error, empty when it is not the server's."""
    words = _server_words(error)
    return str(words.get("C", "")) if words else ""


def _server_words(error: BaseException) -> dict[str, Any] | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, dict) else None


def _message(error: BaseException) -> str:
    words = _server_words(error)
    if words:
        hint = words.get("H")
        return f"{words.get('M', '')} ({hint})" if hint else str(words.get("M", ""))
    return " ".join(" ".join(str(part) for part in error.args).split()) or type(error).__name__


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver, of S3's client or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    if isinstance(error, errors.DvtError):
        return error.at(connection=connection.name, relation=relation, phase=phase)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    message, state = _message(error), sqlstate(error)
    if phase != "connect" and not state and re.search(r"(?i)connection is closed|broken ?pipe|communication", message):
        return errors.ConnectionLostError(message, remedy=_RUN_AGAIN, **place)
    for length in (5, 3, 2):
        if state and state[:length] in _BY_STATE:
            family, remedy = _BY_STATE[state[:length]]
            return family(message, remedy=remedy, **place)
    for pattern, family, remedy in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
            return family(message, remedy=remedy, **place)
    if phase == "connect":
        return errors.ConnectionFailedError(message, remedy=_CHECK_PLACE, **place)
    if state:
        return errors.QueryError(message, remedy="Correct the query", **place)
    return errors.ConnectionLostError(message, remedy=_RUN_AGAIN, **place)
