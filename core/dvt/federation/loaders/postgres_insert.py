"""Buffered loading of PostgreSQL, for what lets no COPY through: INSERT, many rows in one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.errors import DataError
from dvt.federation.loaders.postgres_encode import ValueUnfitError, as_csv, as_text, is_encodable
from dvt.identifiers import Relation, quote_all

if TYPE_CHECKING:
    import psycopg


def column_values(array: pa.Array, column: str, form: Callable[[pa.Array], pa.Array], codec: str | None) -> pa.Array:
    """A column's values in a form that PostgreSQL reads exactly.

    Args:
        array: The values.
        column: Its name, for errors.
        form: `as_csv` or `as_text`.
        codec: Python's name of the database's encoding; None where it has all of Unicode.

    Raises:
        DataError: PostgreSQL has no place for one; the column is named.
    """
    try:
        found = form(array)
    except ValueUnfitError as error:
        raise DataError(str(error), column=column, remedy="Cast or replace the value in the model") from error
    if codec and pa.types.is_string(found.type) and not is_encodable(found, codec):
        raise DataError(
            f"a text has characters that the database's encoding ({codec}) does not have",
            column=column,
            remedy="Land in a database with encoding UTF8, or replace the characters in the model",
        )
    return found


csv_values = partial(column_values, form=as_csv)


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
