"""Errors of object stores: pyarrow's clients tell them in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dvt import errors

if TYPE_CHECKING:
    from dvt.connections.connection import Connection

_BY_WORDS: tuple[tuple[str, type[errors.DvtError], str], ...] = (
    (
        r"\bSSL\b|\bTLS\b|certificate",
        errors.ConnectionFailedError,
        "Check that endpoint_url says https or http as the server does, and that its certificate is one that this"
        " machine trusts",
    ),
    (
        r"NETWORK_CONNECTION|curlCode|CURL error|Could not (connect|resolve)|Fail to get a new connection"
        r"|Failed to (connect|resolve)|EndpointConnectionError|Could not connect to the endpoint",
        errors.ConnectionFailedError,
        "Check endpoint_url, region_name and the network",
    ),
    (
        r"INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT|EXPIRED_TOKEN"
        r"|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClient|ExpiredToken|InvalidToken"
        r"|INVALID_SIGNATURE|MISSING_AUTHENTICATION|config profile .* could not be found|profile has no credentials"
        r"|AuthorizationFailure|AuthenticationFailed|failed to authenticate|AuthenticationException"
        r"|InvalidAuthenticationInfo|NoAuthenticationInformation|Base64 encoded|OAuth2|UNAUTHENTICATED"
        r"|(?:status|code:|\]) 401\b",
        errors.AuthenticationError,
        "Check the keys, the token or the profile of the output",
    ),
    (
        r"ACCESS_DENIED|AccessDenied|Access ?Denied|PERMISSION_DENIED|AuthorizationPermissionMismatch|not authorized"
        r"|(?:status|code:|\]) 403\b",
        errors.PrivilegeError,
        "Grant the identity the right to list the bucket and to read its objects",
    ),
    (r"NO_SUCH_BUCKET|NoSuchBucket|ContainerNotFound", errors.ConnectionFailedError, "Correct the bucket in `path`"),
    (r"PermanentRedirect|status 301\b|\bregion\b", errors.ConfigurationError, "Set region_name to the bucket's region"),
    (
        r"SLOW_DOWN|THROTTL|TooManyRequests|ServerBusy|(?:status|code:|\]) (?:429|503)\b",
        errors.ResourceError,
        "Run it again",
    ),
)


def translate(
    error: BaseException, connection: Connection, relation: str | None, phase: str | None, what: str = ""
) -> errors.DvtError:
    """The dvt error for one of pyarrow's clients.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        relation: The relation concerned, when known.
        phase: "connect", "describe" or "extract"; None where a caller will tell.
        what: The address concerned, when known.
    """
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    if isinstance(error, errors.DvtError):
        return error.at(**place)
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        remedy = "Check the name, and whether the file was moved"
        return errors.RelationNotFoundError(f"there is no file {what}" if what else message, remedy=remedy, **place)
    for pattern, family, remedy in _BY_WORDS:
        if re.search(pattern, message):
            return family(message, remedy=remedy, **place)
    if phase in (None, "connect"):
        return errors.ConnectionFailedError(message, remedy="Check `path`, endpoint_url and the credentials", **place)
    return errors.ConnectionLostError(message, remedy="Run it again", **place)


def missing(package: str, what: str, extra: str, connection: Connection) -> errors.MissingDriverError:
    """The error for a package that some credentials need."""
    return errors.MissingDriverError(
        f"{what} needs {package}, which is not installed",
        connection=connection.name,
        remedy=f"Run: pip install 'dvt[{extra}]', or use other credentials",
    )
