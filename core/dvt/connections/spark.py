"""Spark connections over Spark Connect: the keys of an output, and how to log in."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.reach import require_port, tried_again
from dvt.connections.retrying import attempts
from dvt.connections.spark_comparing import SPARK_COMPARING
from dvt.connections.spark_errors import fault
from dvt.connections.spec import ConnectionSpec, Option
from dvt.identifiers import quote as quoted

if TYPE_CHECKING:
    from pyspark.sql.connect.client import SparkConnectClient

__all__ = ["SPEC", "connect", "run", "translate"]

_PORT = 15002
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OTHERS = {
    "thrift": "`type: hive` reads a Spark Thrift server",
    "http": "`type: databricks` reads a Databricks cluster or warehouse",
    "odbc": "`type: databricks` reads a Databricks cluster or warehouse",
    "livy": "Livy has no Arrow: give the address of a Spark Connect server",
}
# A server that restarts is waited for; one that went away is told within half a minute.
_RETRIES = {"max_retries": 6, "initial_backoff": 50, "max_backoff": 5000}


def _address(settings: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port of the Spark Connect server."""
    split = urlsplit(str(settings.get("connect") or ""))
    if split.hostname:
        return split.hostname.lower(), split.port or _PORT
    return str(settings.get("host") or "localhost").lower(), int(settings.get("port") or _PORT)


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host, port = _address(settings)
    return ("localhost" if host in _LOOPBACK else host, port)


