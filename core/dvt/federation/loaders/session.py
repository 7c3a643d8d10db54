"""A loader's session: opened when it is needed, ended, cancelled from another thread; its errors as dvt's own."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from dvt.connections.connection import Connection
from dvt.errors import ConnectionLostError, DvtError, InterruptedRunError
from dvt.identifiers import Relation

_Session = TypeVar("_Session", bound="LoaderSession")
# Seconds until an interrupt is told once more.
_AGAIN_S = 1.0


class LoaderSession(ABC):
    """One session on one connection, used by one thread at a time."""

    # Whether `interrupt` ends the session, and not only the statement that runs just then.
    interrupt_is_final: ClassVar[bool] = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cancelled = threading.Event()
        self._session: Any = None
        self._ending = threading.Lock()

    @abstractmethod
    def connect(self) -> Any:
        """Log in and give the session; `cancelled` ends the waiting. Raises dvt's errors."""

    @abstractmethod
    def disconnect(self, session: Any) -> None:
        """End a session, also a broken one."""

    @abstractmethod
    def translated(self, error: Exception, phase: str, relation: str | None) -> DvtError | None:
        """The dvt error for an exception of the driver or the server; None for what is neither."""

    @abstractmethod
    def interrupt(self, session: Any) -> None:
        """End what runs in the session, on the server too. Called by another thread than the session's."""

    def session(self) -> Any:
        """The session, which is opened when it is first asked for.

        Raises:
            InterruptedRunError: The load was cancelled.
        """
        self.check()
        if self._session is None:
            self._session = self.connect()
            self.check()  # it was cancelled while it logged in, when there was nothing to end
        return self._session

    def check(self) -> None:
        """Raise when the load was cancelled."""
        if self.cancelled.is_set():
            raise InterruptedRunError("the load was cancelled", connection=self.connection.name, phase="load")

    def cancel(self) -> None:
        """End a running load from another thread, on the server too. Afterwards only `drop` and `close` do anything."""
        self.cancelled.set()
        session = self._session
        if session is not None:
            self.interrupt(session)
            if not self.interrupt_is_final:
                threading.Thread(target=self._keep_interrupting, args=(session,), daemon=True).start()

    def _keep_interrupting(self, session: Any) -> None:
        """Servers and drivers forget an interrupt that comes a moment before a statement begins."""
        while True:
            time.sleep(_AGAIN_S)
            with self._ending:
                if self._session is not session:
                    return
                with contextlib.suppress(DvtError):
                    self.interrupt(session)

    def close(self) -> None:
        """End the session; closing twice is allowed."""
        with self._ending:
            session, self._session = self._session, None
        if session is not None:
            self.disconnect(session)

    @contextlib.contextmanager
    def guarded(self, phase: str, relation: Relation | None) -> Iterator[None]:
        """Within it, what the driver or the server raises becomes a dvt error with its place."""
        label = str(relation) if relation else None
        try:
            yield
        except DvtError as error:
            if error.connection in (None, self.connection.name):  # the other side's errors have their place already
                error.at(connection=self.connection.name, relation=label, phase=phase)
            raise self._lost(error) from error.__cause__
        except Exception as error:
            known = self.translated(error, phase, label)
            if known is None:
                raise
            if self.cancelled.is_set() and not isinstance(known, InterruptedRunError):
                known = InterruptedRunError("the load was cancelled", connection=self.connection.name, relation=label)
            raise self._lost(known) from error

    def _lost(self, error: DvtError) -> DvtError:
        if isinstance(error, ConnectionLostError) and error.connection == self.connection.name:
            self.close()
        return error

    def __enter__(self: _Session) -> _Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
