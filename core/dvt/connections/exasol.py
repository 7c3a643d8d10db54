"""Exasol connections: the keys of an output, and a session in which every value has one form."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.exasol_errors import translate
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import NETWORK_WORDS, Retries, attempts, says
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from pyexasol import ExaConnection

__all__ = ["SPEC", "connect", "translate"]

_MAY_PASS = says(*NETWORK_WORDS, "starting", "too many")
# Whatever the server's or the login's defaults are.
_SESSION = {
    "NLS_DATE_FORMAT": "YYYY-MM-DD",
    "NLS_TIMESTAMP_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF9",
    "NLS_NUMERIC_CHARACTERS": ".,",
    "TIME_ZONE": "UTC",
}
# The server says that it works on a statement more often than that.
_SILENCE_S = 30
_PROTOCOLS = {"v1": 1, "v2": 2, "v3": 3}


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One cluster is one place: a query may name tables of all its schemas.
    return (str(settings.get("dsn") or "").lower(),)


# Only what Exasol's reference leaves no doubt about. An empty text is NULL there, so that nothing is asked with one;
# what else may be equal to a text only adds rows. Decimals of more than 18 digits may meet a constant as doubles.
# Moments are not sent: a literal's form is that of the session, and TIMESTAMP alone has three digits of a second.
_COMPARING = ComparingFacts(
    {
        "decimal": (Comparing.all(Trust.EXACT, r"decimal\(([1-9]|1[0-8]),\d+\)"),),
        "text": (Comparing(r"varchar(\(\d+\))?", equal=Trust.SUPERSET, constants=("\x01", "\U0010ffff")),),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="exasol",
    dialect="exasol",
    # The keys of dbt-exasol. `database` names nothing on the server; row_separator and timestamp_format are for loads.
    settings=(
        *("dsn", "user", "password", "pass", "access_token", "refresh_token", "database", "dbname", "schema"),
        *("connection_timeout", "socket_timeout", "query_timeout", "compression", "encryption"),
        *("validate_server_certificate", "protocol_version", "retries", "row_separator", "timestamp_format"),
    ),
    required=("dsn", ("user", "access_token", "refresh_token")),
    secret_settings=("password", "pass", "access_token", "refresh_token"),
    place=_place,
    drivers=("pyexasol",),
    extra="exasol",
    has_snapshot=False,
    landing=Way.TRANSACTION,
    transactional_ddl=True,
    max_identifier_bytes=128,
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None) -> ExaConnection:
    """Log in, and give the session its forms. A connection that fails is tried again as often as `retries` says.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    # The driver reports its use to its vendor unless it is told not to: dvt sends nothing to anybody.
    os.environ["EXASOL_TELEMETRY_DISABLE"] = "true"
    import pyexasol

    options = _login(connection)

    def attempt() -> ExaConnection:
        try:
            return pyexasol.connect(**options)
        except (pyexasol.ExaError, OSError) as error:
            raise translate(error, connection, phase="connect") from error

    retries = Retries(int(connection.first("retries", default=1)), _MAY_PASS)
    session = attempts(attempt, retries, connection, cancelled=cancelled)
    try:
        for name, value in _SESSION.items():
            session.execute("ALTER SESSION SET " + name + " = '" + value + "'")
    except pyexasol.ExaError as error:
        session.close()
        raise translate(error, connection, phase="connect") from error
    return session


def _login(connection: Connection) -> dict[str, Any]:
    encryption = bool(connection.first("encryption", default=True))
    token = connection.secret("access_token"), connection.secret("refresh_token")
    if any(token) and not encryption:
        raise ConfigurationError(
            "a token would be sent in the clear",
            connection=connection.name,
            remedy="Remove `encryption: false`, or use user and password",
        )
    protocol = str(connection.first("protocol_version", default="v3")).lower()
    if protocol not in _PROTOCOLS:
        raise ConfigurationError(
            f"protocol_version is '{protocol}'", connection=connection.name, remedy="Use v1, v2 or v3"
        )
    limit_s = int(connection.options["statement_timeout_s"]) or int(connection.first("query_timeout", default=0))
    return {
        "dsn": str(connection.first("dsn")),
        "user": connection.first("user"),
        "password": connection.secret("password", "pass"),
        "access_token": token[0],
        "refresh_token": token[1],
        "autocommit": True,
        "connection_timeout": int(
            connection.first("connection_timeout", default=connection.options["connect_timeout_s"])
        ),
        "socket_timeout": int(connection.first("socket_timeout", default=_SILENCE_S)),
        "query_timeout": limit_s,
        "compression": bool(connection.first("compression", default=False)),
        "encryption": encryption,
        "websocket_sslopt": _tls(connection) if encryption else None,
        "protocol_version": _PROTOCOLS[protocol],
        "client_name": "dvt",
        "verbose_error": False,
        "quote_ident": True,  # names in the driver's own statements are taken letter for letter
    }


def _tls(connection: Connection) -> dict[str, Any]:
    """A fingerprint in the address takes the place of the authorities, and is checked by the driver."""
    has_fingerprint = "/" in str(connection.first("dsn"))
    is_checked = connection.settings.get("validate_server_certificate") is not False and not has_fingerprint
    return {"cert_reqs": ssl.CERT_REQUIRED if is_checked else ssl.CERT_NONE}
