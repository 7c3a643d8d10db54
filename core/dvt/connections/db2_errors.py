"""Errors of Db2 and of its driver, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
_REACH = "Check host, port, security and that the server is up"
_NAMES = "Check schema and name: Db2 keeps names that were not quoted in capitals"
# Family, SQLCODEs, and what to do. Codes are those of Db2's message reference.
_FAMILIES: tuple[tuple[type[errors.DvtError], frozenset[int], str | None], ...] = (
    (errors.AuthenticationError, frozenset({-30082, -1060, -1403, -1046}), "Check user and password of the connection"),
    (
        errors.ConnectionLostError,
        frozenset({-30080, -30081, -30108, -1224, -1024, -900, -1131, -1229}),
        _RUN_AGAIN,
    ),
    (errors.ConfigurationError, frozenset({-1013, -30061, -1001}), "Correct the database in profiles.yml"),
    (errors.PrivilegeError, frozenset({-551, -552, -1092, -567}), "Grant the login what it lacks"),
    (errors.RelationNotFoundError, frozenset({-204, -205, -206}), _NAMES),
    (errors.TimeoutExceededError, frozenset({-911, -913, -905}), _RUN_AGAIN),
    (errors.TimeoutExceededError, frozenset({-952}), "Raise dvt.statement_timeout_s, or make it quicker"),
    (errors.ResourceError, frozenset({-289, -954, -955, -956, -964, -968, -1218}), "Raise the server's limit"),
    (
        errors.DataError,
        frozenset(
            {
                -138,
                -180,
                -181,
                -302,
                -304,
                -332,
                -405,
                -413,
                -420,
                -433,
                -801,
                -802,
                -20448,
                -407,
                -803,
                -530,
                -545,
                -670,
                -1585,
            }
        ),
        None,
    ),
)
_BY_CODE = {code: (family, remedy) for family, codes, remedy in _FAMILIES for code in codes}
_SQLCODE = re.compile(r"SQLCODE=(-?\d+)")
_MESSAGE_NUMBER = re.compile(r"\bSQL(\d{4,5})N\b")
# The driver's own prefixes, and the codes at the end, which are told apart from the words.
_WORDS = re.compile(
    r"^(?:ibm_db_dbi::\w+: )?(?:[\w ]+ Fail\w+: )?(?:\[[^\]]*\])*\s*(?:SQL\d+N\s+)?(.*?)\s*(?:SQLSTATE=.*)?$", re.DOTALL
)
_MISSING_COLUMN = re.compile(r'"([^"]+)" is not valid in the context')
_TLS_WORDS = ("ssl", "gskit", "certificate", "keystore", "cli0157e")
_WORDS_AT_MOST = 1000


def driver_errors() -> tuple[type[Exception], ...]:
    """The driver's own classes; its fetches raise plain exceptions besides."""
    import ibm_db_dbi

    return (ibm_db_dbi.Error, ibm_db_dbi.Warning)


def is_drivers(error: BaseException) -> bool:
    """Whether an exception is the driver's."""
    return isinstance(error, driver_errors()) or type(error) is Exception


def error_code(text: str) -> int:
    """Db2's SQLCODE in a text, 0 when there is none.

    >>> error_code('[IBM][CLI Driver] SQL1336N  The remote host "x" was not found.  SQLSTATE=08001 SQLCODE=-1336')
    -1336
    >>> error_code('[IBM][CLI Driver] SQL30081N  A communication error has been detected.')
    -30081
    """
    found = _SQLCODE.search(text)
    if found and found.group(1) != "-99999":  # what the driver says for errors of its own
        return int(found.group(1))
    number = _MESSAGE_NUMBER.search(text)
    return -int(number.group(1)) if number else 0


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
    text = str(error) or type(error).__name__
    code = error_code(text)
    family, remedy = _BY_CODE.get(code, (errors.QueryError, None))
    if phase == "connect" and not issubclass(family, (errors.AuthenticationError, errors.ConfigurationError)):
        family, remedy = errors.ConnectionFailedError, _REACH
        if any(word in text.lower() for word in _TLS_WORDS):
            remedy = "Check security and the ssl_ keys: certificate, keystore and its password"
    found = _WORDS.match(text)
    words = (found.group(1) if found and found.group(1) else text)[:_WORDS_AT_MOST]
    column = _MISSING_COLUMN.search(text) if code in (-205, -206) else None
    return family(
        f"{words} (SQLCODE {code})" if code else words,
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase=phase,
        remedy=remedy,
    )
