"""Errors of drivers of any kind, as dvt's own: by SQLSTATE where there is one, else by the words that drivers use."""

from __future__ import annotations

import re
from typing import Any

from dvt import errors
from dvt.connections.connection import Connection

Family = type[errors.DvtError]

_CREDENTIALS = "Check user and password of the connection"
_REACH = "Check the address, TLS settings and that the server is up"
_NAMES = "Check schema and name, and the output's `dialect`"
_LIMIT = "Raise dvt.statement_timeout_s, or make it quicker"

# The words come first: HSQLDB's 42501 says "user lacks privilege or object not found", PostgreSQL's the former only.
_WORDS: tuple[tuple[str, Family, str | None], ...] = (
    (
        r"can't open lib|data source name not found|could not load|no suitable driver|cannot open shared object",
        errors.MissingDriverError,
        "Check `driver`, and that it is installed for this machine",
    ),
    (
        r"password authentication failed|access denied for user|login failed|wrong user name or password"
        r"|authentication fail|invalid (username|user name|credentials|password)|invalid authorization specification",
        errors.AuthenticationError,
        _CREDENTIALS,
    ),
    (
        r"connection refused|could not connect|can't connect|failed to connect|unable to connect|could not translate"
        r"|unknown host|name or service not known|no route to host|connection timed out",
        errors.ConnectionFailedError,
        _REACH,
    ),
    (
        r"connection (was |has been )?(reset|closed|lost|killed)|server closed the connection|broken pipe"
        r"|gone away|lost connection|terminating connection|unexpected eof",
        errors.ConnectionLostError,
        "Run it again",
    ),
    (
        r"no such (table|column)|(relation|table|column|schema|database|view|object)\b.{0,200}?"
        r"(does not exist|doesn't exist|not found)|object not found"
        r"|unknown (table|column|database|expression identifier)",
        errors.RelationNotFoundError,
        _NAMES,
    ),
    (r"division by zero|out of range|invalid input syntax|data exception", errors.DataError, None),
    (
        "sensible upper bound",
        errors.UnsupportedError,
        "The driver announces a column without a length: cast it to a text with one, in a query or a view",
    ),
    (r"permission denied|lacks privilege|not authorized|command denied", errors.PrivilegeError, None),
)
_STATES: tuple[tuple[str, Family, str | None], ...] = (
    ("28", errors.AuthenticationError, _CREDENTIALS),
    ("08S01|08003|08006|08007|57P0", errors.ConnectionLostError, "Run it again"),
    ("08", errors.ConnectionFailedError, _REACH),
    ("57014|HYT0|HY008|70100", errors.TimeoutExceededError, _LIMIT),
    ("42501", errors.PrivilegeError, "Grant the login what it lacks"),
    ("42P01|42S02|42S22|42703|3F000|3D000|42X05|42X04|42Y07", errors.RelationNotFoundError, _NAMES),
    ("22", errors.DataError, None),
    ("53|54", errors.ResourceError, "Raise the server's limit, or read less"),
)
_ODBC_STATE = re.compile(r"State: ([0-9A-Z]{5}),.*?Message: ", re.DOTALL)
_TOO_LONG = "without truncation"
_WORDS_AT_MOST = 1000


def sql_state(error: BaseException) -> str:
    """The SQLSTATE of a driver's error, empty when it has none."""
    own: Any = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if own is None and hasattr(error, "getSQLState"):
        own = error.getSQLState()
    if own is None and (found := _ODBC_STATE.search(str(error))):
        own = found.group(1)
    return str(own or "")


def words(error: BaseException) -> str:
    """What the driver says, in one line."""
    text = str(error.getMessage()) if hasattr(error, "getMessage") else str(error)
    text = _ODBC_STATE.split(text)[-1]
    return " ".join(text.split())[:_WORDS_AT_MOST] or type(error).__name__


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of a driver.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    text, state = words(error), sql_state(error)
    place = {"connection": connection.name, "relation": relation, "phase": phase}
    if _TOO_LONG in text:
        return errors.DataError(
            f"a value is longer than its column was announced, or than dvt.max_value_length: {text}",
            **place,
            remedy="Raise dvt.max_value_length, or cast the column that ODBC announces too short",
        )
    family, remedy = _family(text, state, phase)
    if family is errors.QueryError and type(error).__name__ == "DataError":  # of PEP 249
        family = errors.DataError
    return family(f"{text} (SQLSTATE {state})" if state else text, **place, remedy=remedy)


def _family(text: str, state: str, phase: str) -> tuple[Family, str | None]:
    for pattern, family, remedy in _WORDS:
        if re.search(pattern, text, re.IGNORECASE):
            return family, remedy
    for prefix, family, remedy in _STATES:
        if re.match(prefix, state):
            if phase == "connect" and not issubclass(family, errors.ConnectionFailedError):
                break
            return family, remedy
    return (errors.ConnectionFailedError, _REACH) if phase == "connect" else (errors.QueryError, None)
