"""Binding a query before anything is read: over empty relations with the columns that its sources have.

So what the engine would refuse (a column that is not there or that is two, a relation that nobody knows, types that do
not go together) is an error of the plan. The engine is asked, not imitated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from dvt.errors import PlanError
from dvt.federation.engines.base import BaseEngine, Handle
from dvt.federation.plan.hints import add_hint
from dvt.federation.plan.model import Input
from dvt.federation.stream import ColumnSchema, RowStream

Relations = Mapping[Handle, Sequence[ColumnSchema]]


class Binder:
    """One engine for all queries of a run, in which every relation that they name stands empty. Thread-safe.

    Args:
        make_engine: Makes an engine of its own.
        describe: Gives an input's columns.
    """

    def __init__(self, make_engine: Callable[[], BaseEngine], describe: Callable[[Input], list[ColumnSchema]]) -> None:
        self._make_engine = make_engine
        self._describe = describe
        self._lock = threading.Lock()
        self._engine: BaseEngine | None = None
        self._standing: dict[Handle, tuple[ColumnSchema, ...]] = {}
        self._bound: set[tuple[str, tuple[tuple[Handle, tuple[ColumnSchema, ...]], ...]]] = set()

    def check(self, sql: str, inputs: Mapping[Handle, Input], relations: Relations) -> None:
        """Bind a query.

        Args:
            sql: The query.
            inputs: What it may read.
            relations: The columns that are read of each input that it names.

        Raises:
            PlanError: The engine refuses the query, with line and column where it says them.
        """
        key = sql, tuple((handle, tuple(columns)) for handle, columns in relations.items())
        with self._lock:
            if key in self._bound:
                return
            try:
                self._over(relations).bind(sql)
            except PlanError as error:
                add_hint(error, [inputs[handle] for handle in relations], self._describe, inputs.values())
                error.phase = "plan"
                raise
            self._bound.add(key)

    def columns(self, sql: str, relations: Relations) -> list[ColumnSchema]:
        """The columns that the engine gives to a query, which is run over the empty relations.

        Raises:
            PlanError: The engine refuses the query.
        """
        with self._lock, self._over(relations).execute(sql) as stream:
            return stream.columns

    def _over(self, relations: Relations) -> BaseEngine:
        """The engine in which these relations stand."""
        if self._engine is None:
            self._engine = self._make_engine()
        for handle, columns in relations.items():
            if self._standing.get(handle) != tuple(columns):
                self._engine.register(handle, RowStream(list(columns), iter(())))
                self._standing[handle] = tuple(columns)
        return self._engine

    def close(self) -> None:
        """End the engine. Closing twice is allowed."""
        with self._lock:
            engine, self._engine = self._engine, None
            self._standing, self._bound = {}, set()
        if engine is not None:
            engine.close()
