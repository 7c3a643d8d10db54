"""PostgreSQL connections: the keys of a profile output, the session's settings, and how to open one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.postgres_errors import translate
from dvt.connections.retrying import NETWORK_WORDS, Retries, attempts, says
from dvt.connections.spec import ConnectionSpec, Option

if TYPE_CHECKING:
    import psycopg

__all__ = ["SPEC", "cancel", "connect", "read_unconverted", "translate"]

# The server starts, is full, or is not there yet.
_MAY_PASS = says(*NETWORK_WORDS, "closed the connection", "starting up", "shutting down", "too many")
_DEFAULT_PORT = 5432
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})

# Every value is to have one text form, whatever the server, the database or the role say. The idle timeout would end
# a snapshot that waits for a slow consumer.
_SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    # A cursor of ours is always read to its end.
    "cursor_tuple_fraction": "1",
    "idle_in_transaction_session_timeout": "0",
}


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    host = str(settings.get("host") or "localhost").lower().rstrip(".")
    port = int(settings.get("port") or _DEFAULT_PORT)
    return ("localhost" if host in _LOOPBACK else host, port, settings.get("dbname") or settings.get("database"))


# NaN equals itself and is the largest number in both engines. A text is equal by its characters under every collation,
# though under some others are equal too.
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, "smallint|integer|bigint"),),
        "decimal": (Comparing.all(Trust.EXACT, r"numeric(\(.*\))?"),),
        "double": (Comparing.all(Trust.EXACT, "double precision"),),
        "text": (
            Comparing(
                r"text|character varying(\(\d+\))?",
                equal=Trust.SUPERSET,
                unequal=Trust.EXACT,
                prefix=Trust.EXACT,
                collation="C",
            ),
            Comparing(r"character\(\d+\)", equal=Trust.SUPERSET),
        ),
        "date": (Comparing.all(Trust.EXACT, "date"),),
        "timestamp": (Comparing.all(Trust.EXACT, r"timestamp(\(\d\))? without time zone"),),
        "instant": (Comparing.all(Trust.EXACT, r"timestamp(\(\d\))? with time zone"),),
        "boolean": (Comparing(native="boolean", equal=Trust.EXACT, unequal=Trust.EXACT),),
        "uuid": (Comparing(native="uuid", equal=Trust.EXACT, unequal=Trust.EXACT),),
    },
    any_null_test=Trust.EXACT,
    takes_joins=True,
    aggregates=frozenset({"count", "sum", "min", "max"}),
)

SPEC = ConnectionSpec(
    type="postgres",
    dialect="postgres",
    settings=(
        "host",
        "port",
        "user",
        "password",
        "pass",
        "dbname",
        "database",
        "schema",
        "connect_timeout",
        "role",
        "search_path",
        "keepalives_idle",
        "sslmode",
        "sslcert",
        "sslkey",
        "sslrootcert",
        "application_name",
        "autocommit",
        "retries",
    ),
    required=("host", "user", ("dbname", "database")),
    place=_place,
    options=(
        Option(
            "numeric_scale",
            "int",
            9,
            "digits after the point for `numeric` without precision; a value with more digits stops the run",
            minimum=0,
        ),
        Option(
            "parallel",
            "int",
            1,
            "sessions that read one table together, under one exported snapshot: by ranges of blocks, or of the primary"
            " key where it has partitions or the server is older than 14; auto is one for each core, of at"
            " least 128 MB each",
            minimum=1,
            words=("auto",),
        ),
        Option(
            "keep_order",
            "bool",
            False,
            "with `parallel`: rows come in the order of the table's blocks, as one session reads them",
        ),
        Option(
            "method",
            "str",
            "auto",
            "how rows are fetched: copy is COPY as text, cursor a server-side cursor where COPY is not allowed; auto is"
            " COPY in binary form where dvt was built with its codec, else the first of these that the server lets"
            " through",
            choices=("auto", "copy", "cursor"),
        ),
        Option(
            "unlogged",
            "bool",
            False,
            "whether tables that land are UNLOGGED: written once, but empty after the server has crashed, and on no"
            " replica",
        ),
        Option(
            "freeze",
            "bool",
            False,
            "whether COPY writes rows frozen, so that no vacuum has to come for them",
        ),
        Option(
            "native",
            "bool",
            True,
            "whether binary COPY goes through dvt's native codec, where it was built; the values are the same without",
        ),
    ),
    drivers=("psycopg",),
    extra="postgres",
    comparing=_COMPARING,
)


def connect(
    connection: Connection, *, autocommit: bool = True, cancelled: threading.Event | None = None
) -> psycopg.Connection[Any]:
    """Open a session with UTC, ISO dates, exact floats and the connection's limits.

    The output's own `connect_timeout` goes before `dvt.connect_timeout_s`. A refused attempt is repeated `retries`
    times as dbt does, except when the server refused the credentials.

    Args:
        connection: A postgres connection.
        autocommit: Whether statements outside of an explicit transaction commit at once.
        cancelled: Ends the waiting for another attempt.

    Raises:
        ConnectionFailedError: And its family: network, TLS, database name, credentials.
    """
    connection.require_driver()
    import psycopg

    def attempt() -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(**_parameters(connection), autocommit=True)
        except (psycopg.Error, UnicodeError) as error:
            raise translate(error, connection, phase="connect") from error

    retries = Retries(int(connection.first("retries", default=1)), _MAY_PASS)
    session = attempts(attempt, retries, connection, cancelled=cancelled)
    try:
        _configure(session, connection)
        session.autocommit = autocommit
    except psycopg.Error as error:
        session.close()
        raise translate(error, connection, phase="connect") from error
    return session


def _parameters(connection: Connection) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "host": connection.first("host"),
        "port": int(connection.first("port", default=_DEFAULT_PORT)),
        "user": connection.first("user"),
        "password": connection.secret("password", "pass"),
        "dbname": connection.first("dbname", "database"),
        "connect_timeout": int(connection.first("connect_timeout", default=connection.options["connect_timeout_s"])),
        "application_name": connection.first("application_name", default="dvt"),
        "client_encoding": "UTF8",
        # Named prepared statements do not survive a pooler that hands out other sessions.
        "prepare_threshold": None,
    }
    for key in ("sslmode", "sslcert", "sslkey", "sslrootcert", "keepalives_idle"):
        value = connection.first(key)
        if value:
            parameters[key] = value
    return parameters


def login_elsewhere(connection: Connection) -> dict[str, Any]:
    """What another machine needs for a session like one of `connect`: `parameters`, `settings`, `role`.

    The password is among it in the clear: it is handed over, and never shown.
    """
    parameters, role = _parameters(connection), connection.first("role")
    return {"parameters": parameters, "settings": _settings(connection), "role": str(role) if role else ""}


def _settings(connection: Connection) -> dict[str, str]:
    settings = {**_SESSION, "statement_timeout": str(connection.options["statement_timeout_s"] * 1000)}
    search_path = connection.first("search_path")
    if search_path:
        settings["search_path"] = str(search_path)
    return settings


def _configure(session: psycopg.Connection[Any], connection: Connection) -> None:
    # As statements, not as start-up options, because poolers refuse most of those.
    settings = _settings(connection)
    role = connection.first("role")
    if role:
        # dbt writes the role into `set role` as it stands, so that the server folds its case.
        session.execute("select set_config('role', (parse_ident(%s))[1], false)", [str(role)])
    session.execute(
        "select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as s(name, value)",
        [list(settings), list(settings.values())],
    )


def read_unconverted(session: psycopg.Connection[Any]) -> None:
    """In a database without an encoding, let bytes come as they are until the transaction or savepoint ends.

    Otherwise the server refuses bytes that are not UTF-8 without saying in which column they are.
    """
    if session.info.parameter_status("server_encoding") == "SQL_ASCII":
        session.execute("set local client_encoding to 'SQL_ASCII'")


def cancel(session: psycopg.Connection[Any], timeout_s: float = 5.0) -> None:
    """Ask the server to end what the session runs; safe from another thread. A session that is gone is no fault."""
    import psycopg

    if session.closed:
        return
    try:
        if hasattr(session, "cancel_safe"):
            session.cancel_safe(timeout=timeout_s)
        else:
            session.cancel()
    except psycopg.OperationalError:
        return
