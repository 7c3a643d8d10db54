"""One statement at a Trino server: the pages of its result, as they came, and its end from any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from dvt.connections.trino_errors import CutOffError

if TYPE_CHECKING:
    from trino.client import TrinoRequest

# Rows of the answer itself, or what names segments of rows that lie elsewhere.
Page: TypeAlias = "list[list[Any]] | dict[str, Any]"

_HEARTBEAT_S = 30.0


class Cancelled(Exception):
    """The statement was ended by another thread."""


class Statement:
    """A running statement.

    The client's own cursor is not used: it turns values into Python's, which rounds moments to microseconds, and cannot
    be stopped before it has seen rows.

    Args:
        request: What sends it, and asks for its pages.
        sql: The statement.
        posting: What sends it, where that is another one.
    """

    def __init__(self, request: TrinoRequest, sql: str, posting: TrinoRequest | None = None) -> None:
        self._request = request
        self._posting = posting or request
        self._sql = sql
        self._next: str | None = None
        self._columns: list[dict[str, Any]] | None = None
        self._waiting: list[Page] = []
        self._is_cancelled = threading.Event()
        self._is_over = threading.Event()

    def columns(self) -> list[dict[str, Any]]:
        """Names and type signatures, as soon as the server has planned the statement; none where it gives no rows."""
        if self._next is None and self._columns is None:
            self._take(self._posting.post(self._sql))
            self._keep_alive()
        while self._columns is None and self._next is not None:
            self._advance()
        self._check()  # it ended because it was cancelled, not because it gives no rows
        return self._columns or []

    def pages(self) -> Iterator[Page]:
        """The pages that have rows. The result is whole when this ends by itself."""
        self.columns()
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            if self._next is None:
                self._check()
                return
            self._advance()

    def close(self) -> None:
        """End it on the server, unless it is over."""
        self._is_over.set()
        address, self._next = self._next, None
        if address is not None:
            import requests

            with suppress(requests.RequestException):  # a server that is gone runs nothing
                self._request.delete(address)

    def cancel(self) -> None:
        """End it from another thread; the one that reads it gets `Cancelled`."""
        self._is_cancelled.set()
        self.close()

    def _advance(self) -> None:
        self._check()
        address = self._next
        if address is not None:
            self._take(self._request.get(address))

    def _take(self, response: Any) -> None:
        # process() trips over bodies that are no answer of a coordinator's: a proxy's page, with whatever status.
        try:
            status = self._request.process(response)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CutOffError(f"the answer is not Trino's: {error}") from error
        except Exception:
            self._next = None  # it failed there: nothing is left to end
            self._is_over.set()
            self._check()
            raise
        self._next = status.next_uri
        self._check()  # cancelled while it was asked for, when there was nothing to end yet
        if status.columns:
            self._columns = status.columns
        if status.rows:
            self._waiting.append(status.rows)
        if self._next is None:
            self._is_over.set()

    def _check(self) -> None:
        if self._is_cancelled.is_set():
            self.close()
            raise Cancelled

    def _keep_alive(self) -> None:
        """A server gives up a query whose client is silent: while its rows are worked on, it is told that they are."""

        def beat() -> None:
            while not self._is_over.wait(_HEARTBEAT_S):
                address = self._next
                if address is not None:
                    with suppress(Exception):
                        self._request.head(address)

        threading.Thread(target=beat, name="dvt-trino-heartbeat", daemon=True).start()
