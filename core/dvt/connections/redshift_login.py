"""The ways to log in to Redshift that dbt-redshift has and that need nobody at a browser."""

from __future__ import annotations

import ast
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.secrets import register
from dvt.errors import AuthenticationError, ConfigurationError, UnsupportedError

_METHODS = "database, iam, iam_role or oauth_token_identity_center"
# dbt's word for psycopg2 stands for a verified chain, too: the driver knows nothing weaker.
_TLS = {"verify-full": "verify-full", "disable": None}


def login_parameters(connection: Connection) -> dict[str, Any]:
    """What the driver's connect call is given.

    Raises:
        UnsupportedError: The method opens a browser.
        ConfigurationError: The method is unknown, or lacks a key.
    """
    method = str(connection.first("method", default="database"))
    if method == "browser_identity_center":
        raise UnsupportedError(
            "method browser_identity_center waits for a person at a browser",
            connection=connection.name,
            remedy=f"Use method {_METHODS}",
        )
    if method not in _WAYS:
        raise ConfigurationError(
            f"method is {method!r}", connection=connection.name, remedy=f"Use method {_METHODS} in profiles.yml"
        )
    return {**_base(connection), **_WAYS[method](connection)}


def _base(connection: Connection) -> dict[str, Any]:
    mode = str(connection.first("sslmode", default="prefer"))
    parameters: dict[str, Any] = {
        "host": str(connection.first("host")),
        "port": int(connection.first("port", default=5439)),
        "database": connection.first("dbname", "database"),
        "timeout": int(connection.first("connect_timeout", default=connection.options["connect_timeout_s"])),
        "is_serverless": _is_serverless(connection),
        "application_name": "dvt",
        "ssl": mode != "disable",
        "sslmode": _TLS.get(mode, "verify-ca"),
    }
    passed_on = ("region", "db_groups", "serverless_work_group", "serverless_acct_id", "tcp_keepalive")
    more = ("tcp_keepalive_idle", "tcp_keepalive_interval", "tcp_keepalive_count")
    parameters.update({key: connection.first(key) for key in (*passed_on, *more) if connection.first(key) is not None})
    if connection.first("autocreate") is not None:
        parameters["auto_create"] = bool(connection.first("autocreate"))
    return {key: value for key, value in parameters.items() if value is not None}


def _is_serverless(connection: Connection) -> bool:
    return "serverless" in str(connection.first("host")) or connection.first("is_serverless") is True


def _require(connection: Connection, *keys: str) -> None:
    missing = [key for key in keys if connection.first(key) is None]
    if missing:
        method = connection.first("method", default="database")
        raise ConfigurationError(
            f"method {method} needs {' and '.join(missing)}",
            connection=connection.name,
            remedy="Add it to the output in profiles.yml",
        )


def _database(connection: Connection) -> dict[str, Any]:
    _require(connection, "user")
    password = connection.secret("password", "pass")
    if password is None:
        _require(connection, "password")
    return {"user": str(connection.first("user")), "password": password}


def _iam(connection: Connection) -> dict[str, Any]:
    cluster = None if _is_serverless(connection) else connection.first("cluster_id")
    if cluster is None and not _is_serverless(connection):
        _require(connection, "cluster_id")
    return {"iam": True, "user": "", "password": "", "cluster_identifier": cluster}


def _iam_user(connection: Connection) -> dict[str, Any]:
    _require(connection, "user")
    return {**_iam(connection), **aws_credentials(connection), "db_user": str(connection.first("user"))}


def _iam_role(connection: Connection) -> dict[str, Any]:
    return {**_iam(connection), **aws_credentials(connection), "group_federation": not _is_serverless(connection)}


def aws_credentials(connection: Connection) -> dict[str, Any]:
    """The output's own AWS credentials, in the driver's words; empty for those of the environment."""
    keys = {
        "access_key_id": connection.first("access_key_id"),
        "secret_access_key": connection.secret("secret_access_key"),
    }
    if any(keys.values()):
        _require(connection, *keys)
        return keys
    profile = connection.first("iam_profile")
    return {"profile": str(profile)} if profile else {}


def _token(connection: Connection) -> dict[str, Any]:
    _require(connection, "token_endpoint")
    endpoint = ast.literal_eval(connection.secret("token_endpoint") or "{}")
    if not isinstance(endpoint, Mapping) or not endpoint.get("request_url"):
        raise ConfigurationError(
            "token_endpoint names no request_url", connection=connection.name, remedy="Write it as dbt-redshift has it"
        )
    token = _requested(endpoint, connection)
    register(token)
    return {"iam": False, "credentials_provider": "IdpTokenAuthPlugin", "token": token, "token_type": "EXT_JWT"}


def _requested(endpoint: Mapping[str, Any], connection: Connection) -> str:
    """A token of an identity provider, as dbt-redshift asks for one."""
    data = endpoint.get("request_data") or ""
    body = urllib.parse.urlencode(data) if isinstance(data, Mapping) else str(data)
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    credentials = endpoint.get("idp_auth_credentials")
    if credentials:
        headers["authorization"] = f"Basic {credentials}"
    for secret in (body, str(credentials or "")):
        register(secret)
    request = urllib.request.Request(str(endpoint["request_url"]), body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=connection.options["connect_timeout_s"]) as answer:
            return str(json.load(answer)["access_token"])
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        raise AuthenticationError(
            f"the identity provider gave no access token: {error}",
            connection=connection.name,
            phase="connect",
            remedy="Check token_endpoint",
        ) from error


_WAYS = {
    "database": _database,
    "iam": _iam_user,
    "iam_role": _iam_role,
    "oauth_token_identity_center": _token,
}
