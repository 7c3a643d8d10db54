"""Errors of ClickHouse and of its HTTP driver, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection
from dvt.connections.retrying import NETWORK_WORDS, says

_RUN_AGAIN = "Run it again"
# Family, numbers, and what to do. Numbers are those of ClickHouse's ErrorCodes.cpp.
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[int], str | None], ...] = (
    (
        errors.AuthenticationError,
        frozenset({192, 193, 194, 195, 446, 516, 517, 700}),
        "Check user and password of the connection",
    ),
    (errors.ConnectionLostError, frozenset({3, 32, 101, 209, 210, 236, 279, 425, 499}), _RUN_AGAIN),
    (errors.PrivilegeError, frozenset({164, 291, 392, 452, 481, 482, 497}), "Grant the login what it lacks"),
    (errors.RelationNotFoundError, frozenset({8, 10, 16, 47, 60, 81, 218, 390}), "Check schema and name"),
    (errors.TimeoutExceededError, frozenset({159, 160}), "Raise dvt.statement_timeout_s, or make it quicker"),
    (errors.InterruptedRunError, frozenset({394, 734, 735}), None),
    (
        errors.DataError,
        frozenset({6, 26, 27, 38, 41, 69, 70, 72, 117, 131, 321, 349, 376, 407, 441, 675, 676, 691}),
        None,
    ),
    (
        errors.ResourceError,
        frozenset({158, 173, 191, 201, 202, 241, 243, 307, 396, 439}),
        "Raise the server's limit, or read less",
    ),
)
_BY_NUMBER = {number: (family, remedy) for family, numbers, remedy in _FAMILIES for number in numbers}
_TOO_MANY_QUERIES = 202
_NETWORK_NUMBERS = frozenset({209, 210})
_PASSING = says(*NETWORK_WORDS, "status 503", "status 429")
_NUMBER = re.compile(r"\bCode:\s*(\d+)")
# Without the version at its end, and the address that the driver adds.
_MESSAGE = re.compile(r".*DB::Exception:\s*(.*?)(?:\s*\((?:version|for url) [^\n]*)?\s*$", re.DOTALL)
_UNKNOWN_COLUMN = re.compile(
    r"(?i)(?:unknown(?: expression)?(?: or function)? identifier|no such column|missing columns:)\s*[`'\"]([^`'\"]+)"
)
_WORDS_AT_MOST = 1000


class ServerError(Exception):
    """An exception of the server in the middle of a result."""


class CutOffError(Exception):
    """A result that stopped before its end."""


def error_number(text: str) -> int:
    """ClickHouse's number in a text, 0 when there is none.

    >>> error_number("Code: 60. DB::Exception: Unknown table expression identifier 'nope'")
    60
    """
    found = _NUMBER.search(text)
    return int(found.group(1)) if found else 0


def may_pass(error: BaseException) -> bool:
    """Whether another attempt to log in may go better: the network broke, or the server or a proxy is full."""
    return is_busy(error) or error_number(str(error)) in _NETWORK_NUMBERS or _PASSING(error)


def is_busy(error: BaseException) -> bool:
    """Whether the server has as many queries as it takes, and so has not begun with this one."""
    return error_number(str(error)) == _TOO_MANY_QUERIES


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver, of the server or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    text = str(error) or type(error).__name__
    number = error_number(text)
    family, remedy = _BY_NUMBER.get(number, (errors.QueryError, None))
    if phase == "connect":
        if number == 81:
            family, remedy = errors.ConfigurationError, "Correct the schema in profiles.yml, or create the database"
        elif not issubclass(family, errors.ConnectionFailedError) or family is errors.ConnectionLostError:
            family, remedy = errors.ConnectionFailedError, "Check host, port, TLS settings and that the server is up"
    elif number == 0:
        family, remedy = errors.ConnectionLostError, _RUN_AGAIN
    found = _MESSAGE.search(text)
    words = (found.group(1) if found else text)[:_WORDS_AT_MOST]
    column = _UNKNOWN_COLUMN.search(words) if family is errors.RelationNotFoundError and number != 60 else None
    return family(
        f"{words} (ClickHouse error {number})" if number else words,
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase=phase,
        remedy=remedy,
    )
