"""How databases behind a driver of any kind put a table in place and change its rows, by what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dvt.connections.connection import Connection
from dvt.connections.generic_family import family_name
from dvt.federation.loaders.changes import ChangeWords
from dvt.federation.loaders.landing import Words

_TABLES = "select table_type from information_schema.tables where table_name = {name} and table_schema = {schema}"
_LISTED = "select table_name, table_type from information_schema.tables where table_schema = {schema}"
_SCHEMATA = "select schema_name from information_schema.schemata"


@dataclass(frozen=True)
class Dealings:
    """What is known of one database.

    Args:
        words: What is said for it.
        changes: What is said where rows change.
        own_schema: Asks for the schema of names without one; empty where there are none.
        kind: Asks for the kind of a relation by `{name}` and `{schema}`; empty where it is tried.
        listed: Asks for names and kinds of a schema's relations; empty where it is not known how.
        schemata: Asks for the names of schemas.
        settings: What a session that writes begins with.
    """

    words: Words = field(default=Words())
    changes: ChangeWords = field(default=ChangeWords(delete="exists", merge="replace", first="fetch first 1 rows only"))
    own_schema: str = ""
    kind: str = _TABLES
    listed: str = _LISTED
    schemata: str = _SCHEMATA
    settings: tuple[str, ...] = ()


_LIMIT = ChangeWords(delete="exists", merge="replace")
_DEALINGS: Mapping[str, Dealings] = {
    "postgres": Dealings(changes=_LIMIT, own_schema="select current_schema()"),
    "mysql": Dealings(
        Words(
            rename="rename table {private} to {target}",
            exchange="rename table {target} to {spare}, {private} to {target}, {spare} to {private}",
        ),
        ChangeWords(delete="join", merge="replace"),
        own_schema="select database()",
        # Names come in either quotes, because dbt has its own; and what does not fit is an error.
        settings=("set session sql_mode = concat(@@sql_mode, ',ANSI_QUOTES,STRICT_ALL_TABLES')",),
    ),
    "sqlite": Dealings(
        changes=_LIMIT,
        kind="select type from sqlite_master where name = {name}",
        listed="select name, type from sqlite_master where type in ('table', 'view')",
        schemata="",
    ),
    "h2": Dealings(own_schema="select current_schema"),
    "hsqldb": Dealings(own_schema="values current_schema"),
    "derby": Dealings(
        words=Words(rename="rename table {private} to {bare}"),
        own_schema="values current schema",
        kind="select t.tabletype from sys.systables t join sys.sysschemas s on s.schemaid = t.schemaid"
        " where t.tablename = {name} and s.schemaname = {schema}",
        listed="select t.tablename, t.tabletype from sys.systables t join sys.sysschemas s on s.schemaid = t.schemaid"
        " where s.schemaname = {schema}",
        schemata="select schemaname from sys.sysschemas",
    ),
}
_UNKNOWN = Dealings(kind="", listed="", schemata="")


def dealings(connection: Connection) -> Dealings:
    """What is known of a connection's database."""
    return _DEALINGS.get(family_name(connection), _UNKNOWN)


def is_view(kind: str) -> bool:
    """Whether a catalogue's word for a relation's kind means a view."""
    return kind.strip().upper() in ("VIEW", "V")
