"""The columns of relations, asked of their sources once a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dvt.connections.connection import Connection
from dvt.errors import located
from dvt.federation.cancel import CancelScope
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.once import OncePerRelation
from dvt.federation.plan.model import Input, ScanPlan
from dvt.federation.stream import ColumnSchema
from dvt.identifiers import Relation


class Descriptions:
    """A thread-safe cache. A failure is not kept: who asks next asks the source again.

    Args:
        factory: Makes an extractor of a connection.
        scope: Cancelled to end a description that is under way.
    """

    def __init__(self, factory: Callable[[Connection], BaseExtractor], scope: CancelScope) -> None:
        self._factory = factory
        self._scope = scope
        self._known: OncePerRelation[list[ColumnSchema]] = OncePerRelation()

    def of(
        self,
        connection: Connection,
        relation: Relation,
        declared: Mapping[str, str],
        file_options: Mapping[str, Any],
        source_name: str = "",
    ) -> list[ColumnSchema]:
        """The columns of a relation; the session that asks for them is closed again."""
        request = ExtractionConfig(
            relation=relation, declared=declared, file_options=file_options, source_name=source_name
        )
        detail = sorted(declared.items()), sorted(file_options.items())
        return list(self._known.get(connection, relation, detail, lambda: self._ask(connection, request)))

    def of_block(self, inp: Input) -> list[ColumnSchema]:
        """The columns of a block as its source describes them."""
        request = ScanPlan(inp, None, "").request()
        return list(
            self._known.get(inp.connection, inp.relations[0], request, lambda: self._ask(inp.connection, request))
        )

    def forget(self, place: tuple[Any, ...], relation: Relation) -> None:
        """Drop what is known of a relation, under whatever connection to that place."""
        self._known.forget(place, relation)

    def _ask(self, connection: Connection, request: ExtractionConfig) -> list[ColumnSchema]:
        with located(connection=connection.name, relation=str(request.relation or request.label), phase="describe"):
            with self._factory(connection) as extractor, self._scope.running(extractor.cancel):
                return extractor.describe(request)
