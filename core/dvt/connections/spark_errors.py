"""Error classes of Spark, as Spark Connect, Databricks and Spark's HiveServer2 report them, as families of dvt's own.

Spark names what is wrong: `[TABLE_OR_VIEW_NOT_FOUND] The table ... cannot be found. ... SQLSTATE: 42P01`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dvt import errors

_CHECK_NAMES = "Check catalog, schema and name"
_GRANT = "Grant the login what it lacks"
_RUN_AGAIN = "Run it again"
_NO_TIME = "Raise dvt.statement_timeout_s, or make it quicker"
_READ_LESS = "Raise the server's limit, or read less"

# Beginnings of error classes, in this order.
_CLASSES: tuple[tuple[str, type[errors.DvtError], str | None], ...] = (
    ("TABLE_OR_VIEW_NOT_FOUND", errors.RelationNotFoundError, _CHECK_NAMES),
    ("SCHEMA_NOT_FOUND", errors.RelationNotFoundError, _CHECK_NAMES),
    ("NO_SUCH_CATALOG", errors.RelationNotFoundError, _CHECK_NAMES),
    ("CATALOG_NOT_FOUND", errors.RelationNotFoundError, _CHECK_NAMES),
    ("UNRESOLVED_COLUMN", errors.RelationNotFoundError, "Check the column's name"),
    ("INSUFFICIENT_PERMISSIONS", errors.PrivilegeError, _GRANT),
    ("PERMISSION_DENIED", errors.PrivilegeError, _GRANT),
    ("UNAUTHORIZED_ACCESS", errors.PrivilegeError, _GRANT),
    ("QUERY_EXECUTION_TIMEOUT", errors.TimeoutExceededError, _NO_TIME),
    ("OPERATION_CANCELED", errors.InterruptedRunError, None),
    ("INVALID_HANDLE", errors.ConnectionLostError, _RUN_AGAIN),
    ("CAST_", errors.DataError, None),
    ("NUMERIC_VALUE_OUT_OF_RANGE", errors.DataError, None),
    ("DIVIDE_BY_ZERO", errors.DataError, None),
    ("ARITHMETIC_OVERFLOW", errors.DataError, None),
    ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", errors.DataError, "Give the column a value in the model"),
    ("DELTA_VIOLATE_CONSTRAINT", errors.DataError, "Mend the values in the model"),
    ("DELTA_EXCEED_CHAR_VARCHAR_LIMIT", errors.DataError, "Cut the text in the model, or declare a longer type"),
    ("FAILED_READ_FILE", errors.QueryError, None),
)
# By SQLSTATE, whole or its class.
_STATES: tuple[tuple[str, type[errors.DvtError], str | None], ...] = (
    ("42P01", errors.RelationNotFoundError, _CHECK_NAMES),
    ("42S02", errors.RelationNotFoundError, _CHECK_NAMES),
    ("42703", errors.RelationNotFoundError, "Check the column's name"),
    ("42704", errors.RelationNotFoundError, _CHECK_NAMES),
    ("42501", errors.PrivilegeError, _GRANT),
    ("57014", errors.InterruptedRunError, None),
    ("57KD0", errors.TimeoutExceededError, _NO_TIME),
    ("22", errors.DataError, None),
    ("53", errors.ResourceError, _READ_LESS),
    ("54", errors.ResourceError, _READ_LESS),
)
_CLASS = re.compile(r"\[([A-Z][A-Z0-9_]+)(?:\.[A-Z0-9_.]+)?\]\s*(.*)", re.DOTALL)
_STATE = re.compile(r"SQLSTATE:?\s*\(?([0-9A-Z]{5})\b")
_NO_NULL = re.compile(r"violated for column: `?([^\n`]+?)`?\.?(?: SQLSTATE|\n|$)")
_COLUMN = re.compile(r"parameter with name (`(?:[^`]|``)+`(?:\.`(?:[^`]|``)+`)*) cannot be resolved")
_MEMORY = re.compile(r"OutOfMemoryError|maxResultSize|memory limit", re.IGNORECASE)
_MOST = 1000


@dataclass(frozen=True)
class SparkFault:
    """What an error of Spark says.

    Args:
        family: The family of dvt's errors.
        words: What is wrong, in Spark's words, without plans and stack traces.
        remedy: What to do about it, when something helps.
        column: The column that does not exist, or takes no NULL.
    """

    family: type[errors.DvtError]
    words: str
    remedy: str | None = None
    column: str | None = None

    def of_login(self, remedy: str) -> SparkFault:
        """The same where it ends a log-in: the output is wrong, unless Spark says that the fault is its own.

        Args:
            remedy: What to correct in the output.
        """
        if not issubclass(self.family, errors.QueryError):
            return self
        if self.words.startswith("[INTERNAL_ERROR"):
            return replace(self, family=errors.ConnectionFailedError, remedy=_RUN_AGAIN)
        return replace(self, family=errors.ConfigurationError, remedy=remedy)


def fault(text: str, sql_state: str = "") -> SparkFault:
    """What an error's text says.

    >>> found = fault("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012 (line 1, pos 7)\\n== SQL ==")
    >>> found.family.__name__, found.words
    ('DataError', '[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012')
    """
    named = _CLASS.search(text)
    name = named.group(1) if named else ""
    found_state = _STATE.search(text)
    state = found_state.group(1) if found_state else sql_state
    words = _shown(named.group(0) if named else text)
    if _MEMORY.search(text):
        return SparkFault(errors.ResourceError, words, _READ_LESS)
    for start, family, remedy in _CLASSES:
        if name.startswith(start):
            column = (_COLUMN if start == "UNRESOLVED_COLUMN" else _NO_NULL).search(text)
            return SparkFault(family, words, remedy, _last_name(column.group(1)) if column else None)
    for start, family, remedy in _STATES:
        if state.startswith(start):
            return SparkFault(family, words, remedy)
    return SparkFault(errors.QueryError, words)


def _shown(text: str) -> str:
    """Up to the SQLSTATE, or to where a plan or a stack trace begins."""
    end = _STATE.search(text)
    if end:
        return text[: end.end()][:_MOST].strip()
    for mark in ("\n== SQL", "\n\tat ", "\n'", "\nJVM stacktrace", ";\n"):
        text = text.partition(mark)[0]
    return text[:_MOST].strip()


def _last_name(quoted: str) -> str:
    return quoted.split("`.`")[-1].strip("`").replace("``", "`")
