"""Generic connections: any database with an ADBC, ODBC, DB-API or JDBC driver. Keys, method and dialect."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import sqlglot

from dvt.connections.comparing import ComparingFacts
from dvt.connections.connection import Connection
from dvt.connections.landing_ways import Way
from dvt.connections.secrets import register, revealed
from dvt.connections.spec import ConnectionSpec, Option
from dvt.errors import ConfigurationError, nearest

__all__ = ["SPEC", "call_arguments", "dialect_of", "given_jars", "method_of", "read_only", "setting_text"]

# The keys that only one method reads; one of them chooses the method where `method` does not.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "adbc": ("db_kwargs", "conn_kwargs", "uri", "entrypoint"),
    "odbc": ("connection_string",),
    "dbapi": ("connect_args",),
    "jdbc": ("url", "properties", "jars"),
}
# sqlglot's dialects by what drivers are called. A name that says nothing leaves standard SQL and double quotes.
_DIALECTS: tuple[tuple[str, str], ...] = (
    ("redshift", "redshift"),
    ("postgres|psqlodbc|psycopg|pg8000", "postgres"),
    ("maria|mysql", "mysql"),
    ("sqlite", "sqlite"),
    ("duckdb", "duckdb"),
    ("oracle", "oracle"),
    ("sqlserver|sql server|mssql|pymssql|freetds|msodbcsql", "tsql"),
    ("snowflake", "snowflake"),
    ("bigquery", "bigquery"),
    ("clickhouse|chdb", "clickhouse"),
    ("databricks", "databricks"),
    ("trino", "trino"),
    ("teradata", "teradata"),
    ("exasol|pyexasol", "exasol"),
    ("hive|impyla", "hive"),
    ("spark", "spark"),
)
_ODBC_DRIVER = re.compile(r"(?i)(?:^|;)\s*(?:driver|dsn)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)")
_SCHEME = re.compile(r"^(?:jdbc:)?[a-z0-9+.-]+:", re.IGNORECASE)
# Where texts hold passwords: `scheme://user:password@host`, `Pwd={...};`.
_INNER = (
    re.compile(r"://[^\s/:@]*:([^\s/@]+)@"),
    re.compile(r"(?i)\b(?:password|pwd)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;&\s]+))"),
)


def _place(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    # What stands in an address is not known: equal outputs are one place. Its texts may hold passwords.
    named = sorted((key, repr(revealed(value))) for key, value in settings.items() if not key.startswith("__"))
    return (hashlib.sha256(repr(named).encode()).hexdigest(),)


SPEC = ConnectionSpec(
    type="generic",
    dialect="",
    settings=(
        *("method", "driver", "dialect", "user", "password", "database", "schema", "read_only"),
        *(key for keys in _KEYS.values() for key in keys),
    ),
    required=(("driver", "uri", "connection_string", "url"),),
    secret_settings=(
        "password",
        "uri",
        "connection_string",
        "url",
        "db_kwargs",
        "conn_kwargs",
        "connect_args",
        "properties",
    ),
    place=_place,
    options=(
        Option(
            "max_value_length",
            "int",
            16_384,
            "the longest text (in UTF-16 units) or binary value (in bytes) that is read over ODBC; room for it is made"
            " in every row of a batch, and a longer one stops the run",
            minimum=1,
        ),
        Option(
            "check_loads",
            "str",
            "values",
            "what is asked after a load: all values, which are read back and compared with those that were sent, or the"
            " count of rows only, which trusts the driver",
            choices=("values", "count"),
        ),
        Option(
            "column_types",
            "map",
            None,
            "the database's own types for tables that models make, by kind (boolean, smallint, integer, bigint,"
            " decimal, double, text, binary, date, time, timestamp, timestamptz, uuid, json), where standard SQL's are"
            " not right; `{precision}` and `{scale}` stand in a decimal's",
        ),
    ),
    extra="generic",
    has_snapshot=False,
    landing=Way.STEPS,
    transactional_ddl=False,
    # Nothing is known of how the database compares: it is asked for columns and a number of rows.
    comparing=ComparingFacts(takes_order=False),
    dialect_of=lambda connection: dialect_of(connection),
    landing_of=lambda connection, options: _landing(connection),
)


def _landing(connection: Connection) -> Way:
    from dvt.connections.generic_family import way_of

    return way_of(connection)


def method_of(connection: Connection) -> str:
    """How the database is read: "adbc", "odbc", "dbapi" or "jdbc".

    Raises:
        ConfigurationError: The output does not say, or says two things.
    """
    given = {method for method, keys in _KEYS.items() if any(connection.first(key) for key in keys)}
    given |= {"jdbc"} if connection.options.get("jdbc") else set()
    method = connection.first("method")
    if method is None and len(given) == 1:
        return given.pop()
    if method is None:
        what = f"has keys of {' and '.join(sorted(given))}" if given else "does not say how it is read"
        raise ConfigurationError(
            f"the output {what}", connection=connection.name, remedy=f"Write `method:` with one of {', '.join(_KEYS)}"
        )
    if method not in _KEYS:
        raise ConfigurationError(
            f"method is {method!r}: {nearest(str(method), _KEYS)}",
            connection=connection.name,
            remedy=f"Write one of {', '.join(_KEYS)}",
        )
    for other in sorted(given - {method}):
        key = next((key for key in _KEYS[other] if connection.first(key)), "dvt.jdbc")
        raise ConfigurationError(
            f"key '{key}' is of method {other}, and method is {method}",
            connection=connection.name,
            remedy="Remove one of them",
        )
    return str(method)


def given_jars(connection: Connection) -> tuple[str, ...]:
    """The jars that the output names: as its own `jars`, or below `dvt: {jdbc: ...}` as for any other type.

    Raises:
        ConfigurationError: In both places, or another key stands below `dvt: {jdbc: ...}`.
    """
    own, below = connection.settings.get("jars"), connection.options.get("jdbc") or {}
    for key in below:
        if key != "jars":
            raise ConfigurationError(
                f"unknown key 'dvt.jdbc.{key}' for type generic",
                code="DVT102",
                connection=connection.name,
                remedy="Use jars; url, driver and properties are keys of the output itself",
            )
    if own and below.get("jars"):
        raise ConfigurationError(
            "jars are named twice, in the output and in dvt.jdbc.jars",
            connection=connection.name,
            remedy="Remove one of them",
        )
    found = own or below.get("jars") or ()
    return (found,) if isinstance(found, str) else tuple(str(jar) for jar in found)


def dialect_of(connection: Connection) -> str:
    """sqlglot's name of the database's SQL: as the output says, else by the driver's name; "" is standard SQL.

    Raises:
        ConfigurationError: There is no such dialect.
    """
    given = connection.settings.get("dialect")
    if given is not None:
        name = str(given).strip().lower()
        if name in ("", "ansi"):
            return ""
        if sqlglot.Dialect.get(name) is None:
            raise ConfigurationError(
                f"dialect is {given!r}: {nearest(name, sqlglot.Dialect.classes)}",
                connection=connection.name,
                remedy="Write a dialect of sqlglot, or ansi",
            )
        return name
    name = driver_name(connection).lower()
    return next((dialect for pattern, dialect in _DIALECTS if re.search(pattern, name)), "")


def driver_name(connection: Connection) -> str:
    """What the output calls the driver, without what else stands in addresses."""
    parts = [str(connection.first("driver", default=""))]
    if odbc := _ODBC_DRIVER.search(setting_text(connection, "connection_string")):
        parts.append(odbc.group(1))
    for key in ("url", "uri"):
        if scheme := _SCHEME.match(setting_text(connection, key)):
            parts.append(scheme.group(0))
    return " ".join(parts).strip()


def setting_text(connection: Connection, key: str) -> str:
    """A text setting that may hold a password; the password is known to `redact` from then on."""
    text = connection.secret(key) or ""
    for pattern in _INNER:
        for found in pattern.finditer(text):
            register(next(group for group in found.groups() if group))
    return text


def call_arguments(connection: Connection, key: str) -> dict[str, Any]:
    """A mapping setting with its secrets, for a driver's connect call only.

    Raises:
        ConfigurationError: It is no mapping.
    """
    value = connection.settings.get(key)
    if value in (None, ""):
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{key} is not a mapping", connection=connection.name, remedy="Write it as keys and values in profiles.yml"
        )
    return {str(name): revealed(inner) for name, inner in value.items()}


def read_only(connection: Connection, *, can: bool) -> bool:
    """Whether the session is to be a reading one.

    Args:
        connection: The connection.
        can: Whether the method can ask for it.

    Raises:
        ConfigurationError: It is asked for, and the method cannot.
    """
    wanted = bool(connection.first("read_only", default=False))
    if wanted and not can:
        raise ConfigurationError(
            f"method {method_of(connection)} has no read-only sessions",
            connection=connection.name,
            remedy="Remove read_only, and give the login no right to write",
        )
    return wanted
