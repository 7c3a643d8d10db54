"""What is asked of a relation's source once a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from dvt.connections.connection import Connection
from dvt.identifiers import Relation

T = TypeVar("T")
_Key = tuple[str, Relation, str]


class OncePerRelation(Generic[T]):
    """A thread-safe cache of answers. Who asks while another does waits for that one; a failure is not kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: dict[_Key, threading.Lock] = {}
        self._known: dict[_Key, tuple[tuple[Any, ...], T]] = {}

    def get(self, connection: Connection, relation: Relation, detail: object, ask: Callable[[], T]) -> T:
        """The answer for a relation.

        Args:
            connection: Where the relation lives.
            relation: The relation.
            detail: What else the answer depends on; equal ones have equal representations.
            ask: Gives the answer, when there is none yet.
        """
        key = connection.name, relation, repr(detail)
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = connection.place, ask()
            return known[1]

    def forget(self, place: tuple[Any, ...], relation: Relation) -> None:
        """Drop what is known of a relation, under whatever connection to that place."""
        with self._lock:
            for key, (where, _) in list(self._known.items()):
                if key[1].is_same(relation) and where == place:
                    self._known.pop(key, None)
