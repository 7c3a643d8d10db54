"""The streams of a Storage Read session, each read by a thread of its own, in batches as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from typing import Any

import pyarrow as pa

_WAIT_S = 0.2


class SessionReader:
    """Reads one session. Its client's channel is its own: closing it ends the streams on the server.

    Args:
        client: The Storage Read API's client.
        session: The session.
    """

    def __init__(self, client: Any, session: Any) -> None:
        self._client = client
        self._names = [stream.name for stream in session.streams]
        self._schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema)) if self._names else None
        # A batch waits for each stream, no more.
        self._coming: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(max(len(self._names), 1))
        self._is_closed = threading.Event()

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The record batches of all streams, in any order. What a stream fails with is raised here."""
        for name in self._names:
            threading.Thread(target=self._read, args=(name,), name="dvt-bigquery", daemon=True).start()
        left = len(self._names)
        while left:
            try:
                item = self._coming.get(timeout=_WAIT_S)
            except queue.Empty:
                if self._is_closed.is_set():
                    return
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                left -= 1
            else:
                yield item

    def _read(self, name: str) -> None:
        """A stream that breaks for a passing reason is read on by the client, from the row after the last."""
        try:
            for message in self._client.read_rows(name):
                body = message.arrow_record_batch.serialized_record_batch
                self._put(pa.ipc.read_record_batch(pa.py_buffer(body), self._schema))
                if self._is_closed.is_set():
                    return
            self._put(None)
        except Exception as error:  # noqa: BLE001 it is raised again where the batches are taken
            self._put(error)

    def _put(self, item: pa.RecordBatch | BaseException | None) -> None:
        while not self._is_closed.is_set():
            try:
                self._coming.put(item, timeout=_WAIT_S)
            except queue.Full:
                continue
            return

    def close(self) -> None:
        """End what still runs. Closing twice is allowed."""
        if not self._is_closed.is_set():
            self._is_closed.set()
            self._client.transport.close()
