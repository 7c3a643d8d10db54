"""Google Cloud Storage: credentials, and what pyarrow's client is given."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from dvt.connections.object_store_errors import missing
from dvt.connections.secrets import register

if TYPE_CHECKING:
    from dvt.connections.connection import Connection
    from dvt.connections.object_stores import Address

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_DAY_S = 86_400


def gcs_options(connection: Connection, address: Address, endpoint: str | None) -> tuple[dict[str, Any], float | None]:
    """The client's options, and when its credentials end, where dvt fetched them itself.

    Credentials are a service account's key, a token, none at all, or those that the machine has.
    """
    options, expires = _credentials(connection)
    if endpoint:
        options["scheme"], _, options["endpoint_override"] = endpoint.partition("://")
    return options, expires


def _credentials(connection: Connection) -> tuple[dict[str, Any], float | None]:
    if connection.first("anonymous"):
        return {"anonymous": True}, None
    if connection.first("keyfile", "keyfile_json"):
        return _of_service_account(connection)
    if token := connection.secret("token"):
        # When it ends is the server's to say.
        return {"access_token": token, "credential_token_expiration": time.time() + _DAY_S}, None
    return {}, None


def _of_service_account(connection: Connection) -> tuple[dict[str, Any], float | None]:
    """A token for the key, which pyarrow's client does not take itself."""
    try:
        import google.auth.exceptions
        from google.auth.transport.requests import Request
        from google.oauth2 import service_account
    except ImportError as error:
        raise missing("google-auth", "a service account's key", "bigquery", connection) from error
    from dvt.connections.bigquery_login import key_of_output

    try:
        info = key_of_output(connection)
        found = service_account.Credentials.from_service_account_info(info, scopes=[_SCOPE])
        found.refresh(Request())
    except (ValueError, google.auth.exceptions.GoogleAuthError) as error:
        raise OSError(f"UNAUTHENTICATED: the service account's key: {error}") from error
    register(found.token)
    ends = found.expiry.replace(tzinfo=dt.timezone.utc).timestamp()
    return {"access_token": found.token, "credential_token_expiration": ends}, ends
