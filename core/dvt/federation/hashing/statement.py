"""The query that hashes a relation's rows where they are: one key and one hash for each row.

The hash is the MD5 of the row's columns in their order. Each value is followed by `|`; in a text `~` becomes `~0` and
`|` becomes `~1`, and NULL is `~N`. So two rows have the same text only when all their values are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from dvt.errors import UnsupportedError
from dvt.federation.hashing.words import HashWords
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import quote
from dvt.types.vocabulary import is_uuid

KEY, HASH = "dvt_key", "dvt_hash"
END, NULL = "|", "~N"
_ESCAPES = (("~", "~0"), ("|", "~1"))


def hash_sql(
    words: HashWords, columns: Sequence[ColumnSchema], keys: Sequence[ColumnSchema], source: str, dialect: str
) -> str:
    """The query.

    Args:
        words: The engine's.
        columns: What is hashed, in this order.
        keys: What names a row: its text when it is one column, else the texts of all as in the hash.
        source: What stands in FROM.
        dialect: The dialect in which names are quoted.

    Raises:
        UnsupportedError: The engine has no words for a column's type.
    """
    key = _value(words, keys[0], dialect) if len(keys) == 1 else _row(words, keys, dialect)
    digest = digest_sql(words, columns, dialect)
    listed = ", ".join([f"{key} as {quote(KEY, dialect)}", f"{digest} as {quote(HASH, dialect)}"])
    return " ".join(["select", listed, "from", source])


def digest_sql(words: HashWords, columns: Sequence[ColumnSchema], dialect: str) -> str:
    """The MD5 of a row's columns, as an expression.

    Raises:
        UnsupportedError: The engine has no words for a column's type.
    """
    return words.digest.replace("{x}", _row(words, columns, dialect))


def family(type_: pa.DataType) -> str:
    """The name of the words for a carried type; empty where there are none.

    >>> family(pa.decimal128(10, 0)), family(pa.decimal128(10, 2)), family(pa.list_(pa.int8()))
    ('integer', 'decimal', '')
    """
    if is_uuid(type_):
        return "uuid"
    if pa.types.is_decimal(type_):
        return "decimal" if type_.scale > 0 else "integer"
    if pa.types.is_timestamp(type_):
        return "instant" if type_.tz else "timestamp"
    return next((name for is_such, name in _FAMILIES if is_such(type_)), "")


_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "double"),
    (pa.types.is_string, "text"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "binary"),
)


def _row(words: HashWords, columns: Sequence[ColumnSchema], dialect: str) -> str:
    parts = [words.first] if words.first else []
    for column in columns:
        value = _value(words, column, dialect)
        for plain, escaped in _ESCAPES if family(column.type) == "text" else ():
            value = f"replace({value}, '{plain}', '{escaped}')"
        parts += [f"coalesce({value}, '{NULL}')", f"'{END}'"]
    if words.joined == "concat":
        return f"concat({', '.join(parts)})"
    return f" {words.joined} ".join(parts)


def _value(words: HashWords, column: ColumnSchema, dialect: str) -> str:
    """The column's canonical text; NULL where it is NULL."""
    name = family(column.type)
    template: str = getattr(words, name) if name else ""
    if not template:
        raise UnsupportedError(
            f"{column.native_type or column.type} has no text that can be hashed there",
            column=column.name,
            phase="extract",
            remedy="Choose the columns to hash without it, or cast it in a query",
        )
    return template.replace("{x}", quote(column.name, dialect))
