"""How an output logs in to SQL Server: every way of dbt-sqlserver that asks nobody at a browser."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import ConfigurationError, MissingDriverError, UnsupportedError

_ACCESS_TOKEN_ATTRIBUTE = 1256  # SQL_COPT_SS_ACCESS_TOKEN
_INTERACTIVE = frozenset({"activedirectoryinteractive", "activedirectorydevicecode", "activedirectorydevicecodeflow"})
_ALTERNATIVES = (
    "Use one that asks nobody: sql, windows_login: true, ActiveDirectoryPassword, ActiveDirectoryServicePrincipal,"
    " ActiveDirectoryMsi, ActiveDirectoryDefault, ActiveDirectoryAccessToken, environment or cli"
)
_KINDS = {
    "": "sql",
    "sql": "sql",
    "sqlpassword": "sql",
    "windows": "windows",
    "activedirectoryintegrated": "integrated",
    "activedirectorypassword": "password",
    "activedirectoryserviceprincipal": "principal",
    "serviceprincipal": "principal",
    "activedirectorymsi": "identity",
    "activedirectorymanagedidentity": "identity",
    "msi": "identity",
    "activedirectorydefault": "default",
    "auto": "default",
    "environment": "environment",
    "cli": "cli",
    "activedirectoryaccesstoken": "token",
}


@dataclass(frozen=True)
class Login:
    """What the driver is given.

    Args:
        keywords: The connection string's, with secrets.
        attributes: Attributes that are set before connecting, with secrets.
        credential: A class of `azure.identity` with its arguments, which are secrets; the token comes from it.
    """

    keywords: dict[str, str] = field(default_factory=dict, repr=False)
    attributes: dict[int, bytes] = field(default_factory=dict, repr=False)
    credential: tuple[str, dict[str, str]] | None = field(default=None, repr=False)

    def provider(self, connection: Connection) -> Any:
        """The source of tokens; None where none is needed."""
        if self.credential is None:
            return None
        try:
            import azure.identity
        except ModuleNotFoundError as error:
            raise MissingDriverError(
                "azure-identity is not installed",
                connection=connection.name,
                remedy="Run: pip install 'dvt[sqlserver]'",
            ) from error
        name, arguments = self.credential
        return getattr(azure.identity, name)(**arguments)


def login_of(connection: Connection) -> Login:
    """How an output logs in.

    Raises:
        UnsupportedError: Somebody would have to answer in a browser.
        ConfigurationError: The way is unknown, or something that it needs is missing.
    """
    wanted = str(connection.first("authentication", "auth", default=""))
    plain = wanted.replace("_", "").replace(" ", "").lower()
    if plain in _INTERACTIVE:
        raise UnsupportedError(
            f"authentication: {wanted} asks somebody at a browser", connection=connection.name, remedy=_ALTERNATIVES
        )
    if plain not in _KINDS:
        raise ConfigurationError(
            f"authentication: {wanted} is not known", connection=connection.name, remedy=_ALTERNATIVES
        )
    is_windows = str(connection.first("windows_login", "trusted_connection", default="")).lower() in ("true", "yes")
    kind = "windows" if is_windows else _KINDS[plain]
    return _login(kind, connection)


def _login(kind: str, connection: Connection) -> Login:
    user = _text(connection, "UID", "user", "username")
    password = connection.secret("PWD", "password", "pass") or ""
    client, secret = _text(connection, "client_id", "app_id"), connection.secret("client_secret", "app_secret") or ""
    tenant = _text(connection, "tenant_id")
    if kind == "windows":
        return Login({"Trusted_Connection": "yes"})
    if kind == "integrated":
        return Login({"Authentication": "ActiveDirectoryIntegrated"})
    if kind in ("sql", "password"):
        _require(connection, user=user)
        how = {"Authentication": "ActiveDirectoryPassword"} if kind == "password" else {}
        return Login({"UID": user, "PWD": password, **how})
    if kind == "principal":
        client, secret = client or user, secret or password
        _require(connection, client_id=client, client_secret=secret)
        if not tenant:
            return Login({"Authentication": "ActiveDirectoryServicePrincipal", "UID": client, "PWD": secret})
        arguments = {"tenant_id": tenant, "client_id": client, "client_secret": secret}
        return Login(credential=("ClientSecretCredential", arguments))
    if kind == "identity":
        own = client or user
        return Login(credential=("ManagedIdentityCredential", {"client_id": own} if own else {}))
    if kind == "token":
        token = connection.secret("access_token") or ""
        _require(connection, access_token=token)
        data = token.encode("utf-16le")
        return Login(attributes={_ACCESS_TOKEN_ATTRIBUTE: struct.pack("<I", len(data)) + data})
    names = {"default": "DefaultAzureCredential", "environment": "EnvironmentCredential", "cli": "AzureCliCredential"}
    return Login(credential=(names[kind], {}))


def _text(connection: Connection, *keys: str) -> str:
    value = connection.first(*keys)
    return "" if value is None else str(value)


def _require(connection: Connection, **needed: str) -> None:
    for name, value in needed.items():
        if not value:
            raise ConfigurationError(
                f"key '{name}' is missing for this authentication",
                code="DVT105",
                connection=connection.name,
                remedy="Add it to the output in profiles.yml",
            )
