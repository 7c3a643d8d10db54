"""Vertica connections: the keys of an output, how to log in, and the settings of a session."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt import errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import NETWORK_WORDS, Retries, attempts, says
from dvt.connections.spec import ConnectionSpec

if TYPE_CHECKING:
    import vertica_python

__all__ = ["SPEC", "connect", "end_session", "run", "translate"]

_DEFAULT_PORT = 5433
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_MAY_PASS = says(*NETWORK_WORDS, "failed to establish", "starting", "too many", "max sessions", "connection closed")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host = str(settings.get("host") or "").lower().rstrip(".")
    return (
        "vertica",
        "localhost" if host in _LOOPBACK else host,
        int(settings.get("port") or _DEFAULT_PORT),
        settings.get("database"),
    )


# The session's locale is set to compare bytes; whether blanks at the end of a text count differs between its types.
# Vertica has no NULLS FIRST, and where it puts NULLs depends on the type.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "integer"),),
        "text": (Comparing("(long )?(var)?char", equal=Trust.SUPERSET, prefix=Trust.SUPERSET),),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "timestamp": (Comparing.all(Trust.EXACT, "timestamp"),),
        "instant": (Comparing.all(Trust.EXACT, "timestamptz"),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
    takes_order=False,
)

SPEC = ConnectionSpec(
    type="vertica",
    dialect="postgres",  # sqlglot has none of Vertica's; what dvt writes is the same in both
    # The keys of dbt-vertica; those that only concern its materializations are accepted and not read.
    settings=(
        *("host", "port", "username", "user", "password", "database", "schema", "ssl", "ssl_env_cafile", "ssl_uri"),
        *("timeout", "connection_load_balance", "retries", "autocommit", "backup_server_node", "session_label"),
        *("withMaterialization", "oauth_access_token", "kerberos_host_name", "kerberos_service_name", "workload"),
        *("tlsmode", "tls_cafile", "tls_certfile", "tls_keyfile"),
    ),
    required=("host", "database", ("username", "user", "oauth_access_token")),
    secret_settings=("password", "oauth_access_token"),
    place=_place,
    drivers=("vertica_python",),
    extra="vertica",
    has_snapshot=False,
    landing=Way.STATEMENT,
    max_identifier_bytes=128,
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None) -> vertica_python.Connection:
    """Log in; values come in their binary form, texts compare by bytes, moments are in UTC.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import vertica_python

    parameters = _parameters(connection)

    def attempt() -> vertica_python.Connection:
        try:
            return vertica_python.connect(**parameters)
        except (vertica_python.Error, OSError, KeyError, TypeError, ValueError) as error:
            raise translate(error, connection, phase="connect") from error

    retries = Retries(int(connection.first("retries", default=1)), _MAY_PASS)
    session = attempts(attempt, retries, connection, cancelled=cancelled)
    session.notice_handler = lambda message: None  # notices would become Python's warnings
    session.socket.settimeout(None)  # what is given for connecting would end long statements, too
    try:
        _configure(session, connection)
    except (vertica_python.Error, OSError) as error:
        end_session(session)
        raise translate(error, connection, phase="connect") from error
    return session


def _parameters(connection: Connection) -> dict[str, Any]:
    timeout_s = connection.first("timeout", default=connection.options["connect_timeout_s"])
    parameters: dict[str, Any] = {
        "host": str(connection.first("host")),
        "port": int(connection.first("port", default=_DEFAULT_PORT)),
        "user": connection.first("username", "user"),
        "password": connection.secret("password"),
        "oauth_access_token": connection.secret("oauth_access_token"),
        "database": str(connection.first("database")),
        "connection_timeout": int(timeout_s),
        "connection_load_balance": connection.settings.get("connection_load_balance", True) is not False,
        "backup_server_node": [_node(node) for node in connection.first("backup_server_node", default=())],
        "session_label": str(connection.first("session_label", default="dvt")),
        "binary_transfer": True,
        "autocommit": True,
        "disable_copy_local": True,  # a server could otherwise ask for files of this machine
    }
    for key in ("kerberos_host_name", "kerberos_service_name", "workload", *_TLS_KEYS):
        if connection.first(key):
            parameters[key] = str(connection.first(key))
    if "tlsmode" not in parameters and str(connection.first("ssl", default="")).lower() in ("true", "yes", "please"):
        parameters["ssl"] = _context(connection)
    return {key: value for key, value in parameters.items() if value is not None}


