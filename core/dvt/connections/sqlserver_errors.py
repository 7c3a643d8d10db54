"""Errors of SQL Server and of mssql-python, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

Found = tuple[type[errors.DvtError], "str | None"]

_RUN_AGAIN = "Run it again"
_REACH = "Check server, port, TLS settings (encrypt, trust_cert) and that the server is up"
_GRANT = "Grant the login what it lacks"
_LOOK = "Check schema and name"
# The driver names the SQLSTATE, in words of its own, and never the server's number.
_BY_STATE: dict[str, Found] = {
    "Invalid authorization specification": (errors.AuthenticationError, "Check user and password of the connection"),
    "Base table or view not found": (errors.RelationNotFoundError, _LOOK),
    "Column not found": (errors.RelationNotFoundError, _LOOK),
    "Timeout expired": (errors.TimeoutExceededError, "Raise dvt.statement_timeout_s, or make it quicker"),
    "Connection timeout expired": (errors.ConnectionLostError, _RUN_AGAIN),
    "Communication link failure": (errors.ConnectionLostError, _RUN_AGAIN),
    "Connection failure during transaction": (errors.ConnectionLostError, _RUN_AGAIN),
    "Connection not open": (errors.ConnectionLostError, _RUN_AGAIN),
    "Client unable to establish connection": (errors.ConnectionLostError, _RUN_AGAIN),
    "Server rejected the connection": (errors.ConnectionLostError, _RUN_AGAIN),
    "Serialization failure": (errors.QueryError, "It was chosen as the victim of a deadlock: run it again"),
    "Operation canceled": (errors.InterruptedRunError, None),
    "Memory allocation error": (errors.ResourceError, "Lower dvt.batch_rows"),
}
# Numbers of sys.messages, as the server gives them of a statement that it describes.
_BY_NUMBER: dict[int, Found] = {
    **dict.fromkeys((207, 208, 2812, 4701, 911, 7202), (errors.RelationNotFoundError, _LOOK)),
    18456: (errors.AuthenticationError, "Check user and password of the connection"),
    **dict.fromkeys((229, 230, 262, 297, 300, 916, 15247), (errors.PrivilegeError, _GRANT)),
}
# What other errors say, where the login speaks English; elsewhere they are the server's refusal of a statement.
_BY_WORDS: dict[str, Found] = {
    "permission was denied|permission denied|not able to access the database": (errors.PrivilegeError, _GRANT),
    "could not allocate|insufficient (system )?memory|is full": (errors.ResourceError, "Look at the server's space"),
    "conversion failed|arithmetic overflow|divide by zero|would be truncated": (errors.DataError, None),
}
_UNKNOWN_COLUMN = re.compile(r"Invalid column name '(.+?)'")
# Said by mssql-python where the ODBC driver that it brings lacks a library of the system, most often libltdl.
_NOT_LOADED = "Failed to load the driver"
_LIBRARIES = "Install the libraries that Microsoft's ODBC driver is linked to: libltdl (Debian: libltdl7) and Kerberos'"
_NO_DATABASE = re.compile(r"(?i)cannot open database")
# Azure SQL's "retry it" and a deadlock, all said before a row came.
_PASSING = re.compile(
    r"(?i)retry (?:the|your) (?:request|connection)|currently busy|not currently available|please try again"
    r"|not enough resources to process|request limit for the database|deadlock victim"
)
# Its bulk load names the server's number.
_NUMBER = re.compile(r"Sql Error: (\d+):")
_PREFIX = re.compile(r"^(?:\[[^\]]*\])+\s*")
_WORDS_AT_MOST = 1000


def may_pass(error: BaseException) -> bool:
    """Whether the same may go well a moment later: the closed list of what is tried again."""
    return _PASSING.search(str(error)) is not None


def described_failure(number: int, message: str, connection: Connection, relation: str) -> errors.DvtError:
    """The error for what `sys.dm_exec_describe_first_result_set` says of a statement."""
    family, remedy = _BY_NUMBER.get(number, (errors.QueryError, None))
    column = _UNKNOWN_COLUMN.search(message)
    return family(
        f"{message} (SQL Server error {number})",
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase="describe",
        remedy=remedy,
    )


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of mssql-python.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe" or "extract".
        relation: The relation concerned, when known.
    """
    state = str(getattr(error, "driver_error", ""))
    text = str(getattr(error, "ddbc_error", "") or error) or type(error).__name__
    words = _PREFIX.sub("", text)[:_WORDS_AT_MOST]
    number = _NUMBER.search(words)
    by_number = _BY_NUMBER.get(int(number.group(1))) if number else None
    family, remedy = _BY_STATE.get(state) or by_number or (errors.QueryError, None)
    if family is errors.QueryError:
        family, remedy = next(
            (found for pattern, found in _BY_WORDS.items() if re.search(pattern, words, re.IGNORECASE)),
            (family, remedy),
        )
    if phase == "connect":
        if words.startswith(_NOT_LOADED):
            family, remedy = errors.MissingDriverError, _LIBRARIES
        elif _NO_DATABASE.search(words):
            family, remedy = errors.ConfigurationError, "Correct the database in profiles.yml, or grant access to it"
        elif family is not errors.AuthenticationError:
            family, remedy = errors.ConnectionFailedError, _REACH
    column = _UNKNOWN_COLUMN.search(words)
    return family(
        words,
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase=phase,
        remedy=remedy,
    )
