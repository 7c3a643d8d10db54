"""Oracle connections: the keys of an output, what the server compares exactly, and how a session is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.oracle_errors import translate
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError

__all__ = ["SPEC", "connect", "default_schema", "folded", "translate"]

_DEFAULT_PORT = 1521
_PLAIN_NAME = re.compile(r"[a-z][a-z0-9_$#]*")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Every value has one text, whatever the login or the server say, and texts compare by their bytes.
_SESSION = (
    "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '. ' NLS_CALENDAR = 'GREGORIAN' NLS_COMP = 'BINARY'"
    " NLS_SORT = 'BINARY' TIME_ZONE = '+00:00'"
)
# Seconds that DDL waits for those who write the table; without it, it fails at once (ORA-00054).
_LOCK_WAIT = "ALTER SESSION SET DDL_LOCK_TIMEOUT = 60"


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    whole = settings.get("connection_string") or settings.get("tns_name")
    if whole:
        return (str(whole).lower(),)
    host = str(settings.get("host") or "").lower().rstrip(".")
    service = str(settings.get("service") or settings.get("sid") or "").lower()
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or _DEFAULT_PORT), service)


# Numbers compare by value, moments by the moment. A text equals its own characters; a column may have a collation of
# its own (12.2), under which others are equal too, CHAR is padded, and '' is NULL, so that `<> ''` is never true.
_DAYS = ("1000-01-01", "9999-12-31 23:59:59.999999")
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, r"number\(\d+,0\)"),),
        "decimal": (Comparing.all(Trust.EXACT, r"number(\(\d+,-?\d+\))?"),),
        "text": (Comparing(r"(var)?char2?\(\d+\)", equal=Trust.SUPERSET),),
        "timestamp": (Comparing("date|timestamp", *(Trust.EXACT,) * 3, columns=Trust.EXACT, constants=_DAYS),),
        "instant": (
            Comparing("timestamp with (local )?time zone", *(Trust.EXACT,) * 3, columns=Trust.EXACT, constants=_DAYS),
        ),
    },
    any_null_test=Trust.EXACT,
)

SPEC = ConnectionSpec(
    type="oracle",
    dialect="oracle",
    # The keys of dbt-oracle; a wallet's are python-oracledb's own.
    settings=(
        *("user", "password", "pass", "database", "dbname", "schema", "protocol", "host", "port", "service", "sid"),
        *("tns_name", "connection_string", "config_dir", "wallet_location", "wallet_password", "shardingkey"),
        *("supershardingkey", "cclass", "purity", "retry_count", "retry_delay", "session_info"),
    ),
    required=("user", ("host", "tns_name", "connection_string")),
    secret_settings=("password", "pass", "wallet_password"),
    place=_place,
    options=(
        Option(
            "number_as",
            "str",
            "decimal",
            "how NUMBER without precision, and FLOAT, are read: as a decimal, or as text",
            choices=("decimal", "text"),
        ),
        Option(
            "number_scale",
            "int",
            9,
            "digits after the point for NUMBER without precision; a value with more digits stops the run",
            minimum=0,
        ),
        Option(
            "moments_as",
            "str",
            "microseconds",
            "how timestamps are read: to the microsecond (a value with more digits stops the run) without the time zone"
            " that they were written with, or as text",
            choices=("microseconds", "text"),
        ),
        Option(
            "parallel",
            "int",
            1,
            "sessions that read one table together, by ranges of its primary key, AS OF one SCN; the login needs"
            " FLASHBACK on it and EXECUTE on DBMS_FLASHBACK",
            minimum=1,
        ),
        Option(
            "names_as",
            "str",
            "folded",
            "how names of relations in lower case are meant: in upper case, as Oracle takes names without quotes, or"
            " letter for letter; with `folded`, columns of a table that lands are too",
            choices=("folded", "exact"),
        ),
    ),
    drivers=("oracledb",),
    extra="oracle",
    max_identifier_bytes=128,
    landing=Way.ROWS,
    transactional_ddl=False,  # it commits what was done before it, too
    comparing=_COMPARING,
)


def default_schema(connection: Connection) -> str:
    """The schema in which names without one are looked up: the output's, or the user's own."""
    return str(connection.first("schema", default=connection.first("user")))


def folded(name: str) -> str:
    """A name as Oracle takes it without quotes: in upper case, where all of it is in lower case.

    >>> folded("orders"), folded("Orders"), folded("or ders")
    ('ORDERS', 'Orders', 'or ders')
    """
    return name.upper() if _PLAIN_NAME.fullmatch(name) else name


def connect(connection: Connection, *, writes: bool = False) -> Any:
    """Open a session of python-oracledb, in thin mode.

    Args:
        connection: The connection.
        writes: Whether each statement is committed by itself, until `autocommit` is set to False. If not, the session
            only reads, and sees one state of the database.

    Raises:
        MissingDriverError: The driver is not installed.
        ConnectionFailedError: And its family: network, TLS, credentials.
    """
    connection.require_driver()
    import oracledb

    try:
        session = oracledb.connect(**_parameters(connection))
    except (oracledb.Error, OSError, ValueError) as error:
        raise translate(error, connection, phase="connect") from error
    try:
        session.call_timeout = int(connection.options["statement_timeout_s"]) * 1000
        with session.cursor() as cursor:
            cursor.execute(_SESSION)
            cursor.execute(_LOCK_WAIT if writes else "SET TRANSACTION READ ONLY")
        session.autocommit = writes
    except oracledb.Error as error:
        session.close()
        raise translate(error, connection, phase="connect") from error
    return session


def _parameters(connection: Connection) -> dict[str, Any]:
    given: dict[str, Any] = {
        "user": str(connection.first("user")),
        "password": connection.secret("password", "pass"),
        "tcp_connect_timeout": float(connection.options["connect_timeout_s"]),
        "wallet_password": connection.secret("wallet_password"),
        # The driver tries again by itself; what a connection string says of it comes before this.
        "retry_count": int(connection.first("retry_count", default=1)),
        "retry_delay": int(connection.first("retry_delay", default=3)),
    }
    for key in ("config_dir", "wallet_location", "cclass", "shardingkey", "supershardingkey"):
        given[key] = connection.first(key)
    dsn = connection.first("connection_string", "tns_name")
    if dsn:
        given["dsn"] = str(dsn)
    else:
        given |= {
            "host": str(connection.first("host")),
            "port": int(connection.first("port", default=_DEFAULT_PORT)),
            "protocol": str(connection.first("protocol", default="tcp")),
            "service_name": connection.first("service"),
            "sid": connection.first("sid"),
        }
        if not (given["service_name"] or given["sid"]):
            raise ConfigurationError(
                "key 'service or sid' is missing for type oracle",
                code="DVT105",
                connection=connection.name,
                remedy="Add it to the output in profiles.yml",
            )
    if connection.first("purity"):
        given["purity"] = _purity(connection)
    return {key: value for key, value in given.items() if value not in (None, "", [])}


def _purity(connection: Connection) -> Any:
    import oracledb

    found = getattr(oracledb.Purity, str(connection.first("purity")).upper(), None)
    if found is None:
        raise ConfigurationError(
            f"purity is {connection.first('purity')!r}", connection=connection.name, remedy="Write new, self or default"
        )
    return found
