"""Facts about MySQL and MariaDB connections, and how one is opened."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvt import errors
from dvt.connections.comparing import Comparing, ComparingFacts, Trust
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.mysql_errors import may_pass
from dvt.connections.retrying import Retries, attempts
from dvt.connections.spec import ConnectionSpec, Option

if TYPE_CHECKING:
    from dvt.connections.mysql_session import Session

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", ""})


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # One server is one place: a query may name tables of all its databases.
    if settings.get("unix_socket"):
        return ("socket", str(settings["unix_socket"]))
    host = str(settings.get("server") or settings.get("host") or "").strip("[]").rstrip(".").lower()
    return ("localhost" if host in _LOOPBACK else host, int(settings.get("port") or 3306))


# Equal characters are equal under every collation, and so are many others. A zero date is NULL to whoever reads it so,
# and not to the server.
_MOMENTS = Comparing(
    equal=Trust.SUPERSET, unequal=Trust.SUPERSET, order=Trust.SUPERSET, is_null=Trust.UNKNOWN, columns=Trust.SUPERSET
)
_COMPARING = ComparingFacts(
    {
        "integer": (Comparing.all(Trust.EXACT, r"(tiny|small|medium|big)?int(eger)?(\(\d+\))?( unsigned)?"),),
        "decimal": (Comparing.all(Trust.EXACT, r"decimal(\(.*\))?( unsigned)?"),),
        "double": (Comparing.all(Trust.EXACT, "double"),),
        "text": (Comparing(r"(var)?char\(\d+\)|(tiny|medium|long)?text", equal=Trust.SUPERSET, prefix=Trust.SUPERSET),),
        "date": (dataclasses.replace(_MOMENTS, native="date"),),
        "timestamp": (dataclasses.replace(_MOMENTS, native=r"datetime(\(\d\))?"),),
        "instant": (dataclasses.replace(_MOMENTS, native=r"timestamp(\(\d\))?"),),
    },
    any_null_test=Trust.EXACT,
    takes_joins=True,
    aggregates=frozenset({"count", "sum", "min", "max"}),
)

SPEC = ConnectionSpec(
    type="mysql",
    dialect="mysql",
    # The keys of dbt-mysql, with the aliases that people expect. `driver` names dbt-mysql's own driver: it is
    # accepted so that one profile serves both, and `dvt.driver` is ours.
    settings=(
        *("server", "host", "port", "unix_socket", "database", "schema", "username", "user", "password", "driver"),
        *("charset", "collation", "retries"),
        *("ssl_disabled", "ssl_ca", "ssl_cert", "ssl_key", "ssl_key_password", "ssl_verify_cert"),
        "ssl_verify_identity",
    ),
    required=(("server", "host", "unix_socket"), ("username", "user"), ("schema", "database")),
    secret_settings=("password", "ssl_key_password"),
    options=(
        Option(
            "zero_dates",
            "str",
            "error",
            "what a zero date such as 0000-00-00 becomes: the run stops, or it is read as NULL",
            choices=("error", "null"),
        ),
        Option(
            "time_as",
            "str",
            "time",
            "how TIME columns are read: as a time of day (other values stop the run), or as text",
            choices=("time", "text"),
        ),
        Option(
            "driver",
            "str",
            "auto",
            "which Python driver logs in; auto takes the first that is installed",
            choices=("auto", "pymysql", "mysql-connector"),
        ),
        Option(
            "parallel",
            "int",
            1,
            "sessions that read one InnoDB table together, by ranges of its primary key; it is locked against writers"
            " for the moment in which all of them begin their snapshot",
            minimum=1,
        ),
        Option(
            "native",
            "bool",
            True,
            "whether rows are decoded by dvt's native codec, where it was built; the values are the same without",
        ),
        Option("local_infile", "bool", True, "load with LOAD DATA LOCAL where the server allows it, else with INSERT"),
    ),
    drivers=("pymysql", "mysql.connector"),
    extra="mysql",
    place=_place,
    transactional_ddl=False,
    landing=Way.STATEMENT,
    max_identifier_bytes=64,
    comparing=_COMPARING,
)
MARIADB_SPEC = dataclasses.replace(SPEC, type="mariadb")


def spec_for(type_: str) -> ConnectionSpec:
    """The spec under the type's own name."""
    return MARIADB_SPEC if type_ == "mariadb" else SPEC


def default_database(connection: Connection) -> str | None:
    """The database in which names without one are looked up."""
    name = connection.first("schema", "database")
    return str(name) if name else None


def open_session(connection: Connection, database: str | None, cancelled: threading.Event | None = None) -> Session:
    """Log in; what may pass is tried again `retries` times.

    Args:
        connection: The connection.
        database: The session's current database; None for none.
        cancelled: Ends the waiting for another attempt.

    Raises:
        MissingDriverError: No driver is installed, or numpy is not.
        ConnectionFailedError: And its family.
    """
    try:
        from dvt.connections.mysql_session import Session
    except ModuleNotFoundError as error:
        raise errors.MissingDriverError(
            f"{error.name} is not installed",
            connection=connection.name,
            remedy=f"Run: pip install 'dvt[{connection.spec.extra}]'",
        ) from error
    retries = Retries(int(connection.first("retries", default=1)), may_pass)
    return attempts(lambda: Session(connection, database), retries, connection, cancelled=cancelled)
