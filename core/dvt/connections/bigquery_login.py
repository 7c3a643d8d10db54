"""Credentials of a BigQuery output, by dbt-bigquery's methods: all of them but a browser's."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.secrets import register, revealed
from dvt.errors import AuthenticationError, ConfigurationError

_SCOPES = (
    "https://www.googleapis.com/auth/bigquery",
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/drive",
)
_TOKEN_URI = "https://oauth2.googleapis.com/token"
_INSTEAD = "Use service-account (keyfile), service-account-json (keyfile_json), oauth-secrets (token), or oauth (ADC)"


def credentials(connection: Connection) -> Any:
    """The credentials of an output.

    Raises:
        ConfigurationError: The method is unknown, or what it needs is missing or cannot be read.
        AuthenticationError: The machine has no application default credentials.
    """
    import google.auth.exceptions
    from google.auth import impersonated_credentials

    scopes = [str(scope) for scope in connection.first("scopes", default=_SCOPES)]
    try:
        own = _own(connection, scopes)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise AuthenticationError(
            "this machine has no application default credentials",
            connection=connection.name,
            phase="connect",
            remedy="Run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or use a keyfile",
        ) from error
    except (OSError, ValueError, google.auth.exceptions.GoogleAuthError) as error:
        raise _refusal(f"the credentials cannot be loaded: {type(error).__name__}", connection, _INSTEAD) from error
    principal = connection.first("impersonate_service_account")
    if not principal:
        return own
    return impersonated_credentials.Credentials(own, str(principal), scopes)


def _own(connection: Connection, scopes: list[str]) -> Any:
    method = str(connection.first("method")).lower()
    if method == "oauth":
        import google.auth

        # What is there already: gcloud's file, the variable, or the machine's service account. Nobody is asked.
        return google.auth.default(scopes=scopes)[0]
    if method in ("service-account", "service-account-json"):
        from google.oauth2 import service_account

        info = _keyfile(connection) if method == "service-account" else _keyfile_json(connection)
        return service_account.Credentials.from_service_account_info(_unfolded(info), scopes=scopes)
    if method == "oauth-secrets":
        from google.oauth2.credentials import Credentials

        if not (connection.secret("token") or connection.secret("refresh_token")):
            raise _refusal("method oauth-secrets has no token and no refresh_token", connection, "Add one of them")
        return Credentials(
            token=connection.secret("token"),
            refresh_token=connection.secret("refresh_token"),
            client_id=connection.first("client_id"),
            client_secret=connection.secret("client_secret"),
            token_uri=connection.first("token_uri", default=_TOKEN_URI),
            scopes=scopes,
        )
    raise _refusal(f"method {method} is not one that dvt knows", connection, _INSTEAD)


def key_of_output(connection: Connection) -> dict[str, Any]:
    """The service account's key that an output names, or holds."""
    return _unfolded(_keyfile(connection) if connection.first("keyfile") else _keyfile_json(connection))


def _unfolded(info: dict[str, Any]) -> dict[str, Any]:
    """A key whose lines are lines; the secret in it is known as one from here on."""
    if isinstance(info.get("private_key"), str):
        register(info["private_key"])
        info["private_key"] = info["private_key"].replace("\\n", "\n")
    return info


def _keyfile(connection: Connection) -> dict[str, Any]:
    if not connection.first("keyfile"):
        raise _refusal("method service-account needs `keyfile`", connection, "Add its path to profiles.yml")
    found: dict[str, Any] = json.loads(connection.path("keyfile").expanduser().read_text(encoding="utf-8"))
    return found


def _keyfile_json(connection: Connection) -> dict[str, Any]:
    """The key in the profile: a mapping, its JSON, or that in base 64."""
    given = revealed(connection.first("keyfile_json"))
    if not given:
        raise _refusal("method service-account-json needs `keyfile_json`", connection, "Add it to profiles.yml")
    if isinstance(given, Mapping):
        return dict(given)
    for decode in (json.loads, _from_base64):
        try:
            found = decode(given)
        except (ValueError, binascii.Error):
            continue
        if isinstance(found, Mapping):
            return dict(found)
    raise _refusal("keyfile_json is no key", connection, "Write it as a mapping, as JSON, or in base 64")


def _from_base64(text: str) -> Any:
    return json.loads(base64.b64decode(text, validate=True))


def _refusal(message: str, connection: Connection, remedy: str) -> ConfigurationError:
    return ConfigurationError(message, connection=connection.name, phase="connect", remedy=remedy)
