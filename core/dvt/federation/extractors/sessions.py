"""What extractors share that are cancelled from another thread, and that log in with the first thing they are asked."""

from __future__ import annotations

import dataclasses
import threading
from abc import abstractmethod
from typing import Generic, TypeVar

from dvt.connections.connection import Connection
from dvt.errors import InterruptedRunError
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.identifiers import Relation

SessionT = TypeVar("SessionT")


class CancellableExtractor(BaseExtractor):
    """An extractor that reads no more once `cancel` has set its event."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._is_cancelled = threading.Event()

    def get_row_count(self, relation: Relation) -> int:
        """The exact number of rows, counted by the source."""
        return super().get_row_count(self._own(relation))

    def _check(self) -> None:
        """Raise where it was cancelled."""
        if self._is_cancelled.is_set():
            raise InterruptedRunError("the scan was cancelled", connection=self.connection.name, phase="extract")

    def _own(self, relation: Relation) -> Relation:
        """A relation by the names that the catalogue has: what is left out is the connection's."""
        return relation

    def _qualified(self, request: ExtractionConfig) -> ExtractionConfig:
        if request.relation is None:
            return request
        return dataclasses.replace(request, relation=self._own(request.relation))


class SessionExtractor(CancellableExtractor, Generic[SessionT]):
    """An extractor with one session, opened when it is first needed."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._session: SessionT | None = None

    @abstractmethod
    def _connect(self) -> SessionT:
        """Log in."""

    def _opened(self) -> SessionT:
        self._check()
        if self._session is None:
            self._session = self._connect()
            self._check()  # it was cancelled while it logged in, when there was nothing to end
        return self._session
