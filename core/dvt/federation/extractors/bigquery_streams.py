"""The streams of a Storage Read session, read side by side, in batches as they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dvt.federation.extractors.part_readers import PartReaders


class SessionReader:
    """Reads one session. Its client's channel is its own: closing it ends the streams on the server.

    Args:
        client: The Storage Read API's client.
        session: The session.
    """

    def __init__(self, client: Any, session: Any) -> None:
        self._client = client
        names = [stream.name for stream in session.streams]
        self._schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema)) if names else None
        self._readers = PartReaders([self._read(name) for name in names], client.transport.close)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The record batches of all streams, in any order. What a stream fails with is raised here."""
        return self._readers.batches()

    def close(self) -> None:
        """End what still runs, and the channel. Closing twice is allowed."""
        self._readers.close()
        self._client.transport.close()

    def _read(self, name: str) -> Iterator[pa.RecordBatch]:
        """A stream that breaks for a passing reason is read on by the client, from the row after the last."""
        for message in self._client.read_rows(name):
            body = message.arrow_record_batch.serialized_record_batch
            yield pa.ipc.read_record_batch(pa.py_buffer(body), self._schema)
