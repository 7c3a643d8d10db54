"""Teradata connections: the keys of an output, and how its driver logs in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import MayPass, Retries, always, attempts
from dvt.connections.spec import ConnectionSpec, Option
from dvt.connections.teradata_errors import may_pass, translate
from dvt.errors import ConfigurationError

__all__ = ["SPEC", "connect", "parameters", "translate"]

_PORT = 1025
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_INTERACTIVE = {"BROWSER": "a browser", "CODE": "a code to type into a browser"}
_WITHOUT_PERSON = "TD2, LDAP, KRB5, TDNEGO, JWT, BEARER, CRED, SECRET or ROPC"
# The output's key where the driver's parameter has another name.
_RENAMED = {"server": "host", "username": "user", "UID": "user", "PWD": "password", "port": "dbs_port"}
# Parameters of the driver that are passed as they are: those of dbt-teradata, and what its logins need besides.
_PASSED = (
    *("account", "connect_failure_ttl", "connect_timeout", "cop", "coplast", "dbs_port", "encryptdata"),
    *("govern", "host", "http_proxy", "http_proxy_password", "http_proxy_user", "https_port", "https_proxy"),
    *("https_proxy_password", "https_proxy_user", "jws_algorithm", "jws_cert", "jws_private_key", "lob_support", "log"),
    *("logdata", "logmech", "logon_timeout", "max_message_body", "oidc_clientid", "oidc_scope", "oidc_sslmode"),
    *("oidc_token", "partition", "password", "proxy_bypass_hosts", "request_timeout", "runstartup", "sessions"),
    *("sip_support", "sp_spl", "sslca", "sslcapath", "sslcipher", "sslcrc", "sslcrl", "sslmode", "sslocsp"),
    *("sslprotocol", "tmode", "user"),
)
# Accepted for dbt's sake; their values would change what a scan gives, or only matter for loading.
_UNREAD = (
    *("browser", "charset", "column_name", "fake_result_sets"),
    *("field_quote", "field_sep", "teradata_values", "retries", "retry_timeout", "schema", "database"),
)
_SECRETS = ("password", "PWD", "logdata", "http_proxy_password", "https_proxy_password")
_DAYS = ("0001-01-01", "9999-12-31")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One system is one place: a query may name tables of all its databases.
    host = str(settings.get("host") or settings.get("server") or "").lower().rstrip(".")
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("dbs_port") or settings.get("port") or _PORT))


# Whole numbers, decimals, days and moments compare by value. Texts are compared as if the shorter one were filled up
# with blanks, and without regard to case unless a column is CASESPECIFIC: what is equal by its characters is equal
# there, and more. Nothing is sent for floats (how a constant is rounded is not documented), times and moments with a
# zone (one that has none takes the session's).
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "byteint|smallint|integer|bigint"),),
        "decimal": (Comparing(r"(decimal|number)\(.*\)", Trust.EXACT, Trust.EXACT, Trust.EXACT),),
        "text": (Comparing("char|varchar", equal=Trust.SUPERSET),),
        "date": (Comparing("date", Trust.EXACT, Trust.EXACT, Trust.EXACT, columns=Trust.EXACT, constants=_DAYS),),
        "timestamp": (
            Comparing(r"timestamp", Trust.EXACT, Trust.EXACT, Trust.EXACT, constants=_DAYS, takes_lists=False),
        ),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="teradata",
    dialect="teradata",
    settings=(*_PASSED, *_UNREAD, *_RENAMED),
    unread=tuple(
        (key, "no log-in waits for a person at a browser") for key in ("browser_tab_timeout", "browser_timeout")
    ),
    required=(("host", "server"),),
    secret_settings=_SECRETS,
    options=(
        Option(
            "fastexport",
            "str",
            "auto",
            "whether rows come by FastExport, in a Parquet file below the folder for temporary files: never, always, or"
            " where a table is large (100,000 rows by its statistics, or 64 MB) whose types the driver writes exactly",
            choices=("auto", "always", "never"),
        ),
        Option(
            "load_with",
            "str",
            "insert",
            "what loads: batches of INSERT, or the driver's FastLoad into a staging table whose rows are numbered, for"
            " 100,000 rows and more (it opens sessions of its own, and drops rows that are equal); a table with a"
            " column that is not for it is loaded by INSERT all the same",
            choices=("insert", "fastload"),
        ),
    ),
    drivers=("teradatasql",),
    extra="teradata",
    place=_place,
    has_snapshot=False,
    landing=Way.ROWS,
    transactional_ddl=False,
    max_identifier_bytes=128,
    comparing=_COMPARING,
)


def parameters(connection: Connection) -> dict[str, str]:
    """What the driver's connect takes; it holds the password.

    Raises:
        ConfigurationError: The login would need a person.
    """
    given: dict[str, Any] = {}
    for key in connection.settings:
        name = _RENAMED.get(key, key)
        if name in _PASSED and connection.first(key) is not None:
            value = connection.secret(key)
            given[name] = str(value).lower() if isinstance(value, bool) else str(value)
    mechanism = given.get("logmech", "TD2").upper()
    if mechanism in _INTERACTIVE:
        raise ConfigurationError(
            f"logmech {mechanism} needs {_INTERACTIVE[mechanism]}, and a run has none",
            connection=connection.name,
            phase="connect",
            remedy=f"Use {_WITHOUT_PERSON}",
        )
    database = connection.first("schema", "database")
    if database:
        given["database"] = str(database)
    given.setdefault("connect_timeout", str(int(connection.options["connect_timeout_s"]) * 1000))
    if connection.options["statement_timeout_s"]:
        given["request_timeout"] = str(connection.options["statement_timeout_s"])
    given.setdefault("tmode", "ANSI")  # as dbt-teradata has it
    given["teradata_values"] = "true"
    return given


def connect(connection: Connection, cancelled: threading.Event | None = None) -> Any:
    """Log in; each statement commits by itself. A refused attempt is repeated `retries` times, as dbt-teradata does.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import teradatasql

    given = parameters(connection)

    def attempt() -> Any:
        try:
            return teradatasql.connect(**given)
        except teradatasql.Error as error:
            raise translate(error, connection, phase="connect") from error

    return attempts(attempt, tried_again(connection, may_pass), connection, cancelled=cancelled)


def tried_again(connection: Connection, passing: MayPass) -> Retries:
    """As often, and after the waits, that the output says."""
    wait_s = always(float(connection.first("retry_timeout", default=1)))
    return Retries(int(connection.first("retries", default=0)), passing, wait_s)
