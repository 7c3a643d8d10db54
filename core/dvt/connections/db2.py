"""Db2 connections: the keys of an output, and how its driver logs in. Db2 for Linux, UNIX and Windows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.db2_errors import driver_errors, error_code, translate
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import Retries, attempts
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError, DvtError

__all__ = ["SPEC", "connect", "connection_string", "driver_errors", "translate"]

_PORT = 50000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# The output's key, and the driver's keyword (CLI/ODBC configuration keywords).
_KEYWORDS = (
    ("database", "DATABASE"),
    ("host", "HOSTNAME"),
    ("port", "PORT"),
    ("protocol", "PROTOCOL"),
    ("user", "UID"),
    ("username", "UID"),
    ("password", "PWD"),
    ("security", "SECURITY"),
    ("ssl_server_certificate", "SSLSERVERCERTIFICATE"),
    ("ssl_client_keystoredb", "SSLCLIENTKEYSTOREDB"),
    ("ssl_client_keystash", "SSLCLIENTKEYSTASH"),
    ("ssl_client_keystore_password", "SSLCLIENTKEYSTOREDBPASSWORD"),
    ("ssl_client_label", "SSLCLIENTLABEL"),
    ("ssl_client_hostname_validation", "SSLCLIENTHOSTNAMEVALIDATION"),
    ("tls_version", "TLSVERSION"),
    ("authentication", "AUTHENTICATION"),
    ("access_token", "ACCESSTOKEN"),
    ("access_token_type", "ACCESSTOKENTYPE"),
    ("api_key", "APIKEY"),
    ("krb_plugin", "KRBPLUGIN"),
    ("target_principal", "TARGETPRINCIPAL"),
    # In capitals: so the driver's Python part finds it, and sets the schema once more.
    ("schema", "CURRENTSCHEMA"),
)
_SECRETS = ("password", "access_token", "api_key", "ssl_client_keystore_password", "extra_connect_opts")
_DAYS = ("0001-01-01", "9999-12-31")
_NOT_EMPTY = ("\1", "\U0010ffff")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host = str(settings.get("host") or "").lower().rstrip(".")
    database = str(settings.get("database") or "").lower()
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or _PORT), database)


# Numbers, days and moments compare by value. A text is compared as if the shorter one were filled up with blanks, and
# under the database's collation: what is equal by its characters is equal there, and more. Nothing is sent for DECFLOAT
# (NaN has an order of its own), for doubles (how a constant is rounded is not documented) and for times (24:00:00).
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "smallint|integer|bigint"),),
        "decimal": (Comparing(r"decimal\(.*\)", Trust.EXACT, Trust.EXACT, Trust.EXACT),),
        "text": (
            Comparing(r"varchar\(\d+\)", equal=Trust.SUPERSET),
            # Blanks alone are read as an empty text, which is NULL to a database with Oracle's VARCHAR2: not asked for.
            Comparing(r"character\(\d+\)", equal=Trust.SUPERSET, constants=_NOT_EMPTY, takes_lists=False),
        ),
        "date": (Comparing("date", Trust.EXACT, Trust.EXACT, Trust.EXACT, columns=Trust.EXACT, constants=_DAYS),),
        "timestamp": (
            Comparing(r"timestamp\([0-6]\)", Trust.EXACT, Trust.EXACT, Trust.EXACT, constants=_DAYS, takes_lists=False),
        ),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT, takes_lists=False),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="db2",
    dialect="db2",
    # The keys of dbt-ibmdb2, and the driver's for TLS, tokens and Kerberos.
    settings=(*(key for key, _ in _KEYWORDS), "extra_connect_opts", "retries"),
    required=("host", "database"),
    secret_settings=_SECRETS,
    options=(
        Option(
            "time_as",
            "str",
            "time",
            "how TIME columns are read: as a time of day (24:00:00 stops the run), or as text",
            choices=("time", "text"),
        ),
    ),
    drivers=("ibm_db_dbi",),
    extra="db2",
    place=_place,
    has_snapshot=False,
    landing=Way.TRANSACTION,
    max_identifier_bytes=128,
    comparing=_COMPARING,
)


def connection_string(connection: Connection) -> str:
    """The driver's connection string; it holds the password.

    Raises:
        ConfigurationError: A value cannot stand in one.
    """
    given = {"port": _PORT, "protocol": "TCPIP", **connection.settings}
    parts = {}
    for key, keyword in _KEYWORDS:
        value = connection.secret(key) if key in _SECRETS else given.get(key)
        if value in (None, ""):
            continue
        text = str(value)
        if ";" in text or "\0" in text or text[0] in "{\"' " or text[-1] == " ":
            raise ConfigurationError(
                f"the value of '{key}' cannot stand in a connection string of Db2",
                connection=connection.name,
                phase="connect",
                remedy="Change it: no semicolon, and no quote, brace or blank at its beginning",
            )
        parts[keyword] = text
    parts["CONNECTTIMEOUT"] = str(connection.options["connect_timeout_s"])
    extra = (connection.secret("extra_connect_opts") or "").strip(";")
    return "".join(f"{keyword}={text};" for keyword, text in parts.items()) + (f"{extra};" if extra else "")


def connect(connection: Connection, cancelled: threading.Event | None = None) -> Any:
    """Log in; each statement commits by itself.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import ibm_db_dbi

    text = connection_string(connection)
    own = {ibm_db_dbi.SQL_ATTR_AUTOCOMMIT: ibm_db_dbi.SQL_AUTOCOMMIT_ON}

    def attempt() -> Any:
        try:
            return ibm_db_dbi.connect(text, "", "", "", "", own)
        except driver_errors() as error:
            raise translate(error, connection, phase="connect") from error

    session = attempts(attempt, tried_again(connection), connection, cancelled=cancelled)
    # Decimals stay the digits that they come as: making Python's of each costs more than reading it.
    session.set_fix_return_type(False)
    return session


def application_handle(session: Any) -> int:
    """What the server calls a session; 0 for those that may not ask."""
    try:
        with contextlib.closing(session.cursor()) as cursor:
            cursor.execute("VALUES SYSPROC.MON_GET_APPLICATION_HANDLE()")
            return int(cursor.fetchall()[0][0])
    except driver_errors():
        return 0


def force_off(connection: Connection, handle: int) -> None:
    """Have another session force one off: the driver gives no way to end a statement."""
    with contextlib.suppress(DvtError, *driver_errors()):  # who may not force waits for the end of the statement
        with contextlib.closing(connect(connection)) as other, contextlib.closing(other.cursor()) as cursor:
            cursor.execute(f"CALL SYSPROC.ADMIN_CMD('FORCE APPLICATION ({int(handle)})')")


def tried_again(connection: Connection, *, statements: bool = False) -> Retries:
    """How often a log-in is tried again, or a statement that reads: `retries` says it of both."""
    return Retries(int(connection.first("retries", default=0)), is_deadlock if statements else may_pass)


def may_pass(error: BaseException) -> bool:
    """Whether another attempt may go better: the network broke, or the server is starting or full."""
    return any(f"SQLCODE={code}" in str(error) for code in (-30081, -1224, -1032, -1226, -1040))


def is_deadlock(error: BaseException) -> bool:
    """Whether the statement was rolled back as the victim of a deadlock; a lock that was not had in time is not one."""
    text = str(error)
    return error_code(text) in (-911, -913) and 'reason code "2"' in text.lower()
