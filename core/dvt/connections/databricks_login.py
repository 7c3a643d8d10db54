"""How a Databricks connection proves who it is: a token, or the secret of a service principal."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.databricks_errors import NO_TOKEN, TokenError
from dvt.errors import ConfigurationError

# So long before its end a token is asked for anew.
_EARLY_S = 60
_ALTERNATIVES = (
    "Use `token`, or `auth_type: oauth` with client_id and client_secret of a service principal,"
    " or azure_client_id and azure_client_secret"
)


def credentials(connection: Connection, origin: str) -> dict[str, Any]:
    """What the connector is given for the log-in.

    Args:
        connection: The connection.
        origin: Scheme, host and port of the workspace.

    Raises:
        ConfigurationError: Nothing is there that works without a person at a browser.
    """
    auth_type = str(connection.first("auth_type", default="token"))
    timeout_s = int(connection.options["connect_timeout_s"])
    if auth_type not in ("token", "oauth"):
        raise _refusal(connection, f"auth_type is {auth_type!r}")
    if auth_type == "token":
        token = connection.secret("token")
        if not token:
            raise _refusal(connection, "there is no token")
        return {"access_token": token}
    client_id, client_secret = connection.first("client_id"), connection.secret("client_secret")
    if client_id and client_secret:
        return {"credentials_provider": ServicePrincipal(origin, str(client_id), client_secret, timeout_s)}
    azure_id, azure_secret = connection.first("azure_client_id"), connection.secret("azure_client_secret")
    if azure_id and azure_secret:
        return {"auth_type": "azure-sp-m2m", "azure_client_id": azure_id, "azure_client_secret": azure_secret}
    if connection.secret("token"):
        return {"access_token": connection.secret("token")}
    raise _refusal(connection, "auth_type oauth without a client secret asks a person to log in with a browser")


class ServicePrincipal:
    """Tokens of a service principal (OAuth, machine to machine), in the form that the connector takes.

    Args:
        origin: Scheme, host and port of the workspace.
        client_id: The principal's.
        client_secret: The principal's.
        timeout_s: Seconds until a request is given up.
    """

    def __init__(self, origin: str, client_id: str, client_secret: str, timeout_s: int) -> None:
        self._address = origin + "/oidc/v1/token"
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._timeout_s = timeout_s
        self._token = ""
        self._ends = 0.0
        self._lock = threading.Lock()

    def auth_type(self) -> str:
        """The connector asks."""
        return "databricks-m2m"

    def __call__(self, *_: Any) -> Callable[[], dict[str, str]]:
        """The function that gives the headers of a request."""
        return self._headers

    def _headers(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() > self._ends:
                self._renew()
            return {"Authorization": f"Bearer {self._token}"}

    def _renew(self) -> None:
        """Ask for a token.

        Raises:
            TokenError: There is none for these credentials.
        """
        import urllib3

        with urllib3.PoolManager(timeout=self._timeout_s, retries=False) as pool:
            answer = pool.request(
                "POST",
                self._address,
                fields={"grant_type": "client_credentials", "scope": "all-apis"},
                encode_multipart=False,
                headers={"Authorization": f"Basic {self._basic}"},
            )
        reply = _decoded(answer.data)
        if answer.status != 200 or "access_token" not in reply:
            why = reply.get("error_description") or reply.get("error") or f"status {answer.status}"
            raise TokenError(f"{NO_TOKEN}: {why}")
        self._token = str(reply["access_token"])
        self._ends = time.monotonic() + float(reply.get("expires_in", 3600)) - _EARLY_S


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        reply = json.loads(body)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}


def _refusal(connection: Connection, what: str) -> ConfigurationError:
    return ConfigurationError(what, connection=connection.name, phase="connect", remedy=_ALTERNATIVES)
