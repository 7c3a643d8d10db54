"""A batch as the lines of PostgreSQL's `COPY FROM STDIN (FORMAT csv)`; Spark's executors write them too.

Nothing is imported here that a cluster's Python may be without: no dbt, no DuckDB, no sqlglot.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.csv as csv

from dvt.errors import DataError
from dvt.federation.loaders.postgres_encode import ValueUnfitError, as_csv, is_encodable

PIECE_BYTES = 8 * 1024 * 1024
"""Batches of wide rows are cut to pieces of about this size before they are encoded."""

_WRITE = csv.WriteOptions(include_header=False, quoting_style="needed")


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


def encoded(piece: pa.RecordBatch, codec: str | None) -> bytes:
    """The lines of a batch.

    Args:
        piece: The rows.
        codec: Python's name for the database's encoding, None where every text has a place in it.

    Raises:
        DataError: A value that PostgreSQL cannot hold; the column is named.
    """
    columns = zip(piece.columns, piece.schema.names, strict=True)
    arrays = [column_values(array, name, as_csv, codec) for array, name in columns]
    sink = io.BytesIO()
    names = [str(number) for number in range(len(arrays))]
    csv.write_csv(pa.RecordBatch.from_arrays(arrays, names), sink, write_options=_WRITE)
    return sink.getvalue()
