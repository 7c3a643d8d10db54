"""Redshift connections: the keys of an output, the ways to log in, and the settings of a session."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.postgres import SPEC as POSTGRES
from dvt.connections.redshift_errors import translate
from dvt.connections.redshift_login import login_parameters
from dvt.connections.retrying import NETWORK_WORDS, Retries, attempts, says, widened
from dvt.connections.spec import ConnectionSpec, Option
from dvt.identifiers import quote
from dvt.types.redshift import WIRE

if TYPE_CHECKING:
    import redshift_connector

__all__ = ["SPEC", "connect", "end_session", "run", "translate"]

_DEFAULT_PORT = 5439
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_MAY_PASS = says(*NETWORK_WORDS, "starting up", "shutting down", "too many")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host = str(settings.get("host") or "").lower().rstrip(".")
    port = int(settings.get("port") or _DEFAULT_PORT)
    return ("localhost" if host in _LOOPBACK else host, port, settings.get("dbname") or settings.get("database"))


# A database, or a column, may be COLLATE CASE_INSENSITIVE, and no result says so; blanks at the end of texts may not
# count. So equal bytes are equal, and perhaps others are. Decimals of many digits may overflow where they are brought
# to one scale, and floats have NaN: neither is asked.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "smallint|integer|bigint"),),
        "text": (
            Comparing(r"text|character( varying)?(\(\d+\))?", equal=Trust.SUPERSET, prefix=Trust.SUPERSET),
        ),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "timestamp": (Comparing.all(Trust.EXACT, "timestamp without time zone"),),
        "instant": (Comparing.all(Trust.EXACT, "timestamp with time zone"),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)  # fmt: skip

SPEC = ConnectionSpec(
    type="redshift",
    dialect="redshift",
    # The keys of dbt-redshift; those that only concern its materializations are accepted and not read.
    settings=(
        *("host", "port", "user", "password", "pass", "dbname", "database", "schema", "method", "cluster_id"),
        *("iam_profile", "autocreate", "db_groups", "ra3_node", "connect_timeout", "role", "sslmode", "retries"),
        *("retry_all", "region", "autocommit", "access_key_id", "secret_access_key", "is_serverless"),
        *(
            "serverless_work_group",
            "serverless_acct_id",
            "idc_region",
            "issuer_url",
            "idp_listen_port",
            "idc_client_display_name",
        ),
        *("token_endpoint", "datasharing", "query_group", "tcp_keepalive"),
        *("tcp_keepalive_idle", "tcp_keepalive_interval", "tcp_keepalive_count"),
    ),
    unread=(("idp_response_timeout", "no log-in waits for a person at a browser"),),
    required=("host", ("dbname", "database")),
    secret_settings=("password", "pass", "secret_access_key", "token_endpoint"),
    place=_place,
    options=(
        next(option for option in POSTGRES.options if option.name == "numeric_scale"),
        Option(
            "unload_to", "str", "", "`s3://bucket/folder` through which rows are read as Parquet, where they can be"
        ),
        Option("unload_role", "str", "", "the role (an ARN, or `default`) with which the cluster writes to unload_to"),
        Option("load_through", "str", "", "`s3://bucket/folder` through which rows are loaded as Parquet, by COPY"),
        Option(
            "load_role", "str", "", "the role with which the cluster reads load_through; unload_role when not given"
        ),
    ),
    drivers=("redshift_connector",),
    extra="redshift",
    max_identifier_bytes=127,
    catalogue_settings=("dbname", "database"),
    landing=Way.TRANSACTION,
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None) -> redshift_connector.Connection:
    """Log in, and bring every value into one form: UTC, ISO dates, the server's text where the driver changes values.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        UnsupportedError: The output's method needs a person at a browser.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    parameters = login_parameters(connection)

    def attempt() -> redshift_connector.Connection:
        try:
            return _opened(parameters)
        except Exception as error:
            raise translate(error, connection, phase="connect") from error

    retries = Retries(int(connection.first("retries", default=1)), widened(_MAY_PASS, connection))
    session = attempts(attempt, retries, connection, cancelled=cancelled)
    try:
        _configure(session, connection)
    except Exception as error:
        end_session(session)
        raise translate(error, connection, phase="connect") from error
    return session


def _opened(parameters: dict[str, Any]) -> redshift_connector.Connection:
    import redshift_connector

    session = redshift_connector.connect(**parameters)
    session._usock.settimeout(None)  # what is given for connecting would end long statements, too
    session.redshift_types.update(WIRE)
    session.autocommit = True
    return session


def _configure(session: redshift_connector.Connection, connection: Connection) -> None:
    limit_ms = connection.options["statement_timeout_s"] * 1000
    statements = ["set timezone to 'UTC'", "set datestyle to 'ISO, YMD'", f"set statement_timeout to {int(limit_ms)}"]
    role = connection.first("role")
    if role:
        statements.append("set role " + quote(str(role), "redshift"))
    for statement in statements:
        run(session, statement)


def run(session: redshift_connector.Connection, sql: str, *parameters: Any) -> list[Any]:
    """Run a statement whose result is small, and give its rows."""
    cursor = session.cursor()
    try:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall()) if cursor.ps and cursor.ps["row_desc"] else []
    finally:
        cursor.close()


def forget(session: redshift_connector.Connection) -> None:
    """Let go of the texts of statements, all of which the driver keeps for the life of a session."""
    for by_style in session._caches.values():
        for cache in by_style.values():
            cache["statement"].clear()


def end_session(session: redshift_connector.Connection) -> None:
    """Close a session, whatever state it is in."""
    import redshift_connector

    try:
        session.close()
    except (redshift_connector.Error, OSError, AttributeError):
        return
