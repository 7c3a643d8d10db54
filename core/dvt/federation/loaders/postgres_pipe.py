"""`COPY FROM STDIN (FORMAT binary)` of bytes that another PostgreSQL gave: nothing is decoded on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dvt.federation.extractors.postgres_raw import FORMAT, refused_value, speaks_binary
from dvt.federation.raw import RawRows
from dvt.identifiers import Relation, quote, quote_all
from dvt.types.postgres_binary import REFUSED, cast_for

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """
select atttypid, atttypmod from pg_catalog.pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
"""


def accepted(session: psycopg.Connection[Any], relation: Relation, raw: RawRows | None) -> list[str] | None:
    """What the source is to make of each column so that its bytes are this table's.

    Args:
        session: Where the table is.
        relation: The table, as it was made for decoded rows.
        raw: The source's offer.

    Returns:
        Types for `RawRows.start`; None when the rows have to be decoded.
    """
    if raw is None or raw.format != FORMAT or not speaks_binary(session):
        return None
    own = session.execute(_COLUMNS, [relation.sql("postgres")]).fetchall()
    if len(own) != len(raw.columns):
        return None
    casts = [
        cast_for((column.type[0], column.type[1]), (type_, modifier))
        for column, (type_, modifier) in zip(raw.columns, own, strict=True)
    ]
    found = [cast for cast in casts if cast is not None]
    return found if len(found) == len(casts) else None


def pipe(
    session: psycopg.Connection[Any],
    relation: Relation,
    names: list[str],
    raw: RawRows,
    types: list[str],
    check: Callable[[], None],
    form: str = "(format binary)",
) -> tuple[int, int, int]:
    """Copy the offered rows into a table.

    Args:
        session: In a transaction.
        relation: The table.
        names: Its columns.
        raw: The offer.
        types: As `accepted` gave them.
        check: Called before each block; raises when the load is no longer wanted.
        form: COPY's options.

    Returns:
        Rows that the source counted, rows that this server counted, and bytes.
    """
    size = 0
    blocks = raw.start(types)
    columns = quote_all(names, "postgres")
    statement = "".join(["copy ", relation.sql("postgres"), " (", columns, ") from stdin ", form]).encode()
    with session.cursor() as cursor:
        try:
            with cursor.copy(statement) as copy:
                while True:
                    check()
                    try:
                        block = next(blocks)
                    except StopIteration as end:
                        given = int(end.value)
                        break
                    size += len(block)
                    copy.write(block)
        finally:
            blocks.close()
        return given, cursor.rowcount, size


def check_values(session: psycopg.Connection[Any], relation: Relation, names: list[str], raw: RawRows) -> None:
    """Refuse what decoding would have refused, where the source does not look for it.

    Raises:
        DataError: A value that no other lane carries; the column is named.
    """
    checked = [
        (name, REFUSED[column.type[0]].replace("%s", quote(name, "postgres")))
        for name, column in zip(names, raw.columns, strict=True)
        if column.type[0] in REFUSED
    ]
    if raw.are_checked or not checked:
        return
    counts = ", ".join("".join(["bool_or(", condition, ")"]) for _, condition in checked)
    row = session.execute(" ".join(["select", counts, "from", relation.sql("postgres")]).encode()).fetchone()
    assert row is not None, "an aggregate gives one row"
    for (name, _), is_found in zip(checked, row, strict=True):
        if is_found:
            raise refused_value(name)
