"""`retries` of a DuckDB output, as dbt-duckdb has it: attempts to connect and to query, and after which exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.retrying import Retries
from dvt.errors import ConfigurationError, nearest

_KEYS = ("connect_attempts", "query_attempts", "retryable_exceptions")
_REMEDY = "Write it as {connect_attempts: 3, query_attempts: 2, retryable_exceptions: [IOException]}"


def connecting_again(connection: Connection) -> Retries:
    """How often a file is asked for, for example one that another process has locked."""
    return _retries(connection, "connect_attempts")


def querying_again(connection: Connection) -> Retries:
    """How often a statement is sent that has given no row."""
    return _retries(connection, "query_attempts")


def _retries(connection: Connection, key: str) -> Retries:
    given = _given(connection)
    names = given.get("retryable_exceptions") or ["IOException"]
    return Retries(int(given.get(key) or 1) - 1, lambda error: type(error).__name__ in names, _doubling)


def _doubling(number: int) -> float:
    """The waits of dbt-duckdb in seconds: 1, 2, 4 and so on."""
    return float(2 ** (number - 1))


def _given(connection: Connection) -> Mapping[str, Any]:
    given = connection.first("retries", default={})
    if not isinstance(given, Mapping):
        raise _refused(connection, f"retries is {given!r}")
    for key, value in given.items():
        if key not in _KEYS:
            raise _refused(connection, f"retries has no key {key!r}: {nearest(str(key), _KEYS)}")
        wanted = list if key == "retryable_exceptions" else int
        if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise _refused(connection, f"retries has {value!r} as {key}")
    return given


def _refused(connection: Connection, message: str) -> ConfigurationError:
    return ConfigurationError(message, connection=connection.name, remedy=_REMEDY)
