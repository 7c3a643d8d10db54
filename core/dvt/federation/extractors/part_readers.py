"""Several parts of one scan read at once, each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from dvt.errors import InterruptedRunError

_POLL_S = 0.1


class PartReaders:
    """Reads parts side by side; their batches come in no particular order.

    Args:
        parts: The batches of each part, decoded as they are taken.
        stop: Ends all parts at the source, so that a thread that waits for it goes on; called from another thread.
    """

    def __init__(self, parts: Sequence[Iterator[pa.RecordBatch]], stop: Callable[[], None]) -> None:
        self._stop = stop
        self._done = threading.Event()
        # One batch waits per part: memory is bounded by twice as many batches as there are parts.
        self._queue: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(maxsize=len(parts))
        self._threads = [threading.Thread(target=self._read, args=(part,), daemon=True) for part in parts]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every part is through; the first failure of any of them is raised.

        Raises:
            InterruptedRunError: It was closed from another thread: what came is not all.
        """
        running = len(self._threads)
        while running:
            try:
                item = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                if self._done.is_set():
                    raise InterruptedRunError("the scan was closed before its end", phase="extract") from None
                continue
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def close(self) -> None:
        """Stop what still runs, and wait for the threads."""
        self._done.set()
        if any(thread.is_alive() for thread in self._threads):
            self._stop()
        for thread in self._threads:
            thread.join()

    def _read(self, part: Iterator[pa.RecordBatch]) -> None:
        try:
            for batch in part:
                if not self._put(batch):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised in the reading thread
            self._put(error)
        else:
            self._put(None)

    def _put(self, item: pa.RecordBatch | BaseException | None) -> bool:
        """Hand an item over, or give up when the reader has gone."""
        while not self._done.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
