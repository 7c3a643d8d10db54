"""Firebolt connections: the keys of an output, how to log in, and errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dvt import errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.retrying import Retries, attempts
from dvt.connections.spec import ConnectionSpec, Option

if TYPE_CHECKING:
    from firebolt.db import Connection as Session

__all__ = ["SPEC", "connect", "translate"]


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    where = settings.get("url") or settings.get("account_name")
    return ("firebolt", str(where).lower().rstrip("/"), settings.get("database"))


# Floats have NaN, decimals of many digits may overflow where they are brought to one scale: neither is asked. Text is
# compared by bytes, but how a backslash in a literal is read is a setting of the account.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "int|integer|long|bigint"),),
        "text": (Comparing("text|string", equal=Trust.SUPERSET, prefix=Trust.SUPERSET),),
        "date": (Comparing.all(Trust.EXACT, "date|pgdate|date_ext"),),
        "timestamp": (Comparing.all(Trust.EXACT, "timestamp|timestampntz|timestamp_ext"),),
        "instant": (Comparing.all(Trust.EXACT, "timestamptz"),),
        "boolean": (Comparing("boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
)

_NO_TRANSACTION = "the server did not open a transaction"
_NEWER = "Use an engine with explicit transactions (BEGIN and COMMIT)"

SPEC = ConnectionSpec(
    type="firebolt",
    dialect="postgres",  # sqlglot has none of Firebolt's; what dvt writes is the same in both
    # The keys of dbt-firebolt, and `url` for Firebolt Core.
    settings=(
        *("client_id", "client_secret", "user", "password", "account_name", "engine_name", "database", "schema"),
        *("api_endpoint", "driver", "retries", "url"),
    ),
    required=(("client_id", "url", "user"), "database"),
    secret_settings=("client_secret", "password"),
    options=(
        Option(
            "load_through",
            "str",
            "",
            "`s3://bucket/folder` through which rows are loaded as Parquet, by COPY; dvt reaches it with the"
            " environment's credentials",
        ),
        Option(
            "load_role",
            "str",
            "",
            "the role (its ARN) with which Firebolt reads load_through; or `environment`: it is told the keys in"
            " AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, which its own history of queries may"
            " show",
        ),
        Option("load_external_id", "str", "", "the external id that the role's trust asks for"),
    ),
    place=_place,
    drivers=("firebolt.db",),
    extra="firebolt",
    has_snapshot=False,
    landing=Way.TRANSACTION,
    comparing=_COMPARING,
)


def connect(connection: Connection, cancelled: threading.Event | None = None, *, autocommit: bool = True) -> Session:
    """Log in as a service account, or without a login to Firebolt Core.

    Args:
        connection: The connection.
        cancelled: Ends the waiting for another attempt.
        autocommit: Whether each statement is a transaction of its own; if not, one is open from the start.

    Raises:
        MissingDriverError: The driver is not installed.
        UnsupportedError: The output logs in as a user of the first Firebolt, which streams nothing; or the server
            knows no transactions, where one is wanted.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import httpx
    from firebolt.db import connect as open_session
    from firebolt.utils.exception import Error, FireboltError

    parameters = _parameters(connection)

    def attempt() -> Session:
        session = None
        try:
            session = open_session(**parameters, autocommit=autocommit)
            cursor = session.cursor()
            cursor.execute("SELECT 1")  # Core logs in nobody: only a query says whether it is there
            cursor.close()
            session._client.auth.requires_response_body = False  # Core's login would read each result whole
            if not autocommit and not session.in_transaction:  # the driver does not look whether BEGIN was taken
                raise errors.UnsupportedError(_NO_TRANSACTION, connection=connection.name, remedy=_NEWER)
        except (Error, FireboltError, httpx.HTTPError, OSError, ValueError, errors.DvtError) as error:
            if session is not None:
                session.close()
            raise translate(error, connection, phase="connect") from error
        return session

    retries = Retries(
        int(connection.first("retries", default=1)), lambda error: isinstance(error, (httpx.TransportError, OSError))
    )
    return attempts(attempt, retries, connection, cancelled=cancelled)


