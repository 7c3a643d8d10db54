"""A running server as the conformance kit needs it: what it is, how dvt reaches it, how it is filled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from dvt.connections.connection import Connection
from dvt.federation.extractors.base import BaseExtractor
from dvt.federation.loaders.base import BaseLoader
from dvt.federation.registry import loader_class, new_extractor, open_connection
from dvt.identifiers import Relation


class Tag(str, Enum):
    """What a test that ran against a server has shown."""

    REAL = "real"  # the engine itself
    EMULATED = "emulated"  # another program's imitation of it
    FAKE = "fake"  # our own imitation of its protocol, under the vendor's client
    DRIVER = "driver"  # a double of the vendor's client


@dataclass(frozen=True)
class Place:
    """A server, or what stands for it.

    Args:
        type: The connection type.
        tag: What it is.
        output: The profile output that reaches it.
        execute: Runs a statement there, not through dvt.
        statements: The statements that it was sent since it was last asked; empty lists where it keeps no log.
        schema: Where tables are made; None where names without one are found.
        words: The engine's file of words, or the name of one of the kit's; the type's when not given.
        refused: An output whose login is refused; None where there is no login.
        closed: An output whose port nobody listens at; not needed where `output` has a `port`.
        running: How many statements of dvt run there; None where it cannot tell.
        root: The folder that relative paths of the output start at.
        name: What the kit's page calls it; the type when not given.
        ask: The first column of a query's rows as texts, not through dvt; None where it takes no queries.
        tables: Names of the tables that are in the schema; None where it cannot tell.
    """

    type: str
    tag: Tag
    output: Mapping[str, Any]
    execute: Callable[[str], object]
    statements: Callable[[], list[str]] = list
    schema: str | None = None
    words: Path | str | None = None
    refused: Mapping[str, Any] | None = None
    closed: Mapping[str, Any] | None = None
    running: Callable[[], int] | None = None
    root: Path = field(default_factory=Path.cwd)
    name: str = ""
    ask: Callable[[str], Sequence[str]] | None = None
    tables: Callable[[], Sequence[str]] | None = None

    @property
    def label(self) -> str:
        """What the kit's page calls it."""
        return self.name or self.type

    def connection(self, **options: Any) -> Connection:
        """A connection, with options below `dvt:`."""
        own = {**self.output.get("dvt", {}), **options}
        return open_connection("kit", {**self.output, **({"dvt": own} if own else {})}, self.root)

    def comes_to_rest(self, within_s: float = 10.0) -> bool:
        """Whether nothing of dvt runs there, now or soon: a driver may close a session after it has said so."""
        deadline = time.monotonic() + within_s
        while self.running is not None and self.running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def extractor(self, **options: Any) -> BaseExtractor:
        """An extractor of the place; it has not connected yet."""
        connection = self.connection(**options)
        return new_extractor(connection)

    def loader(self, **options: Any) -> BaseLoader:
        """A loader of the place; it has not connected yet."""
        return loader_class(self.type)(self.connection(**options))

    def relation(self, name: str) -> Relation:
        """A relation where the kit makes its tables."""
        return Relation(name, self.schema)
