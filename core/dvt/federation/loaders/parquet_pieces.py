"""Rows as Parquet files of bounded size, held in memory one at a time; for engines that load files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

# What is gathered before it is written: a row group that is small costs the engine more than it holds.
_GROUP_BYTES = 4 << 20
PIECE_BYTES = 32 << 20


def parquet_pieces(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, piece_bytes: int = PIECE_BYTES
) -> Iterator[bytes]:
    """Whole Parquet files; none where there are no rows.

    Args:
        batches: The rows, each batch of some megabytes at most.
        schema: Their columns.
        piece_bytes: A file that is larger is ended.
    """
    sink = io.BytesIO()
    writer: pq.ParquetWriter | None = None
    for group in _groups(batches, schema):
        if writer is None:
            # Without Arrow's own schema beside Parquet's: what a reader of one kind sees is what all see.
            writer = pq.ParquetWriter(sink, schema, compression="snappy", store_schema=False)
        writer.write_table(group)
        if sink.tell() >= piece_bytes:
            writer.close()
            yield sink.getvalue()
            sink, writer = io.BytesIO(), None
    if writer is not None:
        writer.close()
        yield sink.getvalue()


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    some: list[pa.RecordBatch] = []
    gathered = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        some.append(batch)
        gathered += batch.nbytes
        if gathered >= _GROUP_BYTES:
            yield pa.Table.from_batches(some, schema)
            some, gathered = [], 0
    if some:
        yield pa.Table.from_batches(some, schema)
