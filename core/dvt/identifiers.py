"""Relations and the one place where identifiers are quoted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dvt.errors import ConfigurationError

_QUOTES = {"mysql": "`", "mariadb": "`", "databricks": "`", "spark": "`", "hive": "`"}
# Where a backslash escapes in identifiers too.
_ESCAPING = frozenset({"clickhouse"})


def quote(name: str, dialect: str) -> str:
    """The identifier as the dialect reads it, letter for letter, whatever it holds.

    >>> quote('we"ird', "postgres")
    '"we""ird"'
    >>> quote("we`ird", "mysql")
    '`we``ird`'
    >>> print(quote("we\\\\ird", "clickhouse"))
    "we\\\\ird"
    """
    if not name:
        raise ConfigurationError("an identifier is empty", remedy="Give the relation or column a name")
    if "\0" in name:
        raise ConfigurationError(f"identifier {name!r} holds a NUL character", remedy="Rename it")
    if dialect in _ESCAPING:
        name = name.replace("\\", "\\\\")
    mark = _QUOTES.get(dialect, '"')
    return mark + name.replace(mark, mark * 2) + mark


def quote_all(names: Iterable[str], dialect: str) -> str:
    """A comma-separated list of quoted identifiers."""
    return ", ".join(quote(name, dialect) for name in names)


@dataclass(frozen=True, order=True)
class Relation:
    """A table, view or file set, by the parts that its engine uses.

    Args:
        name: Table name, or for files the path or stem below the root.
        schema: Schema; for MySQL the database.
        database: Database or catalogue, where the engine has one above the schema.
    """

    name: str
    schema: str | None = None
    database: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are present, outermost first."""
        return tuple(part for part in (self.database, self.schema, self.name) if part)

    def sql(self, dialect: str) -> str:
        """The quoted name for a statement."""
        return ".".join(quote(part, dialect) for part in self.parts)

    def ast(self) -> Any:
        """The relation as a sqlglot `exp.Table` with every part quoted."""
        from sqlglot import exp

        def part(name: str | None) -> Any:
            return exp.to_identifier(name, quoted=True) if name else None

        return exp.Table(this=part(self.name), db=part(self.schema), catalog=part(self.database))

    def is_same(self, other: Relation) -> bool:
        """Whether two names may mean one relation: without regard to case, and to parts that one of them leaves out."""
        pairs = ((self.name, other.name), (self.schema, other.schema), (self.database, other.database))
        return all(not a or not b or a.lower() == b.lower() for a, b in pairs)

    def sibling(self, name: str) -> Relation:
        """Another relation in the same schema."""
        return Relation(name, self.schema, self.database)

    def __str__(self) -> str:
        return ".".join(self.parts)


def private_name(name: str, run_id: str, max_bytes: int = 63) -> str:
    """A run-scoped name for a private relation, cut by bytes and never inside a character.

    A name that has to be cut keeps a digest of the whole, so that two long names stay apart.

    >>> private_name("orders", "1a2b3c4d")
    'orders__dvt_1a2b3c4d'
    """
    suffix = f"__dvt_{run_id}"
    room = max_bytes - len(suffix.encode())
    encoded = name.encode()
    if len(encoded) <= room:
        return name + suffix
    digest = hashlib.sha256(encoded).hexdigest()[:6]
    return encoded[: room - 7].decode(errors="ignore") + "_" + digest + suffix
