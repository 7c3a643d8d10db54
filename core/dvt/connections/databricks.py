"""Databricks connections: the keys of an output, and how to log in to a warehouse or cluster."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dvt.connections.connection import Connection
from dvt.connections.databricks_errors import translate
from dvt.connections.databricks_login import credentials
from dvt.connections.landing_ways import Way
from dvt.connections.reach import require_port, tried_again
from dvt.connections.retrying import attempts
from dvt.connections.spark_comparing import SPARK_COMPARING
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError

if TYPE_CHECKING:
    from databricks.sql.client import Connection as Session

__all__ = ["SPEC", "connect", "default_catalog", "translate"]

_NO_SCHEMA = "[SCHEMA_NOT_FOUND"
_CATALOG_PROPERTY = "databricks.catalog"
# What an output's connection_parameters may not say, because its own keys do.
_RESERVED = frozenset(
    {
        *("server_hostname", "http_path", "access_token", "client_id", "client_secret", "session_configuration"),
        *("catalog", "schema", "_user_agent_entry", "user_agent_entry", "credentials_provider"),
    }
)
# Values have one form, whatever the output says: results are read as Arrow by the Thrift protocol. No telemetry.
_OURS: Mapping[str, Any] = {
    "enable_telemetry": False,
    "force_enable_telemetry": False,
    "use_sea": False,
    "use_kernel": False,
    "_use_arrow_native_complex_types": True,
    "_use_arrow_native_decimals": True,
    "_use_arrow_native_timestamps": True,
    "_disable_pandas": True,
    "use_inline_params": False,
}


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # All warehouses of a workspace read the same tables; names without a catalog mean another one in each catalog.
    host = str(settings.get("host") or "").lower().removeprefix("https://").rstrip("/.")
    return (host, str(settings.get("catalog") or settings.get("database") or "hive_metastore"))


SPEC = ConnectionSpec(
    type="databricks",
    dialect="databricks",
    # The keys of dbt-databricks; those that only concern its materializations are accepted and not read.
    settings=(
        *("host", "http_path", "token", "catalog", "database", "schema", "auth_type", "client_id", "client_secret"),
        *("azure_client_id", "azure_client_secret", "oauth_redirect_url", "oauth_scopes", "session_properties"),
        *("connection_parameters", "connect_retries", "connect_timeout", "retry_all", "compute"),
        *("query_tags", "user_agent_entry"),
    ),
    unread=(("connect_max_idle", "a session is closed when its query has been read"),),
    required=("host", "http_path"),
    secret_settings=("token", "client_secret", "azure_client_secret"),
    place=_place,
    options=(
        Option(
            "load_through",
            "str",
            "",
            "`s3://bucket/folder`, `gs://...` or `abfss://...` of an external location, through which rows are loaded"
            " as Parquet; dvt reaches it with the environment's credentials",
        ),
        Option(
            "volume",
            "str",
            "",
            "`/Volumes/catalog/schema/volume`, or a folder in it, through which rows are loaded as Parquet; without it"
            " they are bound to INSERT statements",
        ),
    ),
    drivers=("databricks.sql",),
    extra="databricks",
    has_snapshot=False,
    landing=Way.STATEMENT,
    transactional_ddl=False,
    max_identifier_bytes=255,
    catalogue_settings=("catalog", "database"),
    comparing=SPARK_COMPARING,
)


def default_catalog(connection: Connection) -> str:
    """The catalog in which names without one are looked up."""
    properties = connection.settings.get("session_properties") or {}
    named = properties.get(_CATALOG_PROPERTY) if isinstance(properties, Mapping) else None
    return str(connection.first("catalog", "database", default=named or "hive_metastore"))


def connect(connection: Connection, cancelled: threading.Event | None = None) -> Session:
    """Log in, in a session whose zone is UTC.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConfigurationError: Keys that cannot be, or a log-in that asks a person.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    from databricks import sql

    parameters = _mapping(connection, "connection_parameters")
    if taken := sorted(_RESERVED & parameters.keys()):
        raise ConfigurationError(
            f"connection_parameters has {', '.join(taken)}, which other keys of the output say",
            connection=connection.name,
            remedy="Remove it in profiles.yml",
        )
    headers = parameters.pop("http_headers", None) or {}
    origin = _origin(connection, parameters)
    login = credentials(connection, origin)
    configuration = _configuration(connection)

    def opened(schema: str | None) -> Session:
        session = sql.connect(
            server_hostname=urlsplit(origin).netloc,
            http_path=str(connection.first("http_path")),
            catalog=default_catalog(connection),
            schema=schema,
            session_configuration=configuration,
            http_headers=list(headers.items()) or None,
            user_agent_entry="dvt",
            **{"_socket_timeout": 600, **parameters, **_OURS, **login},
        )
        _begin(session, connection)
        return session

    def attempt() -> Session:
        _reach(connection, origin)
        schema = connection.first("schema")
        try:
            try:
                return opened(schema)
            except Exception as error:
                if not schema or _NO_SCHEMA not in str(error):
                    raise
                return opened(None)  # it is made when the first model lands there
        except Exception as error:  # the connector raises bare ones where it asks for tokens
            raise translate(error, connection, phase="connect") from error

    return attempts(attempt, tried_again(connection, retries=1, wait_s=None), connection, cancelled=cancelled)


def _begin(session: Session, connection: Connection) -> None:
    """Statements by which moments have one form, and none runs longer than allowed."""
    limit_s = int(connection.options["statement_timeout_s"])
    with session.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        if limit_s:
            cursor.execute(" ".join(["SET STATEMENT_TIMEOUT =", str(limit_s)]))


def _configuration(connection: Connection) -> dict[str, str]:
    """The session's properties, as texts."""
    given = _mapping(connection, "session_properties")
    return {str(name): str(value) for name, value in given.items() if name != _CATALOG_PROPERTY}


def _mapping(connection: Connection, key: str) -> dict[str, Any]:
    given = connection.settings.get(key) or {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"{key} is {given!r}", connection=connection.name, remedy="Write it as a mapping in profiles.yml"
        )
    return dict(given)


def _origin(connection: Connection, parameters: Mapping[str, Any]) -> str:
    """Scheme, host and port of the workspace."""
    given = str(parameters.get("_connection_uri") or "") or str(connection.first("host"))
    split = urlsplit(given if "://" in given else f"https://{given}")
    return f"{split.scheme}://{split.netloc}"


def _reach(connection: Connection, origin: str) -> None:
    """Whether the port answers; the connector would try for a quarter of an hour.

    Behind a proxy it is the connector's to find out.
    """
    split = urlsplit(origin)
    host, port = split.hostname or "", split.port or (443 if split.scheme == "https" else 80)
    if split.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    require_port(connection, host, port)
