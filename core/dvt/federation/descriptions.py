"""The columns of relations, asked of their sources once a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import located
from dvt.federation.cancel import CancelScope
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation

_Key = tuple[str, Relation, str]


class Descriptions:
    """A thread-safe cache. A failure is not kept: who asks next asks the source again.

    Args:
        factory: Makes an extractor of a connection.
        scope: Cancelled to end a description that is under way.
    """

    def __init__(self, factory: Callable[[Connection], BaseExtractor], scope: CancelScope) -> None:
        self._factory = factory
        self._scope = scope
        self._lock = threading.Lock()
        self._asking: dict[_Key, threading.Lock] = {}
        self._known: dict[_Key, tuple[tuple[Any, ...], list[ColumnSchema]]] = {}

    def of(
        self,
        connection: Connection,
        relation: Relation,
        declared: Mapping[str, str],
        file_options: Mapping[str, Any],
        source_name: str = "",
    ) -> list[ColumnSchema]:
        """The columns of a relation; the session that asks for them is closed again."""
        key = connection.name, relation, repr((sorted(declared.items()), sorted(file_options.items())))
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            if key not in self._known:
                request = ExtractionConfig(
                    relation=relation, declared=declared, file_options=file_options, source_name=source_name
                )
                self._known[key] = connection.place, self._ask(connection, request)
            return list(self._known[key][1])

    def forget(self, place: tuple[Any, ...], relation: Relation) -> None:
        """Drop what is known of a relation, under whatever connection to that place."""
        with self._lock:
            for key, (where, _) in list(self._known.items()):
                if key[1].is_same(relation) and where == place:
                    self._known.pop(key, None)

    def _ask(self, connection: Connection, request: ExtractionConfig) -> list[ColumnSchema]:
        with located(connection=connection.name, relation=str(request.relation), phase="describe"):
            with self._factory(connection) as extractor, self._scope.running(extractor.cancel):
                return extractor.describe(request)
