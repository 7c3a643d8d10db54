"""Errors of Oracle and of python-oracledb, as dvt's own."""

from __future__ import annotations

import re

from dvt import errors
from dvt.connections.connection import Connection

_RUN_AGAIN = "Run it again"
# Family, codes of the server (ORA-) and of the driver (DPY-), and what to do.
_FAMILIES: tuple[tuple[type[errors.DvtError], tuple[str, ...], str | None], ...] = (
    (
        errors.AuthenticationError,
        ("ORA-01005", "ORA-01017", "ORA-01045", "ORA-28000", "ORA-28001", "DPY-4001", "DPY-4032"),
        "Check user and password of the connection",
    ),
    (
        errors.ConnectionLostError,
        (
            *("ORA-00028", "ORA-01012", "ORA-01033", "ORA-01034", "ORA-01089", "ORA-02396", "ORA-03113", "ORA-03114"),
            *("ORA-03135", "ORA-12537", "ORA-12547", "DPY-1001", "DPY-4011", "DPY-6005"),
        ),
        _RUN_AGAIN,
    ),
    (errors.RelationNotFoundError, ("ORA-00942", "ORA-00904", "ORA-04043", "ORA-06564"), "Check schema and name"),
    (
        errors.PrivilegeError,
        ("ORA-01031", "ORA-01720", "ORA-01749", "ORA-41900", "ORA-28365"),
        "Grant the login what it lacks",
    ),
    (
        errors.TimeoutExceededError,
        ("DPY-4024", "ORA-02049", "ORA-40222"),
        "Raise dvt.statement_timeout_s, or make it quicker",
    ),
    (errors.InterruptedRunError, ("ORA-01013",), None),
    (
        errors.DataError,
        (
            *("ORA-01426", "ORA-01427", "ORA-01476", "ORA-01722", "ORA-01830", "ORA-01843", "ORA-01858", "ORA-29275"),
            # What a table does not take: too long, too large, NULL, a key twice, a check, a parent that is not there.
            *("ORA-12899", "ORA-01461", "ORA-01438", "ORA-01400", "ORA-01407", "ORA-00001", "ORA-02290", "ORA-02291"),
            *("ORA-02292", "ORA-22848", "ORA-00932"),
        ),
        None,
    ),
    (
        errors.ResourceError,
        ("ORA-01555", "ORA-01652", "ORA-04030", "ORA-04031", "ORA-01536", "ORA-00018", "ORA-00020"),
        "Raise the server's limit (ORA-01555: undo_retention), or read less",
    ),
    (errors.ResourceError, ("ORA-00054", "ORA-00060"), "Others hold the table: run it again when they are done"),
)
_BY_CODE = {code: (family, remedy) for family, codes, remedy in _FAMILIES for code in codes}
_CODE = re.compile(r"\b(?:ORA|DPY)-\d{4,5}\b")
_COLUMNS = (
    re.compile(r'ORA-00904: (?:"[^"]*"\.)*"([^"]*)": invalid identifier'),
    re.compile(r'ORA-12899: value too large for column (?:"[^"]*"\.)*"([^"]*)"'),
    re.compile(r'ORA-01400: cannot insert NULL into \((?:"[^"]*"\.)*"([^"]*)"\)'),
)
_WORDS_AT_MOST = 1000


def translate(
    error: BaseException, connection: Connection, *, phase: str, relation: str | None = None
) -> errors.DvtError:
    """The dvt error for an exception of python-oracledb.

    Args:
        error: The original; the caller raises the result `from` it.
        connection: Where it happened.
        phase: "connect", "describe", "extract", "load" or "land".
        relation: The relation concerned, when known.
    """
    detail = error.args[0] if error.args else error
    text = str(getattr(detail, "message", "") or detail) or type(error).__name__
    words = text.split("\nHelp: ")[0].strip()[:_WORDS_AT_MOST]
    codes = _CODE.findall(str(getattr(detail, "full_code", ""))) + _CODE.findall(words)
    family, remedy = next((_BY_CODE[code] for code in codes if code in _BY_CODE), (errors.QueryError, None))
    if phase == "connect" and family is not errors.AuthenticationError:
        family = errors.ConnectionFailedError
        remedy = "Check host, port, service, wallet and that the server is up"
    column = next((found for pattern in _COLUMNS if (found := pattern.search(words))), None)
    return family(
        words,
        connection=connection.name,
        relation=relation,
        column=column.group(1) if column else None,
        phase=phase,
        remedy=remedy,
    )
