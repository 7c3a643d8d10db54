"""Snowflake connections: the keys of an output, what a session is set to, and how names are folded."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import Retries, always, attempts, squares, widened
from dvt.connections.snowflake_errors import translate
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError, ConnectionFailedError
from dvt.identifiers import Relation

__all__ = ["SPEC", "cancel_all", "connect", "folded", "qualified", "translate"]

# Whatever the account, the user or the warehouse say: values have one form, results no end before their end.
_SESSION: Mapping[str, Any] = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    **dict.fromkeys(("DATE_INPUT_FORMAT", "TIME_INPUT_FORMAT", "TIMESTAMP_INPUT_FORMAT"), "AUTO"),
    "BINARY_INPUT_FORMAT": "HEX",
    "ROWS_PER_RESULTSET": 0,
    "DEFAULT_NULL_ORDERING": "LAST",  # what an order leaves unsaid
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "MULTI_STATEMENT_COUNT": 1,
    "JSON_INDENT": 0,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    "CLIENT_RESULT_CHUNK_SIZE": 48,  # MB; several are fetched ahead
    "CLIENT_TELEMETRY_ENABLED": False,
}
# What an identifier that nobody quoted may be.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # Names without a database mean that of the output.
    account = str(settings.get("host") or settings.get("account") or "").lower().replace("_", "-")
    return (account, settings.get("port"), str(settings.get("database") or "").upper())


# Numbers, dates and moments compare by value. NaN is its own equal and larger than all, as in the compute engine. Texts
# compare by their bytes, unless the column has a collation, which a result's description does not tell: then others are
# equal, too, and the order is another. Semi-structured values are not compared.
_DAYS = ("1582-10-15", "9999-12-31")
_MOMENT = Comparing(
    r"(date|timestamp_(ntz|ltz|tz))(\(\d\))?",
    *(Trust.EXACT, Trust.EXACT, Trust.EXACT),
    columns=Trust.EXACT,
    constants=_DAYS,
    takes_lists=False,
)
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, r"number\(\d+,0\)"),),
        "decimal": (Comparing.all(Trust.EXACT, r"number\(\d+,\d+\)"),),
        "double": (Comparing.all(Trust.EXACT, "float"),),
        "text": (Comparing("varchar", equal=Trust.SUPERSET),),
        "date": (_MOMENT,),
        "timestamp": (_MOMENT,),
        "instant": (_MOMENT,),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="snowflake",
    dialect="snowflake",
    # The keys of dbt-snowflake; those that only concern its materializations are accepted and not read.
    settings=(
        *("account", "user", "password", "authenticator", "private_key", "private_key_path"),
        *("private_key_passphrase", "token", "oauth_client_id", "oauth_client_secret", "oauth_authorization_url"),
        *("oauth_token_request_url", "oauth_redirect_uri", "oauth_scope", "oauth_disable_pkce"),
        *("oauth_enable_refresh_token", "oauth_enable_single_use_refresh_tokens"),
        *("role", "warehouse", "database", "schema", "query_tag", "session_parameters"),
        *("client_session_keep_alive", "reuse_connections", "host", "port", "protocol", "proxy_host", "proxy_port"),
        *("connect_retries", "connect_timeout", "retry_on_database_errors", "retry_all", "insecure_mode"),
        "s3_stage_vpce_dns_name",
    ),
    required=("account",),
    secret_settings=("password", "private_key", "private_key_passphrase", "token", "oauth_client_secret"),
    place=_place,
    options=(
        Option(
            "names",
            "str",
            "folded",
            "how names of sources are looked up: a name that needs no quotes in upper case, as Snowflake does with one"
            " that has none, or exactly as written",
            choices=("folded", "exact"),
        ),
        Option(
            "whole_numbers_as",
            "str",
            "decimal",
            "how whole numbers of more than 18 digits (INT and BIGINT are NUMBER(38, 0)) are carried: as decimals, or"
            " as 64-bit integers (a larger value stops the run)",
            choices=("decimal", "bigint"),
        ),
        Option(
            "zoned_as",
            "str",
            "instant",
            "how TIMESTAMP_TZ is read: as an instant (its offset is not carried), or as text with the offset",
            choices=("instant", "text"),
        ),
        Option(
            "load_through",
            "str",
            "",
            "`s3://bucket/folder`, `gs://...` or `abfss://...` through which rows are loaded as Parquet, in the place"
            " of PUT; dvt reaches it with the environment's credentials",
        ),
        Option("load_integration", "str", "", "the storage integration by which Snowflake reads load_through"),
        Option(
            "load_with",
            "str",
            "put",
            "what loads: Parquet by PUT and a COPY that says how each value is read, or the ingest of"
            " adbc-driver-snowflake (adbc), whose rows are read back and compared; a table with a column that is not"
            " for it is loaded by PUT all the same",
            choices=("put", "adbc"),
        ),
    ),
    drivers=("snowflake.connector",),
    extra="snowflake",
    has_snapshot=False,
    landing=Way.STATEMENT,
    catalogue_settings=("database",),
    max_identifier_bytes=255,
    comparing=_COMPARING,
)


def folded(name: str, connection: Connection) -> str:
    """A name as Snowflake keeps it: what could stand without quotes is upper-case there."""
    is_plain = connection.options["names"] == "folded" and _PLAIN_NAME.match(name)
    return name.upper() if is_plain else name


def qualified(relation: Relation, connection: Connection) -> Relation:
    """A relation with its schema and database, where the output names them."""

    def part(name: str | None, key: str) -> str | None:
        found = name or connection.first(key)
        return folded(str(found), connection) if found else None

    return Relation(
        folded(relation.name, connection), part(relation.schema, "schema"), part(relation.database, "database")
    )


def connect(connection: Connection, cancelled: threading.Event | None = None) -> Any:
    """Log in; failures of the network are tried again as often as `connect_retries` says.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Returns:
        The connector's connection.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import snowflake.connector

    from dvt.connections.snowflake_login import login_arguments

    arguments = {**_arguments(connection), **login_arguments(connection)}

    def attempt() -> Any:
        try:
            return snowflake.connector.connect(**arguments)
        except (snowflake.connector.Error, OSError) as error:
            raise translate(error, connection, phase="connect") from error

    wait_s = connection.first("connect_timeout")
    retries = Retries(
        int(connection.first("connect_retries", default=1)),
        widened(lambda error: _is_network(error, connection), connection, "retry_on_database_errors"),
        squares if wait_s is None else always(float(wait_s)),
    )
    return attempts(attempt, retries, connection, cancelled=cancelled)


