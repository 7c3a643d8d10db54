"""Which database stands behind a generic connection, and how it replaces a table, as far as that is known."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dvt.connections.connection import Connection
from dvt.connections.generic import dialect_of, driver_name
from dvt.connections.landing_ways import Way

# DDL of H2, HSQLDB and MySQL ends a transaction; MySQL renames several tables in one statement.
WAYS: Mapping[str, Way] = {
    "postgres": Way.TRANSACTION,
    "sqlite": Way.TRANSACTION,
    "mysql": Way.STATEMENT,
    "h2": Way.STEPS,
    "hsqldb": Way.STEPS,
    "derby": Way.STEPS,
}
_IN_JAVA = re.compile(r"jdbc:(h2|hsqldb|derby):", re.IGNORECASE)


def family_name(connection: Connection) -> str:
    """The name under which a database's types and words are known; empty where it is not known."""
    dialect = dialect_of(connection)
    if dialect in WAYS:
        return dialect
    found = _IN_JAVA.search(driver_name(connection)) if not dialect else None
    return found.group(1).lower() if found else ""


def way_of(connection: Connection) -> Way:
    """How a table is replaced; step by step where nothing is known."""
    return WAYS.get(family_name(connection), Way.STEPS)