_TLS_KEYS = ("tlsmode", "tls_cafile", "tls_certfile", "tls_keyfile")


def _node(node: Any) -> Any:
    return (str(node[0]), int(node[1])) if isinstance(node, (list, tuple)) else str(node)


def _context(connection: Connection) -> Any:
    import ssl

    if connection.first("ssl_uri"):
        raise errors.UnsupportedError(
            "ssl_uri would fetch a certificate on each login",
            connection=connection.name,
            remedy="Save it to a file, and name that by ssl_env_cafile or tls_cafile",
        )
    variable = connection.first("ssl_env_cafile")
    return ssl.create_default_context(cafile=os.environ.get(str(variable)) if variable else None)


def _configure(session: vertica_python.Connection, connection: Connection) -> None:
    statements = [
        "set time zone to 'UTC'",
        "set locale to 'en_US@collation=binary'",
        "set standard_conforming_strings to on",
    ]
    limit_s = int(connection.options["statement_timeout_s"])
    if limit_s:
        statements.append(f"set session runtimecap '{limit_s} seconds'")
    for statement in statements:
        run(session, statement)


def run(session: vertica_python.Connection, sql: str) -> list[Any]:
    """Run a statement whose result is small, and give its rows as the driver reads them."""
    cursor = session.cursor()
    cursor.disable_sqldata_converter = False
    cursor.execute(sql)
    return list(cursor.fetchall())


def end_session(session: vertica_python.Connection) -> None:
    """Close a session, whatever state it is in."""
    import vertica_python

    try:
        if session.socket is not None:
            session.close()
    except (vertica_python.Error, OSError):
        return


_RUN_AGAIN = "Run it again"
_BY_STATE: dict[str, tuple[type[errors.DvtError], str]] = {
    "08": (errors.ConnectionLostError, _RUN_AGAIN),
    "22": (errors.DataError, "Correct the value at the source, or cast it in a query"),
    "28": (errors.AuthenticationError, "Check username and password"),
    "3D000": (errors.ConnectionFailedError, "Check database"),
    "3F": (errors.RelationNotFoundError, "Check the schema's name"),
    "42501": (errors.PrivilegeError, "Grant the privilege to the login"),
    "42703": (errors.RelationNotFoundError, "Check the column's name"),
    "42V01": (errors.RelationNotFoundError, "Check the relation's name and schema"),
    "53": (errors.ResourceError, "Free memory in the resource pool, or read less"),
    "55V03": (errors.TimeoutExceededError, "Another session holds the relation: run again when it is done"),
    "57014": (errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or read less"),
    "57": (errors.ConnectionLostError, "The server ended the session: run again when it is up"),
    "V1001": (errors.ConnectionLostError, _RUN_AGAIN),
}
_STATE = re.compile(r"Sqlstate: ?'?(\w{5})")
_MESSAGE = re.compile(r"Message: (.*?)(?:, (?:Sqlstate|Routine|File|Hint|Detail|Error Code|Position): |$)", re.DOTALL)


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    if isinstance(error, errors.DvtError):
        return error.at(connection=connection.name, relation=relation, phase=phase)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    text = " ".join(str(error).split())
    found = _STATE.search(text)
    state = getattr(error, "sqlstate", None) or (found.group(1) if found else "")
    words = _MESSAGE.search(text)
    message = words.group(1) if words else text or type(error).__name__
    if "run time cap" in message.lower() or "runtimecap" in message.lower():
        return errors.TimeoutExceededError(message, remedy="Raise dvt.statement_timeout_s, or read less", **place)
    for length in (5, 2):
        if state and state[:length] in _BY_STATE:
            family, remedy = _BY_STATE[state[:length]]
            return family(message, remedy=remedy, **place)
    if state and phase != "connect":
        return errors.QueryError(message, remedy="Correct the query", **place)
    if phase == "connect":
        lowered = message.lower()
        if "kerberos" in lowered or "authentication" in lowered or "password" in lowered:
            return errors.AuthenticationError(message, remedy="Check username, password and login method", **place)
        if any(word in lowered for word in ("ssl", "tls", "certificate")):
            return errors.ConnectionFailedError(message, remedy="Check tlsmode and the certificates", **place)
        return errors.ConnectionFailedError(message, remedy="Check host, port and that the server is up", **place)
    return errors.ConnectionLostError(message, remedy=_RUN_AGAIN, **place)
