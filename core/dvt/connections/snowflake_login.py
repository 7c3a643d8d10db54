"""How a Snowflake output says who logs in: everything that needs nobody at a browser or a telephone."""

from __future__ import annotations

import base64
import binascii
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import AuthenticationError, ConfigurationError, ConnectionFailedError

_INSTEAD = (
    "Use a key pair (private_key_path, private_key_passphrase), a programmatic access token (authenticator:"
    " programmatic_access_token, token), or OAuth (authenticator: oauth, token)"
)
_INTERACTIVE = frozenset({"externalbrowser", "username_password_mfa", "oauth_authorization_code"})


def login_arguments(connection: Connection) -> dict[str, Any]:
    """What the connector's `connect` takes of the credentials.

    Raises:
        ConfigurationError: The authenticator needs a person, is unknown, or what it needs is missing.
        AuthenticationError: A token could not be had.
    """
    named = str(connection.first("authenticator", default="")).strip()
    method = named.lower()
    if method in _INTERACTIVE:
        raise _refusal(f"authenticator {named} asks a person, and dvt runs without one", connection, _INSTEAD)
    if method in ("oauth", "jwt"):
        return {"authenticator": "oauth", "token": _oauth_token(connection, method)}
    if method == "programmatic_access_token":
        return {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": _required(connection, "token", named)}
    if method == "oauth_client_credentials":
        return {
            "authenticator": "OAUTH_CLIENT_CREDENTIALS",
            "oauth_client_id": _required(connection, "oauth_client_id", named),
            "oauth_client_secret": _required(connection, "oauth_client_secret", named),
            "oauth_token_request_url": _required(connection, "oauth_token_request_url", named),
            "oauth_scope": str(connection.first("oauth_scope", default="")),
        }
    _required(connection, "user", named or "snowflake")
    if connection.first("private_key", "private_key_path"):
        return {"authenticator": "SNOWFLAKE_JWT", "private_key": private_key(connection)}
    if method == "snowflake_jwt":
        raise _refusal("authenticator snowflake_jwt has no private_key and no private_key_path", connection, _INSTEAD)
    is_okta = method.startswith("https://")
    if method not in ("", "snowflake") and not is_okta:
        raise _refusal(f"authenticator {named} is not one that dvt knows", connection, _INSTEAD)
    password = _required(connection, "password", named or "snowflake")
    return {"password": password, **({"authenticator": named} if is_okta else {})}


def private_key(connection: Connection) -> bytes:
    """The key as the connector takes it: DER, PKCS #8, without a passphrase.

    Raises:
        ConfigurationError: There are two, it cannot be read, or the passphrase is wrong.
    """
    from cryptography.hazmat.primitives import serialization

    if connection.first("private_key") and connection.first("private_key_path"):
        raise _refusal("private_key and private_key_path are both set", connection, "Remove one of them")
    passphrase = connection.secret("private_key_passphrase")
    secret = passphrase.encode() if passphrase else None
    try:
        if connection.first("private_key"):
            data = _key_bytes(str(connection.secret("private_key")))
        else:
            data = connection.path("private_key_path").expanduser().read_bytes()
        load = serialization.load_pem_private_key if b"-----BEGIN" in data else serialization.load_der_private_key
        key = load(data, password=secret)
    except OSError as error:
        raise _refusal(f"the private key cannot be read: {error}", connection, "Correct private_key_path") from error
    except (ValueError, TypeError) as error:  # no key, another passphrase, or one missing
        raise _refusal(
            "the private key cannot be loaded",
            connection,
            "Give a PEM or DER key in PKCS #8 form, and its private_key_passphrase when it is encrypted",
        ) from error
    form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    der: bytes = key.private_bytes(*form)
    return der


def _key_bytes(text: str) -> bytes:
    """A key in the profile is PEM, or DER in base 64."""
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n").encode()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("neither PEM nor base 64") from error


def _oauth_token(connection: Connection, method: str) -> str:
    """The access token; with a client's id and secret the output has one to refresh with, as in dbt-snowflake."""
    token = _required(connection, "token", method)
    client, secret = connection.first("oauth_client_id"), connection.secret("oauth_client_secret")
    if method == "jwt" or not (client or secret):
        return token
    if not client or not secret:
        raise _refusal("oauth_client_id and oauth_client_secret go together", connection, "Give both, or none")
    account = str(connection.first("account")).replace("_", "-")
    host = connection.first("host", default=f"{account}.snowflakecomputing.com")
    port = f":{connection.first('port')}" if connection.first("port") else ""
    address = f"{connection.first('protocol', default='https')}://{host}{port}/oauth/token-request"
    form = {"grant_type": "refresh_token", "refresh_token": token, "redirect_uri": "http://localhost:9999"}
    login = base64.b64encode(f"{client}:{secret}".encode()).decode()
    request = urllib.request.Request(
        str(connection.first("oauth_token_request_url", default=address)),
        data=urllib.parse.urlencode(form).encode(),
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"},
    )
    try:
        with urllib.request.urlopen(request, timeout=float(connection.options["connect_timeout_s"])) as answer:
            given = json.load(answer).get("access_token")
    except urllib.error.HTTPError as error:
        raise _expired(connection, f"status {error.code}") from error
    except (OSError, ValueError, AttributeError) as error:
        raise ConnectionFailedError(
            f"no access token could be asked for: {type(error).__name__}",
            connection=connection.name,
            phase="connect",
            remedy="Check account, host and proxy",
        ) from error
    if not given:
        raise _expired(connection, "an answer without one")
    return str(given)


def _expired(connection: Connection, why: str) -> AuthenticationError:
    return AuthenticationError(
        f"the server gave no access token for the refresh token ({why})",
        connection=connection.name,
        phase="connect",
        remedy="Have a new refresh token issued, and check oauth_client_id and oauth_client_secret",
    )


def _required(connection: Connection, key: str, method: str) -> str:
    found = connection.secret(key)
    if not found:
        raise _refusal(f"authenticator {method} needs `{key}`", connection, f"Add {key} to the output in profiles.yml")
    return str(found)


def _refusal(message: str, connection: Connection, remedy: str) -> ConfigurationError:
    return ConfigurationError(message, connection=connection.name, phase="connect", remedy=remedy)