def _parameters(connection: Connection) -> dict[str, Any]:
    from firebolt.client.auth import ClientCredentials, FireboltCore

    database = str(connection.first("database"))
    url = connection.first("url")
    if url:
        if not urlsplit(str(url)).hostname:
            raise errors.ConfigurationError(
                f"url is {url!r}", connection=connection.name, remedy="Write it as http://host:port"
            )
        return {"auth": FireboltCore(), "url": str(url), "database": database}
    if not connection.first("client_id"):
        raise errors.UnsupportedError(
            "user and password belong to the first Firebolt, whose results cannot be streamed",
            connection=connection.name,
            remedy="Make a service account, and give client_id, client_secret and account_name",
        )
    for key in ("client_secret", "account_name"):
        if not connection.first(key):
            raise errors.ConfigurationError(
                f"client_id needs {key}", connection=connection.name, remedy="Add it to the output in profiles.yml"
            )
    secret = connection.secret("client_secret")
    endpoint = connection.first("api_endpoint")
    return {
        # Tokens are not kept in files.
        "auth": ClientCredentials(str(connection.first("client_id")), secret, use_token_cache=False),
        "disable_cache": True,
        "account_name": str(connection.first("account_name")),
        "engine_name": connection.first("engine_name"),
        "database": database,
        **({"api_endpoint": str(endpoint)} if endpoint else {}),
    }


# Firebolt's errors have words, and no codes that are documented.
_BY_WORDS: tuple[tuple[str, type[errors.DvtError], str], ...] = (
    (
        r"\b401\b|unauthorized|authentication|invalid credentials|authorization",
        errors.AuthenticationError,
        "Check client_id and client_secret",
    ),
    (
        r"(permission|access) denied|not authorized|forbidden|\b403\b",
        errors.PrivilegeError,
        "Grant what the account lacks",
    ),
    (
        r"(relation|table|view|column|schema|database).* (does not exist|not found)|unknown column",
        errors.RelationNotFoundError,
        "Check schema, relation and column",
    ),
    (
        r"depend(s|ent|encies)?\b",
        errors.QueryError,
        "Drop the views that stand on it, or run with --full-refresh, which does",
    ),
    (r"account .* (does not exist|not found)|engine .*(not found|running)", errors.ConnectionFailedError, "Check it"),
    (r"cancel+ed", errors.InterruptedRunError, "The query was cancelled on the server"),
    (r"time ?out|timed out", errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or read less"),
    (r"not[ -]null|null value", errors.DataError, "Give the column a value in the model"),
    (r"division by zero|out of range|overflow|cannot parse|invalid input|conversion", errors.DataError, "Cast it"),
    (r"out of memory|memory limit|disk", errors.ResourceError, "Use a larger engine, or read less"),
)


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver, of its HTTP client or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe", "extract", "load" or "land".
        relation: The relation concerned, when known.
    """
    import httpx

    if isinstance(error, errors.DvtError):
        return error.at(connection=connection.name, relation=relation, phase=phase)
    place: dict[str, Any] = {"connection": connection.name, "relation": relation, "phase": phase}
    message = " ".join(str(error).split()).removeprefix("- ") or type(error).__name__
    if isinstance(error, (httpx.TransportError, OSError)) and not isinstance(error, TimeoutError):
        if phase == "connect":
            remedy = "Check url, api_endpoint, the network and TLS"
            return errors.ConnectionFailedError(message, remedy=remedy, **place)
        return errors.ConnectionLostError(message, remedy="Run it again", **place)
    for pattern, family, remedy in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
            return family(message, remedy=remedy, **place)
    if phase == "connect":
        return errors.ConnectionFailedError(message, remedy="Check account_name, engine_name and database", **place)
    return errors.QueryError(message, remedy="Correct the query", **place)
