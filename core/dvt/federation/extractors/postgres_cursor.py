"""Reading without COPY, for servers and poolers that do not let it through: by a server-side cursor, or at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dvt.federation.extractors.postgres_csv import CsvDecoder

if TYPE_CHECKING:
    import psycopg

_CURSOR = "dvt_rows"


def cursor_batches(
    session: psycopg.Connection[Any], sql: str, decoder: CsvDecoder, rows: int
) -> Iterator[pa.RecordBatch]:
    """Declare a cursor at once, then fetch `rows` rows at a time.

    Args:
        session: A session in a transaction.
        sql: The query.
        decoder: Its columns.
        rows: Rows of one batch.
    """
    session.execute(" ".join(["declare", _CURSOR, "no scroll cursor for", sql]).encode())
    return _fetch(session, decoder, rows)


def buffered_batches(
    session: psycopg.Connection[Any], sql: str, decoder: CsvDecoder, rows: int
) -> Iterator[pa.RecordBatch]:
    """Run the query at once, with its result in memory as a whole, then give `rows` rows at a time.

    Args:
        session: A session in a transaction.
        sql: The query.
        decoder: Its columns.
        rows: Rows of one batch.
    """
    result = session.execute(sql.encode()).pgresult
    return _slices(result, decoder, rows)


def _slices(result: psycopg.pq.abc.PGresult | None, decoder: CsvDecoder, rows: int) -> Iterator[pa.RecordBatch]:
    if result is None:
        return
    for first in range(0, result.ntuples, rows):
        yield decoder.decode_texts(_texts(result, range(first, min(first + rows, result.ntuples))))


def _texts(result: psycopg.pq.abc.PGresult, rows: range) -> list[pa.Array]:
    get = result.get_value
    return [pa.array([get(row, column) for row in rows], pa.binary()) for column in range(result.nfields)]


def _fetch(session: psycopg.Connection[Any], decoder: CsvDecoder, rows: int) -> Iterator[pa.RecordBatch]:
    while True:
        cursor = session.execute(f"fetch forward {rows:d} from {_CURSOR}".encode())
        result = cursor.pgresult
        if result is None or result.ntuples == 0:
            return
        yield decoder.decode_texts(_texts(result, range(result.ntuples)))
