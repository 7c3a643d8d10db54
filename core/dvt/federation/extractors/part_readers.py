"""Several parts of one scan read at once, each in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import pyarrow as pa

from dvt.errors import InterruptedRunError

_POLL_S = 0.1
_WAITING_IN_TURN = 2


class TurnOver:
    """What a part gives between two of its stretches, where parts are taken in turn."""


TURN_OVER: Final = TurnOver()

_Item: TypeAlias = "pa.RecordBatch | TurnOver | BaseException | None"
_Queue: TypeAlias = "queue.Queue[_Item]"


class PartReaders:
    """Reads parts side by side.

    Args:
        parts: The batches of each part, decoded as they are taken.
        stop: Ends all parts at the source, so that a thread that waits for it goes on; called from another thread.
        in_turn: Whether the first stretch of each part is given, in the parts' order, then the second of each, and so
            on, as `TURN_OVER` ends them; a part may have one stretch more than those behind it. Else batches come in
            no particular order.
    """

    def __init__(
        self,
        parts: Sequence[Iterator[pa.RecordBatch | TurnOver]],
        stop: Callable[[], None],
        *,
        in_turn: bool = False,
    ) -> None:
        self._stop = stop
        self._done = threading.Event()
        # Memory is bounded by the batches that wait, and one more per part that is in hand.
        shared: _Queue = queue.Queue(maxsize=len(parts))
        self._queues = [queue.Queue(maxsize=_WAITING_IN_TURN) if in_turn else shared for _ in parts]
        self._threads = [
            threading.Thread(target=self._read, args=one, daemon=True) for one in zip(parts, self._queues, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches until every part is through; the first failure of any of them is raised.

        Raises:
            InterruptedRunError: It was closed from another thread: what came is not all.
        """
        running, turns = len(self._threads), 0
        while running:
            item = self._taken(self._queues[turns % len(self._queues)])
            if item is None or isinstance(item, TurnOver):
                running -= item is None
                turns += 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def _taken(self, waiting: _Queue) -> _Item:
        while True:
            try:
                return waiting.get(timeout=_POLL_S)
            except queue.Empty:
                if self._done.is_set():
                    raise InterruptedRunError("the scan was closed before its end", phase="extract") from None

    def close(self) -> None:
        """Stop what still runs, and wait for the threads."""
        self._done.set()
        if any(thread.is_alive() for thread in self._threads):
            self._stop()
        for thread in self._threads:
            thread.join()

    def _read(self, part: Iterator[pa.RecordBatch | TurnOver], to: _Queue) -> None:
        try:
            for batch in part:
                if not self._put(to, batch):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised in the reading thread
            self._put(to, error)
        else:
            self._put(to, None)

    def _put(self, to: _Queue, item: _Item) -> bool:
        """Hand an item over, or give up when the reader has gone."""
        while not self._done.is_set():
            try:
                to.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False