SPEC = ConnectionSpec(
    type="spark",
    dialect="spark",
    # The keys of dbt-spark, and `connect`, the address of a Spark Connect server (sc://host:port/;use_ssl=true).
    settings=(
        *("connect", "method", "host", "port", "schema", "database", "user", "password", "token", "use_ssl", "auth"),
        *("server_side_parameters", "connect_retries", "connect_timeout", "retry_all", "query_timeout"),
        *("driver", "cluster", "endpoint", "organization"),
        *("kerberos_service_name", "connection_string_suffix"),
    ),
    unread=(
        ("poll_interval", "nothing is polled: Spark Connect sends results as they come"),
        ("query_retries", "the client of Spark Connect goes on with a statement whose connection broke by itself"),
    ),
    required=(("connect", "host"),),
    secret_settings=("token", "password"),
    place=_place,
    options=(
        Option(
            "table_format",
            "str",
            "auto",
            "the format of tables that land; auto is the server's own where that is one of these, else parquet",
            choices=("auto", "parquet", "delta", "iceberg"),
        ),
    ),
    drivers=("pyspark",),
    extra="spark",
    has_snapshot=False,
    landing=Way.STEPS,
    transactional_ddl=False,
    max_identifier_bytes=255,
    comparing=SPARK_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None) -> SparkConnectClient:
    """Log in, in a session of its own whose zone is UTC.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: The driver is not installed.
        ConfigurationError: A method that is not Spark Connect, or an address that holds a token.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    _require_method(connection)
    connection.require_driver()
    address = _url(connection)

    def attempt() -> SparkConnectClient:
        require_port(connection, *_address(connection.settings))
        return _logged_in(connection, address)

    return attempts(attempt, tried_again(connection), connection, cancelled=cancelled)


def _logged_in(connection: Connection, address: str) -> SparkConnectClient:
    # The client writes every error to the standard error output, with the statement.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    client_class, conf_class = _client_classes(connection)
    client: SparkConnectClient | None = None
    try:
        client = client_class(address, user_id=connection.first("user"), retry_policy=_RETRIES)
        _forget_at_exit(client)
        conf = conf_class(client)
        for name, value in _parameters(connection).items():
            conf.set(name, value)
        if schema := connection.first("schema", "database"):
            run(client, "use " + quoted(str(schema), "spark"))
    except Exception as error:  # the client raises grpc's and its own
        if client is not None:
            client.close()
        raise translate(error, connection, phase="connect") from error
    return client


def _forget_at_exit(client: SparkConnectClient) -> None:
    """The client would be kept to the end of the process, and then ask its server once more, for up to minutes."""
    for name in ("_on_exit", "_cleanup_ml_cache"):  # the second in earlier releases
        if handler := getattr(client, name, None):
            atexit.unregister(handler)


def _client_classes(connection: Connection) -> tuple[Any, Any]:
    with warnings.catch_warnings(), _as_a_script():
        warnings.simplefilter("ignore", FutureWarning)  # of pandas, in which nothing is read here
        try:
            from pyspark.sql.connect.client import SparkConnectClient
            from pyspark.sql.connect.conf import RuntimeConf
        except ImportError as error:
            raise errors.MissingDriverError(
                f"Spark's client lacks a package: {error}",
                connection=connection.name,
                remedy="Run: pip install 'dvt[spark]'",
            ) from error
    return SparkConnectClient, RuntimeConf


@contextmanager
def _as_a_script() -> Iterator[None]:
    """Within it the process looks as if it ran a file.

    Spark's client takes one that does not (`python -c`, an embedded interpreter, a worker of a test run) for its own
    doctests, and ends it when it is imported.
    """
    main = sys.modules["__main__"]
    if main.__spec__ is not None or hasattr(main, "__file__"):
        yield
        return
    main.__file__ = ""
    try:
        yield
    finally:
        del main.__file__


def run(client: SparkConnectClient, sql: str) -> Any:
    """The small result of a statement, as an Arrow table."""
    from pyspark.sql.connect.plan import SQL

    return client.to_table(SQL(sql).to_proto(client), {})[0]


def limit_s(connection: Connection) -> int:
    """Seconds that a statement may run; 0 is no limit."""
    return int(connection.options["statement_timeout_s"]) or int(connection.first("query_timeout", default=0))


def _parameters(connection: Connection) -> dict[str, str]:
    """The session's settings: the output's own, and over them what keeps values in one form."""
    given = connection.settings.get("server_side_parameters") or {}
    if not isinstance(given, Mapping):
        raise errors.ConfigurationError(
            f"server_side_parameters is {given!r}",
            connection=connection.name,
            remedy="Write it as a mapping in profiles.yml",
        )
    texts = {str(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
    rows = str(connection.options["batch_rows"])
    return {**texts, "spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.maxRecordsPerBatch": rows}


def _url(connection: Connection) -> str:
    """The address as the client takes it, with the token."""
    host, port = _address(connection.settings)
    given = urlsplit(str(connection.first("connect", default="")))
    more = dict(part.partition("=")[::2] for part in given.path.lstrip("/").split(";") if part)
    if "token" in more:
        raise errors.ConfigurationError(
            "the address in `connect` holds a token",
            connection=connection.name,
            remedy="Give the token in the key `token`, where it is kept from being shown",
        )
    if connection.first("use_ssl"):
        more["use_ssl"] = "true"
    if token := connection.secret("token"):
        more["token"] = token
    shown = f"[{host}]" if ":" in host else host
    return f"sc://{shown}:{port}/;" + ";".join(f"{key}={quote(unquote(value), safe='')}" for key, value in more.items())


def _require_method(connection: Connection) -> None:
    method = str(connection.first("method", default="connect"))
    if method in ("connect", "session"):
        return
    raise errors.ConfigurationError(
        f"Spark is read over Spark Connect, and this output says `method: {method}`",
        connection=connection.name,
        remedy=_OTHERS.get(method, "Give `method: connect` and the address of a Spark Connect server"),
    )


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of Spark's client or of gRPC.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    text = _text(error)
    family: type[errors.DvtError]
    words, remedy, column = text, None, None
    if "UNAUTHENTICATED" in text or "Invalid authentication token" in text:
        family, words, remedy = errors.AuthenticationError, _detail(text), "Check the token of the connection"
    elif any(mark in text for mark in ("UNAVAILABLE", "RETRIES_EXCEEDED", "DEADLINE_EXCEEDED", "NO_ACTIVE_SESSION")):
        is_new = phase == "connect"
        family = errors.ConnectionFailedError if is_new else errors.ConnectionLostError
        words, remedy = _detail(text), "Check host, port and TLS settings" if is_new else "Run it again"
    else:
        state = getattr(error, "getSqlState", lambda: "")() or ""
        found = fault(text, state)
        if phase == "connect":
            found = found.of_login("Correct schema and server_side_parameters in profiles.yml")
        family, words, remedy, column = found.family, found.words, found.remedy, found.column
    return family(words, connection=connection.name, relation=relation, column=column, phase=phase, remedy=remedy)


def _text(error: BaseException) -> str:
    """What an exception says, and what stands behind it."""
    texts, seen = [], 0
    found: BaseException | None = error
    while found is not None and seen < 3:
        texts.append(str(getattr(found, "getMessage", lambda: "")() or found))
        found, seen = found.__cause__ or found.__context__, seen + 1
    return "\n".join(texts)


def _detail(text: str) -> str:
    """gRPC's own words, without its debugging."""
    for line in text.splitlines():
        if line.strip().startswith("details ="):
            return line.partition("=")[2].strip().strip('"')
    return text.partition("\n")[0][:1000]
