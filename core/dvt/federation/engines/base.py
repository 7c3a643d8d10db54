"""The engine contract: register inputs, execute one query, give a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvt.federation.stream import RowStream


@dataclass(frozen=True, order=True)
class Handle:
    """The three-part name under which an input stands in an engine's query.

    The catalogue part is made from the connection's name, the others are the relation's own, so that a reference
    such as `orders.id` without an alias still binds.
    """

    catalog: str
    schema: str
    name: str


@dataclass(frozen=True)
class EngineLimits:
    """Bounds of one engine session.

    Args:
        memory_bytes: Memory that the engine may hold.
        threads: Threads it may use.
        spill_folder: Private folder for what does not fit in memory.
    """

    memory_bytes: int
    threads: int
    spill_folder: Path


class BaseEngine(ABC):
    """One compute session: private, empty at first, gone when closed."""

    def __init__(self, limits: EngineLimits) -> None:
        self.limits = limits

    @abstractmethod
    def register(self, handle: Handle, stream: RowStream) -> int:
        """Read a stream to its end into a relation of the engine, in the place of an older one; returns the rows."""

    @abstractmethod
    def register_parquet(self, handle: Handle, paths: list[Path]) -> None:
        """Make staged Parquet files a relation of the engine without copying them."""

    @abstractmethod
    def execute(self, sql: str, batch_rows: int = 50_000) -> RowStream:
        """Run a query; its batches are in the carrying vocabulary of `dvt.types`."""

    def bind(self, sql: str) -> None:
        """Refuse a query that `execute` would refuse; an engine that can do so without running it says so here."""
        self.execute(sql).close()

    @abstractmethod
    def interrupt(self) -> None:
        """End a running query from another thread."""

    @abstractmethod
    def close(self) -> None:
        """End the session and delete what it spilled."""

    def __enter__(self) -> BaseEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
