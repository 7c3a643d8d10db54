"""How large relations are, as far as their sources know, asked once a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import ConnectionFailedError, DataError, QueryError, ResourceError
from dvt.federation.cancel import CancelScope
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig, TableStatistics
from dvt.federation.once import OncePerRelation
from dvt.federation.plan.model import Input
from dvt.identifiers import Relation

_UNKNOWN = TableStatistics()
# An estimate is never worth a failure: what the source does not tell, for want of a privilege, of time, of a session or
# of a readable footer, is not known, and where it matters the scan itself says so. A configuration that cannot be, an
# interruption and a fault of dvt are no answers of a source and are raised.
_LEAVES_UNKNOWN = (QueryError, ConnectionFailedError, DataError, ResourceError)


class Sizes:
    """A thread-safe cache of statistics. What could not be had is kept, too: nothing waits for it twice.

    Args:
        factory: Makes an extractor of a connection.
        scope: Cancelled to end a question that is under way.
    """

    def __init__(self, factory: Callable[[Connection], BaseExtractor], scope: CancelScope) -> None:
        self._factory = factory
        self._scope = scope
        self._known: OncePerRelation[TableStatistics] = OncePerRelation()

    def of(self, inp: Input) -> TableStatistics:
        """What is known of an input; both figures None when nothing is."""
        if inp.block is not None:
            return TableStatistics(rows=inp.block.rows)
        return self._known.get(inp.connection, inp.relation, sorted(inp.file_options.items()), lambda: self._ask(inp))

    def forget(self, place: tuple[Any, ...], relation: Relation) -> None:
        """Drop what is known of a relation, under whatever connection to that place."""
        self._known.forget(place, relation)

    def _ask(self, inp: Input) -> TableStatistics:
        request = ExtractionConfig(
            relation=inp.relation, source_name=inp.source_name, declared=inp.declared, file_options=inp.file_options
        )
        try:
            with self._factory(inp.connection) as extractor, self._scope.running(extractor.cancel):
                return extractor.statistics(request) or _UNKNOWN
        except _LEAVES_UNKNOWN:
            self._scope.check()  # a cancelled session fails in the driver's words
            return _UNKNOWN
