"""Facts about MySQL and MariaDB connections, and the one translation of their errors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dvt import errors
from dvt.connections.connection import Connection
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
        Option("local_infile", "bool", True, "load with LOAD DATA LOCAL where the server allows it, else with INSERT"),
    ),
    drivers=("pymysql", "mysql.connector"),
    extra="mysql",
    place=_place,
    max_identifier_bytes=64,
)
_MARIADB = dataclasses.replace(SPEC, type="mariadb")


def spec_for(type_: str) -> ConnectionSpec:
    """The spec under the type's own name."""
    return _MARIADB if type_ == "mariadb" else SPEC


class ServerError(Exception):
    """An error packet of the server, or the loss of the connection in the client's own numbers (2006, 2013).

    Args:
        errno: MySQL's number of the error.
        message: The server's own words.
    """

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(f"({errno}) {message}")
        self.errno = errno
        self.message = message


_RUN_AGAIN = "Run it again"

# Family, numbers, and what to do. Numbers are those of the servers' error references (1xxx shared, 19xx MariaDB,
# 3xxx and 4xxx MySQL 8 or MariaDB) and of the client library (2xxx).
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[int], str | None], ...] = (
    (
        errors.AuthenticationError,
        frozenset({1045, 1251, 1524, 1698, 1820, 1862, 2049, 2058, 2059, 2061, 3118, 3159, 3955, 4151}),
        "Check user, password and host of the connection",
    ),
    (
        errors.ConnectionFailedError,
        frozenset({1040, 1042, 1043, 1129, 1130, 1203, 1226, 2001, 2002, 2003, 2004, 2005, 2026, 2066}),
        "Check host, port, TLS settings and that the server is up",
    ),
    (
        errors.ConnectionLostError,
        frozenset({1053, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2027, 2055, 4031}),
        _RUN_AGAIN,
    ),
    (
        errors.PrivilegeError,
        frozenset({1044, 1142, 1143, 1148, 1227, 1290, 1370, 1410, 1419, 1792, 3948, 4166}),
        "Grant the login what it lacks",
    ),
    (errors.RelationNotFoundError, frozenset({1049, 1051, 1054, 1109, 1146, 1176, 1305}), None),
    (errors.TimeoutExceededError, frozenset({1205, 1969, 3024}), "Raise dvt.statement_timeout_s, or make it quicker"),
    (errors.InterruptedRunError, frozenset({1317, 1028}), None),
    (errors.DuplicateKeyError, frozenset({1062, 1169, 1586}), None),
    (
        errors.DataError,
        frozenset(
            {
                *(1048, 1153, 1263, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1416, 1425, 1426),
                *(1300, 1301, 1441, 1690, 1118, 1074, 1117, 3140, 3141, 3156, 3819, 3903, 4025),
            }
        ),
        None,
    ),
    (errors.ResourceError, frozenset({1021, 1037, 1038, 1041, 1114, 1135, 3, 28}), "Free disk or memory there"),
    (errors.QueryError, frozenset({1213, 1412, 1020}), _RUN_AGAIN),
)
_BY_NUMBER = {number: (family, remedy) for family, numbers, remedy in _FAMILIES for number in numbers}
# "column 'a'", "column `db`.`t`.`a`", "Column: 'a'", "CONSTRAINT `t.a` failed" (MariaDB's check of one column)
_COLUMN = re.compile(
    r"(?i)\bcolumn:? (?:'([^']+)'|(?:`(?:[^`]|``)*`\.){0,2}`((?:[^`]|``)+)`)|CONSTRAINT [`'](?:[^`'.]*\.)?([^`']+)[`'] failed"
)
_ROW = re.compile(r"(?i)\bat row (\d+)")


def error_number(error: BaseException) -> int:
    """MySQL's number in an exception of any of the drivers, 0 when there is none."""
    number = getattr(error, "errno", None)
    if number is None and error.args:
        number = error.args[0]
    return number if isinstance(number, int) else 0


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of a driver or of the server.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe", "extract", "load" or "land".
        relation: The relation concerned, when known.
    """
    number = error_number(error)
    message = str(getattr(error, "message", "") or getattr(error, "msg", "") or _words(error))
    family, remedy = _BY_NUMBER.get(number, (errors.QueryError, None))
    is_network = isinstance(error, OSError) or number == 0
    if phase == "connect":
        if number == 1049:
            family, remedy = errors.ConfigurationError, "Correct the database in profiles.yml, or create it"
        elif is_network or family in (errors.QueryError, errors.ConnectionLostError):
            family, remedy = errors.ConnectionFailedError, "Check host, port, TLS settings and that the server is up"
    elif is_network:
        family, remedy = errors.ConnectionLostError, _RUN_AGAIN
    names_column = issubclass(family, (errors.DataError, errors.RelationNotFoundError))
    return family(
        f"{message} (MySQL error {number})" if number else message,
        connection=connection.name,
        relation=relation,
        column=named_column(message) if names_column else None,
        phase=phase,
        remedy=remedy,
    )


def is_lost(error: BaseException) -> bool:
    """Whether the session is gone with this error."""
    family, _ = _BY_NUMBER.get(error_number(error), (errors.QueryError, None))
    return isinstance(error, OSError) or family is errors.ConnectionLostError


def named_column(message: str) -> str | None:
    """The column that a message of the server names.

    >>> named_column("Incorrect integer value: 'x' for column `shop`.`t`.`a` at row 7")
    'a'
    """
    found = _COLUMN.search(message)
    return next((part for part in found.groups() if part), None) if found else None


def warning_error(code: int, message: str, connection: Connection, *, phase: str, relation: str) -> errors.DataError:
    """The error for a warning about a value: what is only a warning to the server has changed the value."""
    row = _ROW.search(message)
    return errors.DataError(
        f"{message} (MySQL warning {code})",
        connection=connection.name,
        relation=relation,
        column=named_column(message),
        rows=f"row {row.group(1)}" if row else None,
        phase=phase,
        remedy="Cast the column to a type that holds the value, or declare a wider one",
    )


def _words(error: BaseException) -> str:
    if len(error.args) > 1 and isinstance(error.args[0], int):
        return str(error.args[1])
    return str(error) or type(error).__name__


@contextmanager
def translating(connection: Connection, phase: str, relation: str | None = None) -> Iterator[None]:
    """Within it, what the server or the socket raises becomes a dvt error."""
    try:
        yield
    except (ServerError, OSError) as error:
        raise translate(error, connection, phase=phase, relation=relation) from error


def default_database(connection: Connection) -> str | None:
    """The database in which names without one are looked up."""
    name = connection.first("schema", "database")
    return str(name) if name else None


def open_session(connection: Connection, database: str | None) -> Session:
    """Log in.

    Args:
        connection: The connection.
        database: The session's current database; None for none.

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
    return Session(connection, database)