def _is_network(error: BaseException, connection: Connection) -> bool:
    """Whether it is a failure of the network."""
    return isinstance(translate(error, connection, phase="connect"), ConnectionFailedError)


def _arguments(connection: Connection) -> dict[str, Any]:
    keys = ("user", "role", "warehouse", "database", "schema", "host", "port", "protocol", "proxy_host", "proxy_port")
    names = {key: connection.first(key) for key in keys if connection.first(key)}
    return {
        **names,
        "account": str(connection.first("account")).replace("_", "-"),
        "autocommit": True,
        "application": "dvt",
        "arrow_number_to_decimal": True,  # or numbers with a scale would be doubles
        # Release 5 warns where nothing is said; a session that is closed is to be gone.
        "enable_server_session_keep_alive_auto_detection": False,
        "client_session_keep_alive": bool(connection.first("client_session_keep_alive", default=False)),
        "login_timeout": int(connection.options["connect_timeout_s"]),
        "platform_detection_timeout_seconds": 0.0,  # it would ask the metadata services of three clouds
        "session_parameters": session_parameters(connection),
        **({"insecure_mode": True} if connection.first("insecure_mode") else {}),
    }


def session_parameters(connection: Connection) -> dict[str, Any]:
    """What a session is set to: the output's own parameters, and over them what keeps values exact.

    Raises:
        ConfigurationError: `session_parameters` is no mapping.
    """
    own = connection.settings.get("session_parameters") or {}
    if not isinstance(own, Mapping):
        raise ConfigurationError(
            f"session_parameters is {own!r}", connection=connection.name, remedy="Write it as a mapping in profiles.yml"
        )
    limit_s = int(connection.options["statement_timeout_s"])
    return {
        **{str(key).upper(): value for key, value in own.items()},
        "QUERY_TAG": str(connection.first("query_tag", default="dvt")),
        **_SESSION,
        **({"STATEMENT_TIMEOUT_IN_SECONDS": limit_s} if limit_s else {}),
    }


def cancel_all(connection: Connection, session_id: int) -> None:
    """End what a session runs, through a session of its own: a statement's number is known only when it has ended."""
    import snowflake.connector

    try:
        other = connect(connection)
        try:
            other.cursor().execute(" ".join(["SELECT", f"SYSTEM$CANCEL_ALL_QUERIES({int(session_id)})"]))
        finally:
            other.close()
    except (snowflake.connector.Error, ConnectionFailedError, OSError):
        return  # closing the session ends its statements, too, if later
