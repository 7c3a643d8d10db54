"""A small but whole extractor plugin over Arrow tables in memory, with doors for counting, waiting and failing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from dvt.connections.connection import Connection
from dvt.connections.spec import ConnectionSpec
from dvt.errors import ConnectionLostError, RelationNotFoundError
from dvt.federation.engines.base import Handle
from dvt.federation.extractors.base import BaseExtractor, ExtractionConfig
from dvt.federation.plan.model import Input
from dvt.federation.stream import ColumnSchema, RowStream
from dvt.identifiers import Relation

SPEC = ConnectionSpec(
    type="memory",
    dialect="postgres",
    settings=("host", "password"),
    place=lambda settings: (settings.get("host"),),
)


@dataclass
class Server:
    """What stands behind one connection.

    Attributes:
        tables: By relation name.
        sessions: Sessions opened for a scan, with the relations that each scanned, in order.
        before_batch: Called before each batch.
    """

    tables: dict[str, pa.Table]
    sessions: list[list[tuple[str, tuple[str, ...] | None]]] = field(default_factory=list)
    describes: int = 0
    open_sessions: int = 0
    cancelled: int = 0
    before_batch: Callable[[str], None] = lambda relation: None


class MemoryExtractor(BaseExtractor):
    """Reads a `Server`."""

    spec = SPEC

    def __init__(self, connection: Connection, server: Server) -> None:
        super().__init__(connection)
        self.server = server
        self.seen: list[tuple[str, tuple[str, ...] | None]] | None = None
        self.is_open = False
        self.was_cancelled = threading.Event()

    def ping(self) -> str:
        return "1"

    def _table(self, request: ExtractionConfig) -> pa.Table:
        assert request.relation is not None
        if request.relation.name not in self.server.tables:
            raise RelationNotFoundError("there is no such relation")
        table = self.server.tables[request.relation.name]
        return table if request.columns is None else table.select(list(request.columns))

    def describe(self, request: ExtractionConfig) -> list[ColumnSchema]:
        self.server.describes += 1
        return [ColumnSchema(f.name, f.type, f.nullable, str(f.type)) for f in self._table(request).schema]

    def scan(self, request: ExtractionConfig) -> RowStream:
        table = self._table(request)
        if self.seen is None:
            self.seen = []
            self.server.sessions.append(self.seen)
            self.is_open = True
            self.server.open_sessions += 1
        assert request.relation is not None
        name = request.relation.name
        self.seen.append((name, request.columns))

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in table.to_batches(max_chunksize=self.batch_rows(request)):
                self.server.before_batch(name)
                if self.was_cancelled.is_set():
                    raise ConnectionLostError("the session has ended")
                yield batch

        return RowStream(self.describe_table(table), batches(), method="memory")

    @staticmethod
    def describe_table(table: pa.Table) -> list[ColumnSchema]:
        return [ColumnSchema(f.name, f.type, f.nullable, str(f.type)) for f in table.schema]

    def cancel(self) -> None:
        self.server.cancelled += 1
        self.was_cancelled.set()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.server.open_sessions -= 1


class Servers:
    """Several servers by connection name, and the factory that a session takes."""

    def __init__(self, has_snapshot: bool = True, **tables: dict[str, pa.Table]) -> None:
        self.servers = {name: Server(content) for name, content in tables.items()}
        self.spec = replace(SPEC, has_snapshot=has_snapshot)

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def connection(self, name: str, **settings: Any) -> Connection:
        output = {"type": "memory", "host": name, "password": "hunter2-hunter2", **settings}
        return Connection.from_output(name, output, self.spec)

    def factory(self, connection: Connection) -> MemoryExtractor:
        return MemoryExtractor(connection, self.servers[connection.name])

    def inputs(self) -> list[Input]:
        """Every relation of every server, as `<connection>.s.<relation>`."""
        return [
            Input(Handle(name, "s", relation), self.connection(name), Relation(relation, "s"), f"{name}.{relation}")
            for name, server in self.servers.items()
            for relation in server.tables
        ]
