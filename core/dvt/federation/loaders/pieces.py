"""Batches of wide rows in pieces that fit in memory once more while they are encoded."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa


def halved(batch: pa.RecordBatch, most_bytes: int | None) -> Iterator[pa.RecordBatch]:
    """A batch in pieces of at most so many bytes, or of one row; whole when no limit is given."""
    is_large = most_bytes is not None and batch.num_rows > 1 and batch.nbytes > most_bytes
    if not is_large:
        yield batch
        return
    middle = batch.num_rows // 2
    yield from halved(batch.slice(0, middle), most_bytes)
    yield from halved(batch.slice(middle), most_bytes)
