"""Reading through a server-side cursor, for servers and poolers that do not let COPY through."""

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


def _fetch(session: psycopg.Connection[Any], decoder: CsvDecoder, rows: int) -> Iterator[pa.RecordBatch]:
    while True:
        cursor = session.execute(f"fetch forward {rows:d} from {_CURSOR}".encode())
        result = cursor.pgresult
        if result is None or result.ntuples == 0:
            return
        get = result.get_value
        texts = [
            pa.array([get(row, column) for row in range(result.ntuples)], pa.binary())
            for column in range(result.nfields)
        ]
        yield decoder.decode_texts(texts)
