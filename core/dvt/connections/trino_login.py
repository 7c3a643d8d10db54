"""How to log in to Trino: the methods of dbt-trino that ask nobody anything."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.secrets import register
from dvt.errors import ConfigurationError, MissingDriverError

_INTERACTIVE = frozenset({"oauth", "oauth_console"})
_METHODS = ("none", "ldap", "jwt", "certificate", "kerberos")
_NEEDED = {
    "ldap": ("user", "password"),
    "jwt": ("jwt_token",),
    "certificate": ("client_certificate", "client_private_key"),
}
_KERBEROS = ("principal", "mutual_authentication", "force_preemptive", "hostname_override", "delegate")


def method(connection: Connection) -> str:
    """The way to log in.

    Raises:
        ConfigurationError: It is unknown, needs a browser, lacks a key, or would send a password in the clear.
    """
    name = str(connection.first("method", default="none"))
    if name in _INTERACTIVE:
        raise _refusal(connection, f"method '{name}' needs a browser", "Use method: jwt, ldap, certificate or kerberos")
    if name not in _METHODS:
        raise _refusal(connection, f"method '{name}' is unknown", f"Use one of {', '.join(_METHODS)}")
    for key in _NEEDED.get(name, ()):
        if not connection.first(key):
            raise _refusal(connection, f"method '{name}' needs the key '{key}'", "Add it to the output in profiles.yml")
    if name == "none" and connection.first("password"):
        raise _refusal(connection, "there is a password, and method 'none' sends none", "Use method: ldap")
    if name != "none" and connection.first("http_scheme", default="https") != "https":
        raise _refusal(
            connection, f"method '{name}' would send its secret in the clear", "Use https, and the port that serves it"
        )
    return name


def scheme(connection: Connection) -> str:
    """ "http" or "https"; whoever logs in with a secret uses TLS, as dbt-trino does."""
    default = "http" if method(connection) == "none" else "https"
    found = str(connection.first("http_scheme", default=default))
    if found not in ("http", "https"):
        raise _refusal(connection, f"http_scheme is '{found}'", "Use http or https")
    return found


def authentication(connection: Connection) -> Any:
    """The client's object for the method; None where there is nothing to prove."""
    import trino.auth

    name = method(connection)
    if name == "ldap":
        return trino.auth.BasicAuthentication(str(connection.first("user")), connection.secret("password") or "")
    if name == "jwt":
        return trino.auth.JWTAuthentication(connection.secret("jwt_token") or "")
    if name == "certificate":
        files = [str(connection.path(key)) for key in ("client_certificate", "client_private_key")]
        for file in files:
            if not os.path.isfile(file):
                raise _refusal(connection, f"there is no file {file}", "Correct the path in profiles.yml")
        return trino.auth.CertificateAuthentication(*files)
    return _kerberos(connection) if name == "kerberos" else None


def verification(connection: Connection) -> bool | str:
    """Whether the server's certificate is checked, or the file with whom to trust; checked unless `cert: false`."""
    cert = connection.settings.get("cert")
    if cert is None or isinstance(cert, bool):
        return cert is not False
    file = (connection.root / str(cert)).resolve()
    if not file.exists():
        raise _refusal(connection, f"cert: there is no file {file}", "Correct the path in profiles.yml")
    return str(file)


def headers(connection: Connection) -> dict[str, str]:
    """Headers of the output's own; their values are never shown: gateways are passed with them."""
    given = connection.settings.get("http_headers") or {}
    if not isinstance(given, dict):
        raise _refusal(connection, "http_headers is no mapping", "Write it as a mapping in profiles.yml")
    for value in given.values():
        register(str(value))
    return {str(key): str(value) for key, value in given.items()}


def _kerberos(connection: Connection) -> Any:
    import trino.auth

    if importlib.util.find_spec("requests_kerberos") is None:
        raise MissingDriverError(
            "method 'kerberos' needs a package that is not installed (requests_kerberos)",
            connection=connection.name,
            remedy="Run: pip install 'trino[kerberos]', or use method: jwt, ldap or certificate",
        )
    if connection.first("keytab"):
        os.environ["KRB5_CLIENT_KTNAME"] = str(connection.path("keytab"))  # the library takes it from nowhere else
    more = {key: connection.first(key) for key in _KERBEROS if connection.settings.get(key) is not None}
    sanitize = connection.settings.get("sanitize_mutual_error_response")
    return trino.auth.KerberosAuthentication(
        config=connection.first("krb5_config"),
        service_name=str(connection.first("service_name", default="trino")),
        sanitize_mutual_error_response=True if sanitize is None else bool(sanitize),
        ca_bundle=connection.settings.get("cert"),
        **more,
    )


def _refusal(connection: Connection, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(what, connection=connection.name, remedy=remedy)
