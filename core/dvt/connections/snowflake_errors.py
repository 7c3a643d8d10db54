"""Errors of Snowflake and of its connector, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_NO_LOGIN = "Check user, password, key or token of the connection, and that the account's policies let them in"
# Family, numbers, and what to do. Numbers are those of Snowflake's error messages and of the connector's errorcode.py.
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[int], str | None], ...] = (
    (
        errors.AuthenticationError,
        frozenset(
            {390100, 390101, 390102, 390103, 390106, 390113, 390115, 390127, 390133, 390144, 390145, 390156, 390190}
            | {390191, 390192, 390195, 390302, 390303, 390317, 390318, 390422, 390432, 394300, 394304, 394400, 251005}
            | {251006, 251007, 394302, 394303, 394508, 394509, 395093}
        ),
        _NO_LOGIN,
    ),
    (
        errors.ConfigurationError,
        frozenset({606, 90073, 90105, 90106, 90109, 390189, 390201, 251001, 251010}),
        "Correct role, warehouse, database and schema in profiles.yml, and check that the role may use them",
    ),
    (errors.ConnectionLostError, frozenset({390104, 390111, 390112, 390114, 250002, 250003, 260001}), _RUN_AGAIN),
    (errors.PrivilegeError, frozenset({3001, 3003, 3004, 3030, 3041}), "Grant the role what it lacks"),
    (errors.RelationNotFoundError, frozenset({904, 2003, 2037, 2043, 2141}), "Check database, schema and name"),
    (errors.TimeoutExceededError, frozenset({630, 631}), "Raise dvt.statement_timeout_s, or make it quicker"),
    (errors.InterruptedRunError, frozenset({604, 605}), None),
    (
        errors.DataError,
        frozenset({100035, 100037, 100038, 100039, 100040, 100046, 100048, 100051, 100069, 100071, 100078, 100090})
        | frozenset({100096, 100097, 100132, 100183}),
        None,
    ),
    (errors.ResourceError, frozenset({625, 300005, 90082}), "Use a larger warehouse, or read less"),
)
_BY_NUMBER = {number: (family, remedy) for family, numbers, remedy in _FAMILIES for number in numbers}
# The connector writes its own number, and often the server's behind it.
_NUMBER = re.compile(r"\b(\d{6})\b")
_NOISE = re.compile(r"^(?:\d{6}(?: \(\w{5}\))?:\s*)+|\s*\(request_id=[\w-]+\)|\bNone: ")
_COLUMN = re.compile(r"(?i)invalid identifier '\"?((?:[^'\"]|\"\")+)\"?'|column \"([^\"]+)\" not found")
_NO_TRUST = re.compile(r"(?i)certificate|ssl|ocsp|\btls\b")
_NO_ACCESS = re.compile(r"(?i)incorrect username or password|jwt token is invalid|authentication")
_FOLDED = "Check database, schema and name; names that need no quotes are upper-case unless dvt.names is exact"


class IncompleteError(Exception):
    """Fewer rows came than the server said that there are."""


def error_number(error: BaseException) -> int:
    """The server's number of an error, 0 when there is none.

    >>> error_number(Exception("250001 (08001): None: Failed to connect to DB: 390100 (08004): Incorrect username"))
    390100
    """
    found = [int(number) for number in _NUMBER.findall(str(error)) if int(number) in _BY_NUMBER]
    if found:
        return found[-1]
    number = getattr(error, "errno", None)
    return abs(number) if isinstance(number, int) else 0


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of the connector or of the socket.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    text = str(getattr(error, "msg", None) or error) or type(error).__name__
    words = _NOISE.sub("", text).strip() or text
    number = error_number(error)
    family, remedy = _BY_NUMBER.get(number, (None, None))
    if family is None:
        family, remedy = _by_words(error, text, phase)
    if family is errors.RelationNotFoundError:
        remedy = _FOLDED
    column = _COLUMN.search(words) if family is errors.RelationNotFoundError else None
    return family(
        f"{words} (Snowflake error {number:06d})" if number else words,
        connection=connection.name,
        relation=relation,
        column=(column.group(1) or column.group(2)) if column else None,
        phase=phase,
        remedy=remedy,
    )


def _by_words(error: BaseException, text: str, phase: str) -> tuple[type[errors.DvtError], str | None]:
    """The family of an error whose number says nothing."""
    if _NO_TRUST.search(text):
        return errors.ConnectionFailedError, "Check the certificate of the server, the proxy, and the clock"
    if phase == "connect":
        if _NO_ACCESS.search(text):
            return errors.AuthenticationError, _NO_LOGIN
        return errors.ConnectionFailedError, "Check account, host, port and proxy, and that the network reaches them"
    if isinstance(error, (IncompleteError, OSError)):
        return errors.ConnectionLostError, _RUN_AGAIN
    name = type(error).__name__
    is_query = name in ("ProgrammingError", "DataError", "IntegrityError", "NotSupportedError")
    return (errors.QueryError, None) if is_query else (errors.ConnectionLostError, _RUN_AGAIN)
