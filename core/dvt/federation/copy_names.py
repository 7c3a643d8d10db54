"""How the two ends of a copy are named: `connection:schema.table`, and `connection:path` where files lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dvt.connections.connection import Connection
from dvt.connections.landing import landing_schema
from dvt.errors import ConfigurationError
from dvt.identifiers import Relation

_FORM = "Write it as connection:schema.table, connection:table, or connection:path for files"
_PATTERN = re.compile(r"[*?\[]")
_PART = re.compile(r'"(?P<double>(?:[^"]|"")*)"|`(?P<back>(?:[^`]|``)*)`|(?P<plain>[^."`]+)')


@dataclass(frozen=True)
class End:
    """One end of a copy.

    Args:
        connection: Where it is.
        relation: What it is called there.
        file_options: Where it is a pattern of files: the pattern.
    """

    connection: Connection
    relation: Relation
    file_options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for several files."""
        return bool(self.file_options)

    def __str__(self) -> str:
        return f"{self.connection.name}:{self.relation}"


def split_name(text: str) -> tuple[str, str]:
    """The connection's name, empty for the default target's, and the rest.

    Raises:
        ConfigurationError: There is no colon, or nothing behind it.

    >>> split_name("crm:public.orders")
    ('crm', 'public.orders')
    """
    connection, _, rest = text.partition(":")
    if not rest:
        raise ConfigurationError(f"{text!r} does not name a table of a connection", code="DVT112", remedy=_FORM)
    return connection, rest


def end_of(connection: Connection, rest: str) -> End:
    """What stands behind the colon, as a relation of the connection.

    Raises:
        ConfigurationError: It is not written as names are, or names another database.
    """
    if not connection.spec.runs_sql:
        return _files(connection, rest)
    parts = name_parts(rest)
    if not 1 <= len(parts) <= 3:
        raise ConfigurationError(f"{rest!r} is not the name of a table", code="DVT112", remedy=_FORM)
    name, schema, database = ([*reversed(parts), "", ""])[:3]
    return End(connection, Relation(name, schema or landing_schema(connection), _other_database(connection, database)))


def name_parts(text: str) -> list[str]:
    """The parts of a name between its dots; a quoted part may hold any letter. Empty when it is written wrongly.

    >>> name_parts('raw."odd.name"')
    ['raw', 'odd.name']
    >>> name_parts("raw..orders")
    []
    """
    parts, at = [], 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            return []
        plain, double, back = found["plain"], found["double"], found["back"]
        parts.append(
            plain if plain is not None else double.replace('""', '"') if double else (back or "").replace("``", "`")
        )
        at = found.end()
        if not parts[-1].strip() or (at < len(text) and text[at] != "."):
            return []
        if at == len(text):
            return parts
        at += 1


def _files(connection: Connection, rest: str) -> End:
    quoted = name_parts(rest) if rest[0] in '"`' else []
    if len(quoted) == 1:
        return End(connection, Relation(quoted[0]))
    return End(connection, Relation(rest), {"path": rest} if _PATTERN.search(rest) else {})


def _other_database(connection: Connection, given: str) -> str | None:
    """The database above the schema, where it is not the connection's own."""
    if not given:
        return None
    own = connection.first("dbname", "database", *connection.spec.catalogue_settings)
    if connection.type == "duckdb":
        own = own or connection.path("path").stem
    if own is not None and str(own).lower() == given.lower():
        return None
    if connection.spec.catalogue_settings or connection.type == "duckdb":
        return given
    raise ConfigurationError(
        f"the connection reaches one database{f', {own}' if own else ''}, and not {given!r}",
        code="DVT112",
        connection=connection.name,
        remedy="Write connection:schema.table, or use a connection to that database",
    )
