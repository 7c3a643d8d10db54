"""A batch as the lines of PostgreSQL's `COPY FROM STDIN (FORMAT csv)`; Spark's executors write them too.

Nothing is imported here that a cluster's Python may be without: no dbt, no DuckDB, no sqlglot.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.csv as csv

from dvt.errors import DataError
from dvt.federation.loaders.postgres_encode import ValueUnfitError, as_csv, is_encodable

PIECE_BYTES = 8 * 1024 * 1024
"""Batches of wide rows are cut to pieces of about this size before they are encoded."""

_WRITE = csv.WriteOptions(include_header=False, quoting_style="needed")


def encoded(piece: pa.RecordBatch, codec: str | None) -> bytes:
    """The lines of a batch.

    Args:
        piece: The rows.
        codec: Python's name for the database's encoding, None where every text has a place in it.

    Raises:
        DataError: A value that PostgreSQL cannot hold; the column is named.
    """
    arrays = []
    for number, (array, field) in enumerate(zip(piece.columns, piece.schema, strict=True)):
        try:
            arrays.append(as_csv(array))
        except ValueUnfitError as error:
            remedy = "Cast or replace the value in the model"
            raise DataError(str(error), column=field.name, remedy=remedy) from error
        if codec and pa.types.is_string(arrays[number].type) and not is_encodable(arrays[number], codec):
            raise DataError(
                f"a text has characters that the database's encoding ({codec}) does not have",
                column=field.name,
                remedy="Land in a database with encoding UTF8, or replace the characters in the model",
            )
    sink = io.BytesIO()
    names = [str(number) for number in range(len(arrays))]
    csv.write_csv(pa.RecordBatch.from_arrays(arrays, names), sink, write_options=_WRITE)
    return sink.getvalue()
