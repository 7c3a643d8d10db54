"""Errors of MySQL and MariaDB, from either driver or from the wire, as dvt's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.retrying import NETWORK_WORDS, says


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
_INVALID_JSON = 3140

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
    (errors.RelationNotFoundError, frozenset({1049, 1051, 1054, 1109, 1146, 1176, 1305}), "Check schema and name"),
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
# Too many sessions, of all or of one user; the server ends; a packet or the session was lost.
_PASSING = frozenset({1040, 1203, 1053, 1158, 1159, 1160, 1161, 2006, 2013, 2055, 4031})
_LIMIT = 1226  # of one user: of sessions, or of something an hour
_NETWORK = says(*NETWORK_WORDS)
# "column 'a'", "column `db`.`t`.`a`", "Column: 'a'", "CONSTRAINT `t.a` failed" (MariaDB's check of one column)
_COLUMN = re.compile(
    r"(?i)\bcolumn:? (?:'([^']+)'|(?:`(?:[^`]|``)*`\.){0,2}`((?:[^`]|``)+)`)"
    r"|CONSTRAINT [`'](?:[^`'.]*\.)?([^`']+)[`'] failed"
)
_ROW = re.compile(r"(?i)\bat row (\d+)")


def error_number(error: BaseException) -> int:
    """MySQL's number in an exception of any of the drivers, 0 when there is none."""
    number = getattr(error, "errno", None)
    if number is None and error.args:
        number = error.args[0]
    return number if isinstance(number, int) else 0


def may_pass(error: BaseException) -> bool:
    """Whether another attempt to log in may go better: the network broke, the server starts, ends or is full."""
    number = error_number(error)
    return number in _PASSING or _NETWORK(error) or (number == _LIMIT and "max_user_connections" in str(error))


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
        column=_column_of(message, number, relation) if names_column else None,
        phase=phase,
        remedy=remedy,
    )


def is_lost(error: BaseException) -> bool:
    """Whether the session is gone with this error."""
    family, _ = _BY_NUMBER.get(error_number(error), (errors.QueryError, None))
    return isinstance(error, OSError) or family is errors.ConnectionLostError


def _column_of(message: str, number: int, relation: str | None) -> str | None:
    """The column, without the table that MySQL's words about JSON put before it."""
    column = named_column(message)
    if column is None or number != _INVALID_JSON or relation is None:
        return column
    return next((column[len(to) + 1 :] for to in _tails(relation) if column.startswith(f"{to}.")), column)


def _tails(name: str) -> Iterator[str]:
    """A name without its schema: all that it can be, as a dot may be part of either."""
    parts = name.split(".")
    return (".".join(parts[at:]) for at in range(len(parts)))


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
def translating(
    connection: Connection, phase: str, relation: str | None = None, cancelled: Event | None = None
) -> Iterator[None]:
    """Within it, what the server or the socket raises becomes a dvt error, and one without a place gets this one.

    Args:
        connection: Where it happens.
        phase: As for `translate`.
        relation: The relation concerned, when known.
        cancelled: Set when the session was killed on purpose: the error is then that of an interrupted run.
    """
    place = {"connection": connection.name, "relation": relation, "phase": phase}
    try:
        yield
    except (ServerError, OSError) as error:
        if cancelled is not None and cancelled.is_set():
            raise errors.InterruptedRunError("the statement was cancelled", **place) from error
        raise translate(error, connection, phase=phase, relation=relation) from error
    except errors.DvtError as error:
        if error.connection in (None, connection.name):  # the other side's own errors have their place already
            error.at(**place)
        raise
