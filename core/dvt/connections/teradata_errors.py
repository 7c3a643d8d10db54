"""Errors of Teradata and of its driver, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_DEADLOCK = 2631
_REACH = "Check host, dbs_port or https_port, sslmode and that the database is up"
# Family, numbers, and what to do. Numbers are those of Teradata's message reference.
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[int], str | None], ...] = (
    (
        errors.AuthenticationError,
        frozenset({3002, 3003, 3004, 3032, 8017, 8050}),
        "Check user, password and logmech of the connection",
    ),
    (errors.ConnectionLostError, frozenset({3120, 3598, 3897, 8018, 8024, 8055}), _RUN_AGAIN),
    (errors.PrivilegeError, frozenset({3523, 3524, 5315, 5616}), "Grant the login what it lacks"),
    (errors.RelationNotFoundError, frozenset({3802, 3807, 3810, 5628}), "Check database and name"),
    (errors.TimeoutExceededError, frozenset({2631, 3111, 3156, 3158}), _RUN_AGAIN),
    (errors.InterruptedRunError, frozenset({3110, 3134}), None),
    (errors.ResourceError, frozenset({2507, 2633, 2644, 2646, 3130, 3710, 3713}), "Give the login more, or read less"),
    (
        errors.DataError,
        frozenset({2616, 2617, 2618, 2620, 2621, 2665, 2666, 2679, 3996, 5991, 6705, 6706, 7453}),
        None,
    ),
)
_BY_NUMBER = {number: (family, remedy) for family, numbers, remedy in _FAMILIES for number in numbers}
# The driver numbers errors of its own in the same form.
_NUMBER = re.compile(r"\[Teradata Database\].*?\[Error (\d+)\]")
# The driver's prefixes; what follows the first line is its stack.
_PREFIXES = re.compile(r"^(?:\s*\[[^\]]*\])+\s*")
_MISSING_COLUMN = re.compile(r"Column(?:/Parameter)? '?([^' ]+?)'? (?:does not exist|not found)")
_TLS_WORDS = ("tls", "x509", "certificate", "handshake", "sslmode")
_PASSING = ("refused", "timeout", "timed out", "reset by", "unreachable", "no route")
_WORDS_AT_MOST = 1000


def error_number(text: str) -> int:
    """The database's number in a text, 0 when there is none.

    >>> error_number("[Version 20.0.0.24] [Session 1] [Teradata Database] [Error 3807] Object 't' does not exist.")
    3807
    >>> error_number("[Version 20.0.0.24] [Session 0] [Teradata SQL Driver] Failed to connect to db")
    0
    """
    found = _NUMBER.search(text)
    return int(found.group(1)) if found else 0


def told_words(text: str) -> str:
    """What a text of the driver says, without its versions and its stack; of several lines the first.

    >>> told_words("[Version 20.0.0.24] [Session 1] [Teradata Database] [Error 2673] The row is too long.\\n at go")
    'The row is too long.'
    """
    first = text.strip().split("\n", 1)[0]
    return (_PREFIXES.sub("", first) or first)[:_WORDS_AT_MOST]


def may_pass(error: BaseException) -> bool:
    """Whether another attempt may go better: the network broke, or the database is starting or full."""
    text = str(error)
    number = error_number(text)
    return number in (3897, 8018, 8024) or (not number and any(word in text.lower() for word in _PASSING))


def is_deadlock(error: BaseException) -> bool:
    """Whether the statement was the victim of a deadlock."""
    return error_number(str(error)) == _DEADLOCK


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the driver.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    text = (str(error) or type(error).__name__).split("\n", 1)[0]
    number = error_number(text)
    family, remedy = _BY_NUMBER.get(number, (errors.QueryError, None))
    if phase == "connect" and not issubclass(family, errors.AuthenticationError):
        family, remedy = errors.ConnectionFailedError, _REACH
        if number == 3802:
            family, remedy = errors.ConfigurationError, "Correct the schema in profiles.yml"
        elif any(word in text.lower() for word in _TLS_WORDS):
            remedy = "Check sslmode, sslca and sslcapath"
    elif not number:
        is_late = "timeout" in text.lower() or "timed out" in text.lower()
        family = errors.TimeoutExceededError if is_late else errors.ConnectionLostError
        remedy = "Raise dvt.statement_timeout_s, or make it quicker" if is_late else _RUN_AGAIN
    words = told_words(text)
    column = _MISSING_COLUMN.search(words) if number in (3810, 5628) else None
    return family(
        f"{words} (Teradata error {number})" if number else words,
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase=phase,
        remedy=remedy,
    )
