"""A statement of Exasol's that moves rows through a tunnel: it runs in a thread of its own, beside who moves them."""

from __future__ import annotations

import atexit
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyexasol import ExaConnection

# CSV as both directions have it.
CSV = {"column_separator": ",", "column_delimiter": '"', "row_separator": "LF", "encoding": "UTF8"}


class StoppedError(Exception):
    """The rows are wanted no longer."""


class Transfer(ABC):
    """One EXPORT or IMPORT.

    Args:
        session: The connection; nothing else may use it until the transfer has ended.
    """

    def __init__(self, session: ExaConnection) -> None:
        from pyexasol.http_transport import ExaHttpThread

        self._session = session
        options = session.options
        self._tunnel = ExaHttpThread(session.ws_ipaddr, session.ws_port, options["compression"], options["encryption"])
        # `pyexasol.http_transport` starts it as a thread that a program waits for at its end.
        self._tunnel.daemon = True
        self._tunnel.start()
        # It would print the tracebacks of tunnels that were cut; the statement says what happened.
        self._tunnel.server.handle_error = lambda *_: None
        self._is_stopped = False
        self._error: BaseException | None = None
        self._rows = -1
        self._thread = threading.Thread(target=self._run, name="dvt-exasol-transfer", daemon=True)
        self._thread.start()
        atexit.register(self.stop)  # a program that ends in the middle: nothing may still move when Python goes

    @abstractmethod
    def send(self, address: str) -> None:
        """Run the statement, over the tunnel that has the address."""

    def stop(self) -> None:
        """End it, on the server too; from any thread."""
        if self._thread.is_alive() and not self._is_stopped:
            self._is_stopped = True
            with suppress(Exception):  # a connection that is gone has nothing to abort
                self._session.abort_query()
        self._tunnel.terminate()
        self._thread.join()
        self._tunnel.join()
        atexit.unregister(self.stop)

    def ended(self) -> int:
        """Wait for the end, and give the rows that the server counted; raises what the statement raised."""
        self._tunnel.join()  # it also lets the driver say to the server that an import's rows are whole
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._rows

    def broken(self) -> BaseException | None:
        """What broke the statement, after the tunnel was found broken."""
        self._tunnel.terminate()
        self._thread.join()
        return self._error

    def _run(self) -> None:
        try:
            self.send(self._tunnel.exa_address)
            self._rows = self._session.last_stmt.rowcount()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that moves the rows
            self._error = StoppedError("it was stopped") if self._is_stopped else error
            self._tunnel.terminate()  # nothing more will move
