"""Buffered loading of PostgreSQL, for what lets no COPY through: INSERT, many rows in one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.federation.loaders.postgres_encode import as_text
from dvt.federation.loaders.postgres_rows import column_values
from dvt.identifiers import Relation, quote_all

if TYPE_CHECKING:
    import psycopg


def texts(names: list[str], codec: str | None) -> list[Callable[[pa.Array], pa.Array]]:
    """For each column the function to PostgreSQL's input texts."""
    return [partial(column_values, column=name, form=as_text, codec=codec) for name in names]


def insert(
    session: psycopg.Connection[Any],
    relation: Relation,
    names: list[str],
    batches: Iterator[pa.RecordBatch],
    codec: str | None,
) -> int:
    """Send batches as parameters that have no type of their own: each becomes its column's by the column's own input.

    Returns:
        Rows that the server counted.
    """
    columns, marks = quote_all(names, "postgres").replace("%", "%%"), ", ".join(["%s"] * len(names))
    table = relation.sql("postgres").replace("%", "%%")
    statement = " ".join(["insert into", table, "(", columns, ") values (", marks, ")"])
    forms, taken = texts(names, codec), 0
    with session.cursor() as cursor:
        for batch in batches:
            sent = [form(array).cast(pa.string()).to_pylist() for form, array in zip(forms, batch.columns, strict=True)]
            cursor.executemany(statement.encode(), list(zip(*sent, strict=True)))
            taken += cursor.rowcount
    return taken
